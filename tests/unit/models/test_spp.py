"""Average of shifted re-compressions: what it gains, and that tiles, grids and paths agree."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera

from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.models.spp import ShiftedRecompression
from napari_deartifact.tiling import restore_in_tiles


def compressed(image, quality, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, **options)
    decoded = np.atleast_3d(np.asarray(Image.open(stream)))
    return np.moveaxis(decoded, -1, 0).astype(np.float32) / 255, JPEGInfo.from_bytes(stream.getvalue())


def psnr(image, restored):
    clean = np.moveaxis(np.atleast_3d(image), -1, 0) / 255
    return -10 * np.log10(np.mean((clean - restored) ** 2))


def in_tiles(picture, info, tile_size):
    steps = restore_in_tiles(picture, ShiftedRecompression(), tile_size=tile_size, jpeg=info)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("quality", [10, 40, 90])
@pytest.mark.parametrize(
    ("image", "options"),
    [(camera(), {}), (astronaut(), {"subsampling": "4:2:0"}), (astronaut(), {"subsampling": "4:4:4"})],
    ids=["grey", "4:2:0", "4:4:4"],
)
def test_gain(image, options, quality):
    degraded, info = compressed(image, quality, **options)
    gain = psnr(image, ShiftedRecompression().restore(degraded[None], info)[0]) - psnr(image, degraded)
    assert gain > (0.3 if quality < 90 else 0.0)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (camera()[100:229, 200:307], {}),
        (astronaut()[:149, 100:227], {"subsampling": "4:2:0"}),
        (astronaut()[:149, 100:227], {"subsampling": "4:2:2"}),
    ],
    ids=["grey", "4:2:0", "4:2:2"],
)
@pytest.mark.parametrize("crop", [(0, 0), (3, 5), (8, 1)])
def test_tiles_give_the_whole_answer(image, options, crop):
    degraded, info = compressed(image, 10, **options)
    y, x = (slice(start, None) for start in crop)
    degraded, info = degraded[:, y, x], info.crop(y, x)
    whole = in_tiles(degraded, info, 4096)
    np.testing.assert_allclose(in_tiles(degraded, info, 32), whole, atol=1e-6)
    if crop == (0, 0):
        np.testing.assert_allclose(whole, ShiftedRecompression().restore(degraded[None], info)[0], atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"subsampling": "4:2:0"}], ids=["grey", "4:2:0"])
def test_a_cut_out_is_restored_on_its_own_grid(options):
    image = astronaut() if options else camera()
    degraded, info = compressed(image, 10, **options)
    y, x = slice(37, 203), slice(122, 301)
    whole = ShiftedRecompression().restore(degraded[None], info)[0][:, y, x]
    cut = ShiftedRecompression().restore(degraded[None, :, y, x], info.crop(y, x))[0]
    np.testing.assert_allclose(cut[:, 16:-16, 16:-16], whole[:, 16:-16, 16:-16], atol=1e-6)


@pytest.mark.parametrize(
    ("image", "options"), [(camera()[:130, :99], {}), (astronaut()[:131, :98], {"subsampling": "4:2:0"})]
)
def test_tensors_and_libjpeg_agree(image, options):
    degraded, info = compressed(image, 20, **options)
    by_libjpeg = ShiftedRecompression().restore(degraded[None], info)
    by_tensors = ShiftedRecompression().restore((degraded + np.float32(0.05 / 255))[None], info)
    assert np.abs(by_tensors - by_libjpeg).mean() < 0.5 / 255
    assert psnr(image, by_tensors[0]) == pytest.approx(psnr(image, by_libjpeg[0]), abs=0.1)


def test_values_outside_the_range_keep_their_scale():
    degraded, info = compressed(camera()[:64, :64], 20)
    answer = ShiftedRecompression().restore(degraded[None] + 5, info)[0] - 5
    np.testing.assert_allclose(answer.mean(), degraded.mean(), atol=1e-3)
    assert np.abs(answer - degraded).max() < 0.2


def test_twelve_bits():
    clean = camera()[:96, :96].astype(np.float32) / 255
    info = JPEGInfo(96, 96, (tuple([160] * 64),), precision=12)
    answer = ShiftedRecompression().restore(clean[None, None], info)[0, 0]
    assert 0 < np.abs(answer - clean).mean() < 160 / 4095


@pytest.mark.parametrize(
    "info",
    [
        JPEGInfo.from_quality(20, height=40, width=33),
        JPEGInfo.from_quality(20, height=40, width=33, subsampling="4:1:1"),
        JPEGInfo.from_quality(20, height=40, width=33, subsampling="4:4:0"),
        JPEGInfo(40, 33, (tuple([9] * 64), tuple([300] * 64), tuple([5] * 64)), ((1, 1),) * 3, "rgb"),
        JPEGInfo(40, 33, (tuple([9] * 64),) * 4, ((1, 1),) * 4, "cmyk"),
    ],
    ids=["grey", "4:1:1", "4:4:0", "rgb, 16-bit table", "cmyk"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_jpeg_for_any_tile(info, channels):
    tiles = np.random.default_rng(0).integers(0, 256, (2, channels, 40, 33)).astype(np.float32) / 255
    answer = ShiftedRecompression().restore(tiles, info)
    assert answer.shape == tiles.shape
    assert answer.dtype == np.float32
    assert np.isfinite(answer).all()
    assert not np.array_equal(answer, tiles)


def test_answers_do_not_depend_on_threads_or_repetition():
    degraded, info = compressed(astronaut()[:80, :80], 15)
    answers = [ShiftedRecompression().restore(degraded[None], info) for _ in range(3)]
    assert all(np.array_equal(answers[0], other) for other in answers[1:])


def test_tiny_and_constant_tiles():
    info = JPEGInfo.from_quality(50, height=1, width=3)
    answer = ShiftedRecompression().restore(np.full((1, 1, 1, 3), 128 / 255, np.float32), info)
    np.testing.assert_allclose(answer, 128 / 255, atol=1e-6)
