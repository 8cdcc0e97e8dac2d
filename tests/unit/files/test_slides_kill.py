"""A slide's restoration is killed before all kinds of file operations; going on gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile
from skimage import data

PROGRAM = Path(__file__).with_name("kill_slides.py")


@pytest.mark.skipif(
    not hasattr(os, "fork"), reason="Windows cannot fork at every file operation; CI runs on Linux"
)
@pytest.mark.parametrize("name", ["slide.ome.zarr", "slide.ome.tif"])
def test_killed_and_resumed(tmp_path, name):
    source, target = tmp_path / "slide.tif", tmp_path / "out" / name
    target.parent.mkdir()
    tifffile.imwrite(
        source,
        data.astronaut()[:90, 150:230],
        tile=(48, 48),
        compression="jpeg",
        compressionargs={"level": 60},
        photometric="rgb",
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, PROGRAM, source, target, "12"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    operations, moments = map(int, done.stdout.split())
    assert operations > 50
    assert moments >= 14
