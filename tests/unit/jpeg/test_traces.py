"""Traces of resampled codecs."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Resampling
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
    assert find_traces([CLEAN + mosaic(period)]).grid > find_traces([CLEAN]).grid + 1


@pytest.mark.parametrize("quality", [30, 50, 75])
@pytest.mark.parametrize("resampling", [Resampling.BOX, Resampling.BICUBIC, Resampling.LANCZOS])
def test_a_halved_grid_shows(quality, resampling):
    stream = io.BytesIO()
    Image.fromarray(camera()).save(stream, "JPEG", quality=quality)
    halves = [
        np.asarray(picture.resize((256, 256), resampling), np.float32)
        for picture in (Image.fromarray(camera()), Image.open(stream))
    ]
    clean, traces = (find_traces([half]) for half in halves)
    assert traces.halved_grid > max(clean.halved_grid, 0) + 5
    assert traces.grid > clean.grid + 1


@pytest.mark.parametrize("period", [5.6, 8, 12])
def test_no_other_grid_passes_for_a_halved_one(period):
    other, halved = (find_traces([CLEAN + mosaic(each)]) for each in (period, 4))
    assert other.halved_grid < halved.halved_grid - 5


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
