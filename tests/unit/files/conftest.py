"""Pictures to put into files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data


@pytest.fixture(scope="session")
def grey() -> np.ndarray:
    return data.camera()[100:161, 150:221]


@pytest.fixture(scope="session")
def rgb() -> np.ndarray:
    return data.astronaut()[:50, 150:213]


@pytest.fixture
def jpeg_file(tmp_path: Path, rgb: np.ndarray) -> Path:
    """A 4:2:0 JPEG of quality 30, to be shown a quarter turn to the right, at 150 × 200 dpi."""
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    Image.fromarray(rgb).save(
        path, quality=30, subsampling="4:2:0", exif=exif, dpi=(150, 200), icc_profile=b"profile" * 10
    )
    return path


class Brightener:
    """A restorer that adds a hundredth of the range: quick, and easy to recognise."""

    name = "brightener"
    color = "any"
    size_multiple = 1
    halo = 0
    fixed_tile = None
    needs_tables = False

    def restore(self, tiles, jpeg):
        return tiles + np.float32(10 / 255)


@pytest.fixture
def model() -> Brightener:
    return Brightener()
