"""What is wrong with a file is told from what is wrong with the machine."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg.damage import reported_damage


@pytest.mark.parametrize(
    "error", [OSError("image file is truncated"), OSError(22, "Invalid argument"), KeyError("tag")]
)
def test_damage_names_the_file(error):
    with pytest.raises(ValueError, match=r"^a\.tif is truncated or damaged .*copy"), reported_damage("a.tif"):
        raise error


@pytest.mark.parametrize("kind", [PermissionError, IsADirectoryError, OSError])
def test_files_that_cannot_be_opened_are_not_damaged(kind):
    error = kind(5, "no", "elsewhere/a.tif")
    with pytest.raises(kind) as caught, reported_damage("a.tif"):
        raise error
    assert caught.value is error


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))

    def asarray(*_, **__):
        raise MemoryError("Unable to allocate 93.1 GiB")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", asarray)
    with pytest.raises(ValueError, match=r"a\.tif does not fit into memory \(Unable .*93\.1 GiB\)") as caught:
        read_image(path)
    assert "damaged" not in str(caught.value)
    with pytest.raises(ValueError, match=r"memory \(all of it is taken\)"), reported_damage("a.tif"):
        raise MemoryError
