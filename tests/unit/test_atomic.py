"""A file appears whole or not at all."""

import os

import pytest

from napari_deartifact.atomic import replacing


def test_success_moves(tmp_path):
    target = tmp_path / "a.txt"
    with replacing(target) as path:
        assert path.suffix == ".txt"
        assert not target.exists()
        path.write_text("whole")
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_failure_keeps_the_old(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as path:
        path.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_targets_that_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="create it first"), replacing(tmp_path / "no" / "a.txt"):
        pass
    with pytest.raises(IsADirectoryError, match="is a folder"), replacing(tmp_path):
        pass
