"""Traces of resampled codecs."""

import numpy as np
import pytest
from skimage.data import camera
from skimage.transform import rotate

from napari_deartifact.jpeg.traces import find_traces


def mosaic(period, side=256):
    levels = np.random.default_rng(0).normal(0, 3, (side, side))
    index = (np.arange(side) / period).astype(int)
    return levels[np.ix_(index, index)].astype(np.float32)


CLEAN = camera()[:256, 128:384].astype(np.float32)


@pytest.mark.parametrize("period", [4, 5.6, 8, 9.6, 12, 16])
def test_a_grid_of_any_period_shows(period):
    clean, traces = find_traces([CLEAN]), find_traces([CLEAN + mosaic(period)])
    assert traces.grid > clean.grid + 1
    assert traces.upright_grid > clean.upright_grid + 1


@pytest.mark.parametrize("angle", [3, 20, 45])
def test_a_turned_grid_shows(angle):
    turned = rotate(mosaic(8, 512), angle, order=1, preserve_range=True)[128:384, 128:384]
    assert find_traces([CLEAN + turned.astype(np.float32)]).grid > find_traces([CLEAN]).grid + 1


def test_noise_is_told_in_order():
    noise = np.random.default_rng(0).normal(size=CLEAN.shape).astype(np.float32)
    traces = [find_traces([CLEAN + sigma * noise]) for sigma in (0.5, 4, 16)]
    for name in ("noise", "quiet_noise", "fineness"):
        assert np.all(np.diff([getattr(each, name) for each in traces]) > 0)


def test_unknown_pixels_are_left_out():
    holed = CLEAN.copy()
    holed[:100, :100] = np.nan
    assert find_traces([holed]).grid == pytest.approx(find_traces([CLEAN]).grid, abs=1.5)


@pytest.mark.parametrize(
    "plane", [CLEAN[:60], np.full((256, 256), np.nan, np.float32)], ids=["small", "unknown"]
)
def test_nothing_to_look_at(plane):
    assert find_traces([plane]) is None
