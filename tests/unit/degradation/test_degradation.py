"""libjpeg round trips, and degradations whose block grid starts where they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera

from napari_deartifact.degradation import (
    CODECS,
    MCU,
    SUBSAMPLINGS,
    Degradation,
    DegradationSampler,
    Encoding,
    jpeg_decode,
    jpeg_encode,
    jpeg_round_trip,
)
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import quality_table

GREY = camera()[100:164, 200:280]
COLOR = astronaut()[100:164, 200:280]


@pytest.mark.parametrize("quality", [1, 10, 50, 95, 100])
def test_round_trip_is_libjpegs(quality):
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, format="JPEG", quality=quality)
    np.testing.assert_array_equal(jpeg_round_trip(GREY, quality), np.array(Image.open(stream)))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_the_subsampling_asked_for_is_written(subsampling):
    assert JPEGInfo.from_bytes(jpeg_encode(COLOR, 75, subsampling=subsampling)).subsampling == subsampling


def test_the_tables_asked_for_are_written():
    tables = [quality_table(31).ravel().tolist(), quality_table(62, chroma=True).ravel().tolist()]
    written = JPEGInfo.from_bytes(jpeg_encode(COLOR, tables=tables)).tables
    assert [list(table) for table in written] == [tables[0], tables[1], tables[1]]


@pytest.mark.parametrize("image", [GREY, COLOR, GREY[:1, :1], GREY[::-2, ::-1], COLOR[:, ::-1]])
def test_shape_and_dtype_come_back(image):
    degraded = jpeg_round_trip(image, 40)
    assert degraded.shape == image.shape
    assert degraded.dtype == np.uint8
    assert jpeg_decode(jpeg_encode(image, 40)).shape == image.shape


@pytest.mark.parametrize(
    ("image", "quality", "options", "error", "message"),
    [
        (GREY.astype(np.uint16), 50, {}, TypeError, "uint16"),
        (GREY[None], 50, {}, ValueError, r"\(1, 64, 80\)"),
        (GREY[:0], 50, {}, ValueError, r"\(0, 80\)"),
        (GREY, 0, {}, ValueError, "quality is 0"),
        (GREY, 101, {}, ValueError, "quality is 101"),
        (GREY, None, {}, ValueError, "or give tables"),
        (COLOR, 50, {"subsampling": "4:1:0"}, ValueError, "4:1:0"),
        (GREY, None, {"tables": [[1] * 63]}, ValueError, "63 steps"),
        (GREY, None, {"tables": [[0] * 64]}, ValueError, "from 0"),
        (COLOR, None, {"tables": [[9] * 64] * 2, "subsampling": "4:4:0"}, ValueError, "give a quality"),
    ],
)
def test_what_jpeg_cannot_do_is_refused(image, quality, options, error, message):
    with pytest.raises(error, match=message):
        jpeg_encode(image, quality, **options)


@pytest.mark.parametrize("phase", [(0, 0), (3, 5), (15, 15)])
def test_the_grid_starts_where_the_phase_says(phase):
    clean, degraded = Degradation((Encoding(20, phase=phase),)).apply(GREY)
    whole = jpeg_round_trip(GREY, 20)
    y, x = phase
    np.testing.assert_array_equal(degraded, whole[y : y + 48, x : x + 64])
    np.testing.assert_array_equal(clean, GREY[y : y + 48, x : x + 64])


def test_double_jpeg_is_one_jpeg_after_a_crop_of_another():
    first, second = Encoding(15, phase=(4, 4)), Encoding(60, phase=(1, 2))
    clean, degraded = Degradation((first, second)).apply(COLOR)
    between = jpeg_round_trip(COLOR, 15)[4 : 4 + 48, 4 : 4 + 64]
    np.testing.assert_array_equal(degraded, jpeg_round_trip(between, 60)[1 : 1 + 32, 2 : 2 + 48])
    np.testing.assert_array_equal(clean, COLOR[5 : 5 + 32, 6 : 6 + 48])


def test_no_encoding_changes_nothing():
    clean, degraded = Degradation().apply(GREY)
    assert clean is degraded is GREY


def test_a_picture_smaller_than_the_margin_is_refused():
    with pytest.raises(ValueError, match="more than 32"):
        Degradation((Encoding(10), Encoding(10))).apply(GREY[:32])


def test_samples_keep_to_what_was_asked():
    sampler = DegradationSampler(
        qualities=((5, 9, 3.0), (80, 90, 1.0)),
        subsamplings=("4:2:2", "4:4:4"),
        double_fraction=0.25,
        clean_fraction=0.125,
    )
    generator = np.random.default_rng(3)
    drawn = [sampler.sample(generator) for _ in range(4000)]
    encodings = [encoding for degradation in drawn for encoding in degradation.encodings]
    qualities = np.array([encoding.quality for encoding in encodings])
    assert set(qualities.tolist()) == {*range(5, 10), *range(80, 91)}
    assert np.mean(qualities < 10) == pytest.approx(0.75, abs=0.03)
    assert {encoding.subsampling for encoding in encodings} == {"4:2:2", "4:4:4"}
    assert {encoding.phase[0] for encoding in encodings} == set(range(MCU))
    counts = np.bincount([len(degradation.encodings) for degradation in drawn]) / len(drawn)
    np.testing.assert_allclose(counts, [0.125, 0.65625, 0.21875], atol=0.03)
    assert max(degradation.margin for degradation in drawn) == sampler.margin == 32


def test_the_same_seed_gives_the_same_samples():
    sampler = DegradationSampler(double_fraction=0.5)
    first, second = (
        [sampler.sample(generator) for _ in range(20)]
        for generator in (np.random.default_rng(8), np.random.default_rng(8))
    )
    assert first == second


def test_other_codecs_are_drawn_by_weight():
    sampler = DegradationSampler(
        qualities=((5, 9, 1.0),), codecs=(("webp", 20, 30, 2.0), ("avif", 40, 40, 1.0))
    )
    generator = np.random.default_rng(3)
    drawn = [sampler.sample(generator).encodings[0] for _ in range(2000)]
    shares = {
        name: np.mean([encoding.codec == name for encoding in drawn]) for name in ("jpeg", "webp", "avif")
    }
    assert shares == {
        name: pytest.approx(share, abs=0.04) for name, share in zip(shares, (0.25, 0.5, 0.25), strict=True)
    }
    assert {encoding.quality for encoding in drawn if encoding.codec == "webp"} == set(range(20, 31))


def test_codecs_leave_the_draws_of_jpeg_alone():
    """Old recipes and their seeds give the same batches as before there were other codecs."""
    encoding = DegradationSampler(unaligned_fraction=1.0).sample(np.random.default_rng(5)).encodings[0]
    generator = np.random.default_rng(5)
    generator.random(), generator.choice(1, p=[1.0])
    assert encoding.quality == generator.integers(5, 95, endpoint=True)
    generator.integers(1), generator.random()
    assert encoding.phase == tuple(generator.integers(MCU, size=2))


@pytest.mark.parametrize("unaligned", [0.0, 0.3, 1.0])
def test_the_last_grid_is_aligned_as_often_as_asked_and_an_earlier_one_in_half(unaligned):
    sampler = DegradationSampler(double_fraction=1.0, unaligned_fraction=unaligned)
    generator = np.random.default_rng(0)
    drawn = [sampler.sample(generator).encodings for _ in range(1000)]
    for encodings, share in zip(zip(*drawn, strict=True), (0.5, unaligned), strict=True):
        assert np.mean([encoding.phase != (0, 0) for encoding in encodings]) == pytest.approx(share, abs=0.05)


def test_a_codec_in_a_degradation_is_cut_like_jpeg():
    degradation = Degradation((Encoding(30, phase=(3, 5), codec="webp"), Encoding(60, phase=(1, 2))))
    clean, degraded = degradation.apply(COLOR)
    between = CODECS["webp"].round_trip(COLOR, 30)[3 : 3 + 48, 5 : 5 + 64]
    np.testing.assert_array_equal(degraded, jpeg_round_trip(between, 60)[1 : 1 + 32, 2 : 2 + 48])
    np.testing.assert_array_equal(clean, COLOR[4 : 4 + 32, 7 : 7 + 48])
