"""A standard error for every pixel of any array that can be restored."""

from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import zarr
from scipy.stats import spearmanr
from skimage.data import astronaut, camera

from napari_deartifact import (
    JPEGInfo,
    Restoration,
    deartifact,
    estimate_jpeg,
    list_models,
    load_model,
    restore_with_uncertainty,
)
from napari_deartifact.degradation import jpeg_encode, jpeg_round_trip
from napari_deartifact.models.error_network import HEAD, error_head_card
from napari_deartifact.standard_errors import SMALLEST_ERROR
from napari_deartifact.uncertainty import uncertainty_steps

GREY = camera()[96:224, 160:320]
COLOR = astronaut()[96:224, 160:320]
STACK = np.stack([jpeg_round_trip(GREY, 20), jpeg_round_trip(GREY[::-1], 20)])
OPTIONS = {"device": "cpu"}


def info_of(image, quality):
    subsampling = "4:2:0" if image.ndim == 3 else None
    return JPEGInfo.from_quality(
        quality, height=image.shape[0], width=image.shape[1], subsampling=subsampling
    )


def restored(image, quality, **options):
    decoded = jpeg_round_trip(image, quality)
    axis = -1 if image.ndim == 3 else None
    options = {"jpeg": info_of(image, quality), "channel_axis": axis, "data_range": 255} | OPTIONS | options
    return decoded, restore_with_uncertainty(decoded, "compact-cnn", **options)


@pytest.mark.parametrize("source", ["both", "quantization", "network"])
@pytest.mark.parametrize("image", [GREY, COLOR], ids=["grey", "colour"])
def test_intervals_hold_and_errors_rank(image, source):
    for quality in (10, 40, 75):
        decoded, answer = restored(image, quality, source=source)
        plain = deartifact(
            decoded, "compact-cnn", jpeg=info_of(image, quality),
            channel_axis=-1 if image.ndim == 3 else None, **OPTIONS,
        )  # fmt: skip
        np.testing.assert_array_equal(answer.image, plain)
        error = np.abs(answer.image - image.astype(float))
        sigma = answer.standard_error
        assert (sigma.dtype, sigma.shape) == (np.float32, image.shape)
        assert 0.45 < (error <= sigma).mean() < 0.95
        assert 0.75 < (error <= 2 * sigma).mean() < 1
        assert spearmanr(sigma.ravel(), error.ravel()).statistic > 0.25


LAYOUTS = {
    "stack": (STACK, {}),
    "uint16": (STACK.astype(np.uint16) * 257, {}),
    "float": (STACK[0] / np.float32(255), {"data_range": 1}),
    "float64": (STACK[0].astype(np.float64), {"data_range": 255}),
    "channels first": (jpeg_round_trip(COLOR, 20).transpose(2, 0, 1), {"channel_axis": 0}),
    "alpha": (np.dstack([jpeg_round_trip(COLOR, 20), GREY]), {"channel_axis": -1}),
    "odd": (STACK[:, :101, :77], {}),
    "tiny": (STACK[0, :5, :3], {"force": True}),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_any_array(case):
    image, options = LAYOUTS[case]
    answer = restore_with_uncertainty(image, "compact-cnn", **options, **OPTIONS)
    np.testing.assert_array_equal(
        answer.image, deartifact(image, "compact-cnn", **options, **OPTIONS), strict=True
    )
    assert answer.standard_error.shape == image.shape
    sigma = answer.standard_error
    if case == "alpha":
        assert (sigma[..., 3] == 0).all()
        sigma = sigma[..., :3]
    assert (sigma > 0).all()


def test_standard_error_is_in_the_units_of_the_image():
    info = info_of(GREY, 20)
    levels, wide, unit = (
        restore_with_uncertainty(image, "compact-cnn", data_range=top, jpeg=info, **OPTIONS).standard_error
        for image, top in (
            (STACK[0].astype(np.float32), 255),
            (STACK[0] * 257.0, 65535),
            (STACK[0] / 255.0, 1),
        )
    )
    np.testing.assert_allclose(wide, 257 * levels, rtol=1e-3)
    np.testing.assert_allclose(unit, levels / 255, rtol=1e-3)


def test_estimated_tables_do_as_well():
    clean = camera()[:256, :256]
    decoded = jpeg_round_trip(clean, 30)
    known, estimated = (
        restore_with_uncertainty(
            decoded, "compact-cnn", jpeg=jpeg, consistency=False, source="quantization", **OPTIONS
        ).standard_error
        for jpeg in (info_of(clean, 30), None)
    )
    np.testing.assert_allclose(estimated, known, rtol=0.2)


def test_tile_size_does_not_matter():
    options = {"channel_axis": -1, "jpeg": info_of(COLOR, 20), "consistency": False} | OPTIONS
    decoded = jpeg_round_trip(COLOR, 20)
    whole, tiled = (
        restore_with_uncertainty(
            decoded.astype(np.float32), "compact-cnn", data_range=255, tile_size=size, **options
        )
        for size in (None, 32)
    )
    np.testing.assert_allclose(tiled.standard_error, whole.standard_error, rtol=1e-3)


def test_nan_stays_where_it_was():
    image = STACK[0].astype(np.float32)
    image[3, 4], image[50:60, 70] = np.inf, np.nan
    answer = restore_with_uncertainty(image, "compact-cnn", data_range=255, jpeg=info_of(GREY, 20), **OPTIONS)
    np.testing.assert_array_equal(np.isnan(answer.standard_error), ~np.isfinite(image))


def test_picture_without_history_has_the_networks_part_alone():
    both, network = (
        restore_with_uncertainty(GREY, "compact-cnn", source=source, force=True, **OPTIONS).standard_error
        for source in ("both", "network")
    )
    np.testing.assert_array_equal(both, network)
    with pytest.warns(UserWarning, match="jpeg="):
        answer = restore_with_uncertainty(GREY, "compact-cnn", source="quantization", force=True, **OPTIONS)
    assert np.isnan(answer.standard_error).all()


class InMemory:
    """What of an xarray of a numpy array matters."""

    dims, coords, data = ("y", "x"), {}, STACK[0]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype)

    def __dask_graph__(self):
        return None


def test_named_axes_are_no_obstacle():
    answer = restore_with_uncertainty(InMemory(), "compact-cnn", **OPTIONS)
    expected = restore_with_uncertainty(STACK[0], "compact-cnn", **OPTIONS)
    np.testing.assert_array_equal(answer.image, expected.image, strict=True)
    np.testing.assert_array_equal(answer.standard_error, expected.standard_error)


@pytest.fixture
def asked(monkeypatch):
    """What `estimate_jpeg` was asked to look at."""
    pictures = []

    def counted(image, **options):
        pictures.append(image)
        return estimate_jpeg(image, **options)

    monkeypatch.setattr("napari_deartifact.jpeg.estimation.estimate_jpeg", counted)
    return pictures


def test_history_is_looked_at_once(asked):
    restore_with_uncertainty(STACK[0], "compact-cnn", **OPTIONS)
    assert len(asked) == 1


def test_history_that_is_known_is_not_looked_at(asked):
    known = {0: estimate_jpeg(GREY)}
    assert known[0].history == "none"
    with pytest.warns(UserWarning, match="no JPEG history"):
        answer = restore_with_uncertainty(STACK[0], "compact-cnn", estimates=known, **OPTIONS)
    assert asked == []
    np.testing.assert_array_equal(answer.image, STACK[0])
    np.testing.assert_allclose(answer.standard_error, SMALLEST_ERROR, rtol=1e-6)


@pytest.mark.parametrize("image", [np.full((16, 16), 3.0), np.zeros((0, 8), np.uint8)], ids=["flat", "empty"])
def test_nothing_to_restore(image):
    answer = restore_with_uncertainty(image, "compact-cnn", **OPTIONS)
    assert answer.standard_error.shape == image.shape
    assert np.isnan(answer.standard_error).all()


def test_a_clean_picture_of_16_bits_is_as_sure_as_its_own_levels():
    clean = GREY.astype(np.uint16) * 256 + np.random.default_rng(0).integers(0, 256, GREY.shape)
    with pytest.warns(UserWarning, match="no JPEG history"):
        answer = restore_with_uncertainty(clean.astype(np.uint16), "compact-cnn", **OPTIONS)
    np.testing.assert_array_equal(answer.standard_error, SMALLEST_ERROR)


def test_integers_are_never_surer_than_their_rounding():
    narrow = (100 + STACK[0] / 25).astype(np.uint16)
    channels = np.stack([narrow, np.zeros_like(narrow)])
    answer = restore_with_uncertainty(channels, "compact-cnn", channel_axis=0, force=True, **OPTIONS)
    assert (answer.standard_error >= SMALLEST_ERROR).all()


@pytest.mark.parametrize("shift", [(0, 0), (3, 5)])
def test_tables_do_not_count_where_an_earlier_compression_shows(shift):
    original = camera()[100:356, 100:356]
    once = jpeg_round_trip(original, 20)[shift[0] :, shift[1] :]
    twice, original = jpeg_round_trip(once, 75).astype(np.float32), original[shift[0] :, shift[1] :]
    answer = restore_with_uncertainty(twice, "general", data_range=255, **OPTIONS)
    inside = np.abs(answer.image - original) <= 2 * answer.standard_error
    assert inside.mean() > 0.75


def test_steps_count_to_the_end_and_can_be_left():
    steps = uncertainty_steps(STACK, "compact-cnn", tile_size=64, jpeg=info_of(GREY, 20), **OPTIONS)
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            assert isinstance(end.value, Restoration)
            break
    counts = [step.done for step in told]
    assert counts[0] == 0
    assert counts == sorted(set(counts))
    assert {step.total for step in told} == {told[-1].done}
    steps = uncertainty_steps(STACK, "compact-cnn", tile_size=64, **OPTIONS)
    next(steps)
    steps.close()


def test_path_of_a_jpeg(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_encode(GREY, 20))
    answer = restore_with_uncertainty(STACK[0], "compact-cnn", jpeg=path, **OPTIONS)
    expected = restored(GREY, 20)[1]
    np.testing.assert_array_equal(answer.standard_error, expected.standard_error)


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (GREY, {"source": "luck"}, ValueError, "quantization"),
        (da.from_array(GREY), {}, TypeError, "compute"),
        (zarr.array(GREY, chunks=(64, 64)), {}, TypeError, "lazy array"),
        (SimpleNamespace(dims=(), coords={}, data=da.from_array(GREY)), {}, TypeError, "lazy array"),
        (GREY, {"strength": 2}, ValueError, "strength"),
        (GREY, {"strenght": 0.5}, TypeError, "unknown option 'strenght'.*did you mean 'strength'"),
    ],
)
def test_bad_arguments(image, options, error, message):
    with pytest.raises(error, match=message):
        restore_with_uncertainty(image, "compact-cnn", **options, **OPTIONS)


@pytest.mark.parametrize(
    ("model", "options", "advice"),
    [
        ("pair", {"perceptual": 0.5}, r"\(perceptual=0\)"),
        ("pair-perceptual", {}, "or use 'pair'"),
        (lambda: load_model("pair", "cpu", perceptual=0.1), {}, r"\(perceptual=0\)"),
        (lambda: load_model("pair-perceptual", "cpu"), {"source": "quantization"}, "or use 'pair'"),
    ],
    ids=["named", "the twin", "loaded", "the twin loaded"],
)
def test_perceptual_models_are_refused(pair, model, options, advice):
    with pytest.raises(ValueError, match=f"learnt from faithful answers.*{advice}"):
        restore_with_uncertainty(GREY, model if isinstance(model, str) else model(), **options, **OPTIONS)


def test_a_model_with_a_twin_is_as_good_as_any(pair):
    answer = restore_with_uncertainty(STACK, "pair", perceptual=0, **OPTIONS)
    np.testing.assert_array_equal(answer.image, deartifact(STACK, "pair", **OPTIONS))


def test_shipped_head_is_no_restorer_and_says_what_it_learned_from():
    assert HEAD.stat().st_size < 200_000
    assert "error-head" not in [model.name for model in list_models()]
    card = error_head_card()
    assert {"compact-cnn", "spp"} <= set(card.recipe["restorers"])
    assert card.data
