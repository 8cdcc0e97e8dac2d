"""Grids told by flat blocks."""

import numpy as np
import pytest

from napari_deartifact.jpeg.flat import flat_block_evidence, mosaic_phase


def mosaic(step, rows=3, columns=5):
    index = np.random.default_rng(0).integers(-90, 90, (16, 16)) * 8 // step
    levels = np.floor((index * step + 4) / 8).astype(np.float32)
    return np.kron(levels, np.ones((8, 8), np.float32))[rows:, columns:]


@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (7, 1)])
def test_phase(corner):
    assert mosaic_phase(mosaic(40, *corner)) == (-corner[0] % 8, -corner[1] % 8)


@pytest.mark.parametrize("step", [27, 40, 53, 80, 107])
def test_dc_step(step):
    plane = mosaic(step)
    evidence = flat_block_evidence(plane, mosaic_phase(plane))
    assert evidence.argmax() + 1 == step
    assert evidence.max() > 10


@pytest.mark.parametrize(
    "plane",
    [
        np.zeros((64, 64)),
        np.random.default_rng(0).integers(0, 99, (64, 64)),
        np.kron(np.arange(100).reshape(10, 10), np.ones((10, 10))),
        np.full((64, 64), np.nan),
    ],
    ids=["constant", "noise", "grid of 10", "unknown"],
)
def test_no_grid(plane):
    assert mosaic_phase(plane.astype(np.float32)) is None


def test_unknown_pixels_are_left_out():
    plane = mosaic(40)
    plane[20:30] = np.nan
    assert mosaic_phase(plane) == (5, 3)
