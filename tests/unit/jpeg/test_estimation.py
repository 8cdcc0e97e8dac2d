"""The JPEG history that pixels tell: grid, tables, sampling, and the absence of any."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera, cell, coffee

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
    assert estimate.confidence > 0.5


@pytest.mark.parametrize("clean", [camera(), cell(), astronaut()[..., 1], coffee()[..., 0]])
def test_uncompressed(clean):
    estimate = estimate_jpeg(clean)
    assert not estimate.is_jpeg
    assert estimate.quality is estimate.grid is estimate.tables is None
    assert estimate.confidence > 0.9


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
    assert not estimate.is_jpeg
    assert estimate.confidence < 0.9
    with pytest.raises(ValueError, match="no JPEG history"):
        estimate.to_jpeg_info(8, 8)


def test_a_large_picture_is_read_in_parts():
    degraded = compressed(np.tile(camera(), (4, 3)), quality=60)[1:, 2:]
    estimate = estimate_jpeg(degraded)
    assert (estimate.quality, estimate.grid) == (60, (7, 6))


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


def test_levels_that_were_multiplied_tell_no_tables():
    decoded = compressed(camera()[:256, 128:384], quality=10)
    assert not estimate_jpeg(decoded.astype(np.uint16) * 257).is_jpeg
