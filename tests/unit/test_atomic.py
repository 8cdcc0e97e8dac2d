"""A file appears whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from napari_deartifact.atomic import replacing


def test_success_moves(tmp_path):
    target = tmp_path / "a.txt"
    with replacing(target) as path:
        assert path.suffix == ".txt"
        assert not target.exists()
        path.write_text("whole")
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path, monkeypatch):
    (tmp_path / "plain.txt").touch()
    # The mask belongs to the whole process: changed for a moment, it would change files of other threads.
    monkeypatch.delattr(os, "umask")
    with replacing(tmp_path / "a.txt") as path:
        path.unlink()
        path.touch(mode=0o600)
    modes = [path.stat().st_mode for path in tmp_path.iterdir()]
    assert len(modes) == 2
    assert modes[0] == modes[1]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_failure_keeps_the_old(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as path:
        path.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_where_files_have_no_modes(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(Path, "chmod", fails)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.unlink()
        temporary.write_text("answer")
        os.chmod(temporary, 0o600)
    assert (tmp_path / "a.txt").read_text() == "answer"


def test_targets_that_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="create it first"), replacing(tmp_path / "no" / "a.txt"):
        pass
    with pytest.raises(IsADirectoryError, match="is a folder"), replacing(tmp_path):
        pass


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    target = tmp_path / "a.txt"
    target.touch(mode=0o600)
    with replacing(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "a.txt", tmp_path / "b.txt"
    link.symlink_to(real)
    for text in ("new", "newer"):
        with replacing(link) as path:
            path.write_text(text)
        assert link.is_symlink()
        assert real.read_text() == text
