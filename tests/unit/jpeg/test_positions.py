"""How rough pictures are at each place within squares of 8×8, and what a few neurons make of it."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage.data import camera

from napari_deartifact.jpeg import trace_network
from napari_deartifact.jpeg.calibration import probability_of_compression
from napari_deartifact.jpeg.positions import FILTERS, TRANSPOSED, position_maps
from napari_deartifact.jpeg.trace_network import log_odds, shifts, tamed
from napari_deartifact.jpeg.traces import find_traces

CLEAN = camera()[:256, 128:384].astype(np.float32) - 128
NOISE = np.random.default_rng(0).normal(0, 9, (256, 256)).astype(np.float32)
FEATURES = np.array([8, 0, 0, 0, 0, 0.0])


def halved(quality):
    picture = Image.fromarray(camera())
    if quality is not None:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        picture = Image.open(stream)
    return np.asarray(picture.resize((256, 256), Image.Resampling.BICUBIC), np.float32) - 128


def test_noise_has_no_lattice():
    scores = position_maps([NOISE])
    assert scores.shape == (len(FILTERS), 8, 8)
    assert scores.std() == pytest.approx(1, abs=0.35)  # standard errors, of responses that overlap
    assert np.abs(scores).max() < 5


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_lattice_shows_where_it_lies(period):
    index = np.arange(256) // period
    scores = position_maps([NOISE + NOISE[np.ix_(index, index)]])
    columns = np.abs(scores[0]).mean(axis=0)  # slopes across, between two columns
    edges = (np.arange(8) + 1) % period == 0
    assert scores[0][:, edges].min() > 0
    assert columns[edges].min() > 3
    if period > 2:
        assert scores[0][:, ~edges].mean(axis=0).max() < 0


def test_a_shifted_picture_has_shifted_maps():
    picture = NOISE + NOISE[np.ix_(np.arange(256) // 8, np.arange(256) // 8)]
    shifted = np.roll(position_maps([picture]), (-3, -5), axis=(1, 2))
    assert np.corrcoef(position_maps([picture[3:, 5:]]).ravel(), shifted.ravel())[0, 1] > 0.99


def test_a_transposed_picture_has_transposed_maps():
    scores, other = position_maps([CLEAN]), position_maps([np.ascontiguousarray(CLEAN.T)])
    np.testing.assert_allclose(other, scores[list(TRANSPOSED)].swapaxes(1, 2), atol=1e-4)


def test_tiles_add_up():
    """Twice the same is the same, as sure as twice as much; what is brighter or unknown tells nothing."""
    once = position_maps([CLEAN])
    np.testing.assert_allclose(position_maps([CLEAN, CLEAN]), once * np.sqrt(2), rtol=1e-3, atol=1e-3)
    unknown = np.full((64, 64), np.nan, np.float32)
    np.testing.assert_array_equal(position_maps([CLEAN, unknown]), once)
    assert not position_maps([unknown]).any()


def test_unknown_pixels_are_left_out():
    holed = CLEAN.copy()
    holed[40:90, 100:180] = np.nan
    scores = position_maps([holed])
    assert np.isfinite(scores).all()
    assert np.corrcoef(scores.ravel(), position_maps([CLEAN]).ravel())[0, 1] > 0.7


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_a_halved_jpeg_is_told_from_a_halved_picture(quality):
    clean, traces = (log_odds(position_maps([halved(each)]), FEATURES) for each in (None, quality))
    assert traces > clean + 2


def test_where_a_lattice_begins_does_not_matter():
    maps = position_maps([halved(30)])
    expected = log_odds(maps, FEATURES)
    for shift in ((1, 0), (3, 6), (7, 7)):
        assert log_odds(np.roll(maps, shift, axis=(1, 2)), FEATURES) == pytest.approx(expected, abs=1e-4)


def test_all_shifts_are_tried_once():
    maps = np.arange(2 * 64, dtype=np.float32).reshape(2, 8, 8)
    turned = shifts(maps)
    assert turned.shape == (64, 128)
    assert len({tuple(row) for row in turned}) == 64
    np.testing.assert_array_equal(turned[8 * 2 + 5], np.roll(maps, (-2, -5), axis=(1, 2)).ravel())


def test_strong_signs_are_tamed():
    np.testing.assert_allclose(tamed(np.array([-2.0, 0, 2], np.float32)), [-np.log(2), 0, np.log(2)])
    assert tamed(np.array(1e4)) < 10


def test_a_plain_grid_tells_by_itself():
    """Noise speaks for an original, and here against a grid that nobody could miss."""
    traces = find_traces([halved(None)])
    assert probability_of_compression(traces) < 0.5
    assert probability_of_compression(replace(traces, grid=13.0)) > 0.9


def test_the_weights_say_what_they_were_fitted_to():
    with np.load(trace_network.WEIGHTS, allow_pickle=False) as file:
        card = json.loads(str(file["card"]))
    assert card["examples"] > 1000
    assert all(source["licence"] for source in card["data"])
    assert card["found at 5 % false alarms"]["none"] == pytest.approx(5, abs=0.2)
