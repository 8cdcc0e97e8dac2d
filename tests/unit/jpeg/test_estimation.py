"""The JPEG history that pixels tell: grid, tables, sampling, and the absence of any."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera, cell, chelsea, coffee
from skimage.filters import gaussian

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.degradation.codecs import find_codec
from napari_deartifact.jpeg.estimation import estimate_jpeg
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import STANDARD_LUMA, quality_table


def compressed(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    return np.array(Image.open(stream))


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95])
@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (8, 7)])
@pytest.mark.parametrize("clean", [camera(), astronaut()[..., 1]], ids=["camera", "astronaut"])
def test_grid_and_quality(clean, quality, corner):
    degraded = compressed(clean, quality=quality)[corner[0] :, corner[1] :][:256, :256]
    estimate = estimate_jpeg(degraded)
    assert estimate.is_jpeg
    assert estimate.grid == (-corner[0] % 8, -corner[1] % 8)
    assert estimate.quality == pytest.approx(quality, abs=2)
    assert estimate.sampling == "grey"
    assert estimate.history == "jpeg"
    assert not estimate.double
    assert estimate.confidence > 0.9


@pytest.mark.parametrize("quality", [25, 80])
@pytest.mark.parametrize(
    ("factor", "summand", "dtype"),
    [
        (1, 0, np.uint16),
        (4, 0, np.uint16),
        (16, 0, np.uint16),
        (256, 0, np.uint16),
        (257, 0, np.uint16),
        (4095 / 255, 0, np.uint16),
        (200, 1000, np.uint16),
        (1, -1024, np.int16),
        (1 / 255, 0, np.float32),
        (0.7, 0, np.float32),
        (0.7, -3.3, np.float64),
        (1000 / 255, 0, np.float32),
    ],
)
@pytest.mark.parametrize("hot", [False, True])
def test_levels_in_other_containers(quality, factor, summand, dtype, hot):
    degraded = compressed(cell()[200:456, 100:356], quality=quality)
    stored = degraded.astype(np.float64) * factor + summand
    stored = (np.rint(stored) if np.issubdtype(dtype, np.integer) else stored).astype(dtype)
    if hot:
        stored[30, 40] = 30_000
    estimate = estimate_jpeg(stored)
    assert (estimate.history, estimate.quality, estimate.grid) == ("jpeg", quality, (0, 0))
    black, white = estimate.data_range
    assert white - black == pytest.approx(255 * factor, rel=1e-3)
    if summand == 0:
        assert black == 0


@pytest.mark.parametrize(("factor", "white"), [(16, 4095), (16, 65535), (4, 1023), (257, 65535)])
def test_multiplied_levels_are_seen_within_any_range_that_is_given(factor, white):
    degraded = compressed(camera()[96:168, 200:272], quality=10)
    estimate = estimate_jpeg(degraded.astype(np.uint16) * factor, data_range=white)
    assert (estimate.history, estimate.quality, estimate.data_range) == ("jpeg", 10, (0, 255 * factor))


@pytest.mark.parametrize("seed", range(3))
def test_fine_levels_of_many_bits_are_no_trace_of_a_codec(seed):
    """An eighth of a level of 8 bits is noise enough for 12."""
    noise = np.random.default_rng(seed).normal(0, 2, (256, 256))
    deep = 16 * gaussian(camera()[:256, :256].astype(np.float64), 0.7) + noise
    estimate = estimate_jpeg(np.rint(deep).clip(0, 4095).astype(np.uint16), data_range=4095)
    assert estimate.history == "none"


def test_stretched_and_clean_is_not_taken_for_restored():
    smooth = compressed(cell()[200:456, 100:356], quality=30)
    blurred = np.asarray(Image.fromarray(smooth).resize((300, 300), Image.Resampling.BICUBIC))
    for factor in (4, 16, 1000 / 255):
        assert estimate_jpeg((blurred * factor).astype(np.uint16)).history != "restored"


@pytest.mark.parametrize("clean", [camera(), cell(), chelsea()[..., 1], coffee()[..., 0]])
def test_uncompressed(clean):
    estimate = estimate_jpeg(clean)
    assert not estimate.is_jpeg
    assert estimate.quality is estimate.grid is estimate.tables is None
    assert estimate.history == "none"
    assert estimate.confidence > 0.6


@pytest.mark.parametrize(
    ("dtype", "scale", "noise"), [(np.uint16, 150, 200), (np.uint16, 16, 20), (np.float32, 0.01, 0.02)]
)
def test_uncompressed_in_other_dtypes(dtype, scale, noise):
    picture = camera()[:256, :256] * float(scale)
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    assert estimate_jpeg(np.clip(picture, 0, None).astype(dtype)).history == "none"


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_tones_changed_after_jpeg(quality):
    degraded = compressed(camera()[:256, :256], quality=quality)
    brightened = np.rint(255 * (degraded / 255) ** 0.7).astype(np.uint8)
    assert estimate_jpeg(brightened).history == "uncertain"


@pytest.mark.parametrize("quality", [10, 20, 30])
@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[100:356, 100:356]], ids=["whole", "crop"])
def test_smooth_pictures_of_which_little_but_flat_blocks_is_left(quality, part):
    estimate = estimate_jpeg(compressed(np.ascontiguousarray(cell()[part]), quality=quality)[3:, 5:])
    assert (estimate.quality, estimate.grid) == (quality, (5, 3))
    assert estimate.confidence > 0.8


@pytest.mark.parametrize(("first", "second"), [(10, 30), (30, 50), (50, 75), (75, 90), (30, 75)])
@pytest.mark.parametrize("shift", [(0, 0), (3, 5), (0, 4)])
def test_compressed_twice(first, second, shift):
    once = compressed(camera(), quality=first)[shift[0] :, shift[1] :]
    estimate = estimate_jpeg(compressed(np.ascontiguousarray(once[:256, 128:384]), quality=second))
    assert (estimate.double, estimate.quality) == (True, second)
    assert estimate.first_grid == tuple(-cut % 8 for cut in shift)


@pytest.mark.parametrize("quality", [10, 30])
@pytest.mark.parametrize("scale", [0.5, 0.7, 0.9, 1.2, 1.5, 2.0])
def test_resized_after_jpeg(quality, scale):
    picture = Image.fromarray(compressed(camera(), quality=quality))
    resized = np.array(picture.resize([round(512 * scale)] * 2, Image.Resampling.BICUBIC))[:256, :256]
    assert estimate_jpeg(resized).history == "uncertain"


@pytest.mark.parametrize("quality", [50, 75])
@pytest.mark.parametrize("scale", [0.5, 0.7, 0.85])
@pytest.mark.parametrize("clean", [camera(), astronaut()[..., 1], coffee()[..., 0]])
def test_shrunk_after_fine_jpeg(clean, quality, scale):
    picture = Image.fromarray(compressed(clean, quality=quality))
    size = tuple(round(side * scale) for side in picture.size)
    for resampling in (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS):
        assert estimate_jpeg(np.array(picture.resize(size, resampling))[:256, :256]).history == "uncertain"


def test_shrunk_without_jpeg():
    """Coffee by 0.85 is uncertain; nobody knows what it had been before it came to scikit-image."""
    told = {}
    for name, clean in {"camera": camera(), "chelsea": chelsea()[..., 1], "coffee": coffee()[..., 0]}.items():
        for scale in (0.5, 0.7, 0.85):
            size = tuple(round(side * scale) for side in clean.shape[::-1])
            small = Image.fromarray(clean).resize(size, Image.Resampling.BICUBIC)
            told[name, scale] = estimate_jpeg(np.array(small)).history
    assert {case for case, history in told.items() if history != "none"} <= {("coffee", 0.85)}


@pytest.mark.parametrize("angle", [2, 20, 45])
def test_turned_after_jpeg(angle):
    picture = Image.fromarray(compressed(camera(), quality=20)).rotate(angle, Image.Resampling.BICUBIC)
    assert estimate_jpeg(np.array(picture)[100:-100, 100:-100]).history == "uncertain"


def test_constant_border():
    degraded = compressed(camera(), quality=40)[2:258, 100:356].copy()
    degraded[:20] = degraded[:, -30:] = 17
    estimate = estimate_jpeg(degraded)
    assert (estimate.quality, estimate.grid) == (40, (6, 4))


@pytest.mark.parametrize("quality", [20, 50, 85])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_colour(quality, subsampling):
    degraded = compressed(coffee(), quality=quality, subsampling=subsampling)[5:, 2:]
    estimate = estimate_jpeg(degraded, channel_axis=-1)
    assert estimate.quality == pytest.approx(quality, abs=2)
    assert estimate.sampling == subsampling
    assert estimate.grid == (3, 6)
    info = estimate.to_jpeg_info(*degraded.shape[:2])
    assert info.grid == (3, 6)
    assert info.subsampling == subsampling
    assert info.offset[0] in (5, 13)


def test_a_table_of_its_own():
    table = np.rint(STANDARD_LUMA * np.random.default_rng(0).uniform(0.3, 0.8, (8, 8))).astype(int)
    degraded = compressed(camera(), qtables=[table.ravel().tolist()])
    estimated = np.array(estimate_jpeg(degraded).tables[0]).reshape(8, 8)
    assert (estimated == table)[:4, :4].all()
    assert np.abs(np.log(estimated / table)).mean() < 0.2


def test_standard_tables_come_back_whole():
    estimate = estimate_jpeg(compressed(camera(), quality=30))
    assert estimate.tables == (tuple(quality_table(30).ravel()),)


@pytest.mark.parametrize(
    ("dtype", "scale", "data_range"),
    [
        (np.uint8, 1, None),
        (np.uint8, 1, 255),
        (np.uint16, 1, None),
        (np.uint16, 257, 65535),
        (np.uint16, 257, None),
        (np.float32, 1 / 255, None),
        (np.float32, 1 / 255, 1.0),
        (np.float64, 1.0, None),
        (np.float64, 2.0, (0.0, 510.0)),
    ],
)
def test_any_dtype_tells_the_same(dtype, scale, data_range):
    degraded = compressed(camera(), quality=40)[:200, 3:300]
    estimate = estimate_jpeg((degraded.astype(float) * scale).astype(dtype), data_range=data_range)
    assert (estimate.quality, estimate.grid) == (40, (0, 5))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_channel_axis(axis):
    degraded = np.moveaxis(compressed(astronaut(), quality=40)[:200, :200], -1, axis)
    assert estimate_jpeg(degraded, channel_axis=axis).quality == pytest.approx(40, abs=2)


def test_alpha_says_nothing():
    degraded = compressed(astronaut(), quality=40)[:200, :200]
    with_alpha = np.dstack([degraded, np.full((200, 200), 255, np.uint8)])
    assert estimate_jpeg(with_alpha, channel_axis=-1) == estimate_jpeg(degraded, channel_axis=-1)


def test_nan_is_not_read():
    degraded = compressed(camera(), quality=40).astype(float)
    degraded[100:150, 100:200] = np.nan
    degraded[300:, 300:] = np.inf
    estimate = estimate_jpeg(degraded)
    assert (estimate.quality, estimate.grid) == (40, (0, 0))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.full((64, 64), np.nan),
        np.full((40, 50), 7.5),
        np.zeros((0, 5)),
        compressed(camera(), quality=10)[:12, :300],
        np.random.default_rng(0).integers(0, 2, (128, 128)).astype(np.uint8) * 255,
        np.tile(np.arange(128, dtype=np.uint8), (128, 1)),
        np.kron(np.arange(64).reshape(8, 8), np.ones((8, 8))).astype(np.uint8) * 3,
    ],
    ids=["black", "nan", "constant", "empty", "thin", "binary", "ramp", "blocks"],
)
def test_nothing_to_tell(image):
    estimate = estimate_jpeg(image)
    assert estimate.history == "uncertain"
    with pytest.raises(ValueError, match="no JPEG history"):
        estimate.to_jpeg_info(8, 8)


def test_a_large_picture_is_read_in_parts():
    degraded = compressed(np.tile(camera(), (4, 3)), quality=60)[1:, 2:]
    estimate = estimate_jpeg(degraded)
    assert (estimate.quality, estimate.grid) == (60, (7, 6))


def test_a_large_picture_with_all_texture_in_its_last_rows():
    degraded = np.full((530, 2560), 128, np.uint8)
    degraded[512:] = compressed(np.tile(camera()[:18], (1, 5)), quality=50)
    degraded[:256, :512] = compressed(camera()[:256], quality=50)
    estimate = estimate_jpeg(degraded)
    assert (estimate.quality, estimate.grid) == (50, (0, 0))


def test_the_record_is_a_jpeg_info():
    info = estimate_jpeg(compressed(camera(), quality=25)).to_jpeg_info(512, 512)
    assert info == JPEGInfo.from_quality(25, height=512, width=512)


@pytest.mark.parametrize(
    ("image", "channel_axis", "error", "match"),
    [
        (np.zeros((2, 9, 9)), None, ValueError, "channel_axis"),
        (np.zeros((2, 9, 9)), 0, ValueError, "2 channels"),
        (np.zeros((9, 9)), -1, ValueError, "3 axes"),
        (np.zeros((9, 9), complex), None, TypeError, "complex"),
    ],
)
def test_not_one_picture(image, channel_axis, error, match):
    with pytest.raises(error, match=match):
        estimate_jpeg(image, channel_axis=channel_axis)


SMEARS = {
    "a noise of one level": lambda pixels: pixels + np.random.default_rng(0).normal(0, 1, pixels.shape),
    "six bits": lambda pixels: pixels & 0xFC,
    "other tones": lambda pixels: 255 * (pixels / 255) ** 0.9,
    "WebP": lambda pixels: find_codec("webp").round_trip(pixels, 90),
}


@pytest.mark.parametrize("smear", SMEARS)
@pytest.mark.parametrize("quality", [20, 50, 75])
def test_a_jpeg_that_was_smeared_is_not_taken_for_restored(quality, smear):
    degraded = compressed(camera()[:256, :256], quality=quality)
    estimate = estimate_jpeg(np.rint(SMEARS[smear](degraded)).clip(0, 255).astype(np.uint8))
    assert estimate.history in ("jpeg", "uncertain")
    assert estimate.confidence > 0.5


@pytest.mark.parametrize("quality", [20, 75, 90])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_channel_of_a_colour_jpeg_is_not_taken_for_restored(quality, channel):
    degraded = compressed(astronaut()[:256, :256], quality=quality)
    estimate = estimate_jpeg(degraded[..., channel])
    assert estimate.history in ("jpeg", "uncertain")
    assert estimate.confidence > 0.5


@pytest.mark.parametrize(("first", "second"), [(10, 30), (50, 75), (30, 90)])
@pytest.mark.parametrize("clean", [camera(), chelsea()[..., 1], coffee()[..., 0]], ids=["man", "cat", "cup"])
def test_compressed_twice_on_one_grid(clean, first, second):
    clean = np.ascontiguousarray(clean[:288, 100:388])
    once = compressed(clean, quality=first)
    estimate = estimate_jpeg(compressed(once, quality=second)[3:, 6:])
    assert estimate.grid == estimate.first_grid == (5, 2)


@pytest.mark.parametrize("unit", [1e300, 1e-298, 3.7e11, 1e-12])
def test_units_of_any_size(unit):
    estimate = estimate_jpeg(compressed(camera()[100:228, 100:228], quality=30) * unit)
    assert (estimate.is_jpeg, estimate.quality) == (True, 30)


def flat_chroma(pixels):
    tables = [quality_table(75).ravel().tolist(), [40] * 64]
    return compressed(pixels, qtables=tables, subsampling=0)


def every_fourth_chroma(pixels):
    return imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(pixels, level=85, subsampling="411"))


@pytest.mark.parametrize("clean", [coffee()[40:232, 120:312], astronaut()[:192, 150:342]])
def test_chroma_is_known_where_it_is_libjpegs(clean):
    pixels = np.ascontiguousarray(clean)
    assert estimate_jpeg(compressed(pixels, quality=75, subsampling=0), channel_axis=-1).knows_chroma
    for other in (flat_chroma, every_fourth_chroma):
        estimate = estimate_jpeg(other(pixels), channel_axis=-1)
        assert estimate.is_jpeg
        assert not estimate.knows_chroma


def test_masked_pixels_are_refused():
    with pytest.raises(TypeError, match="masked pixels"):
        estimate_jpeg(np.ma.masked_less(camera(), 20))


@pytest.mark.parametrize("shape", [(10, 100_000), (100_000, 10)])
def test_a_strip_is_too_low_to_tell(shape):
    assert estimate_jpeg(np.zeros(shape, np.uint8)).history == "uncertain"


def test_a_range_as_an_array_of_no_axes():
    degraded = jpeg_round_trip(camera()[:128, :128], 20)
    assert estimate_jpeg(degraded, data_range=np.array(255)) == estimate_jpeg(degraded, data_range=255)


@pytest.mark.parametrize("hole", [np.finfo(np.float32).min, -1e30, -9999.0])
def test_pixels_without_data_are_no_levels(hole):
    degraded = jpeg_round_trip(camera()[100:228, 200:328], 10).astype(np.float32)
    degraded[:10, :10] = hole
    assert estimate_jpeg(degraded).history in ("jpeg", "uncertain", "none")
