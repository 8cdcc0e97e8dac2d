"""The journal of a slide's restoration, when there was no room for a line."""

from __future__ import annotations

import errno

import pytest

from napari_deartifact.files.slides_job import SlideJob, working_folder


class Full:
    """A file on a disk with room for some bytes."""

    def __init__(self, stream, room):
        self._stream, self._room = stream, room

    def write(self, line):
        written = self._stream.write(line[: self._room])
        self._room -= written
        return written

    def close(self):
        self._stream.close()


def test_work_that_could_not_be_noted_is_not_done(tmp_path):
    target = tmp_path / "a.ome.zarr"
    with SlideJob.opened(target, {}, overwrite=False) as job:
        job.finish("0/0/0", unbound=[])
        job._journal = Full(job._journal, room=9)
        with pytest.raises(OSError, match="space") as caught:
            job.finish("0/0/512")
        assert caught.value.errno == errno.ENOSPC
        assert list(job.done) == ["0/0/0"]
    with SlideJob.opened(target, {}, overwrite=False) as job:
        assert job.done == {"0/0/0": {"unbound": []}}
        job.finish("0/0/512")
    with SlideJob.opened(target, {}, overwrite=False) as job:
        assert list(job.done) == ["0/0/0", "0/0/512"]


@pytest.mark.parametrize("torn", [b'{"piece": "0/0/51', b"\0" * 9, b"7\n", b'{"pi\n', b"\n"])
def test_a_torn_line_costs_no_more_than_its_own_work(tmp_path, torn):
    target = tmp_path / "a.ome.zarr"
    with SlideJob.opened(target, {}, overwrite=False) as job:
        job.finish("0/0/0")
    with (working_folder(target) / "journal").open("ab") as stream:
        stream.write(torn + b'{"piece": "0/0/1024"}\n{"piece": "0/512/0"}\n')
    with SlideJob.opened(target, {}, overwrite=False) as job:
        assert list(job.done) == ["0/0/0", *(["0/0/1024"] if torn.endswith(b"\n") else []), "0/512/0"]


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path):
    target = tmp_path / "a.ome.zarr"
    folder = working_folder(target)
    (folder / "sub").mkdir(parents=True)
    (folder / "precious.txt").write_text("mine")
    for overwrite in (False, True):
        opened = SlideJob.opened(target, {}, overwrite=overwrite)
        with (
            pytest.raises(FileExistsError, match=r"a\.ome\.zarr\.part .* which is not ours; move it"),
            opened,
        ):
            pass
    assert (folder / "precious.txt").read_text() == "mine"
    assert (folder / "sub").is_dir()


def test_a_folder_takes_the_place_of_a_file(tmp_path):
    target = tmp_path / "a.ome.zarr"
    target.write_text("old")
    with SlideJob.opened(target, {}, overwrite=True) as job:
        (job.folder / "pyramid").mkdir()
        job.publish(job.folder / "pyramid")
    assert target.is_dir()
    assert not working_folder(target).exists()
