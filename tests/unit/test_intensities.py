"""Intensities come back exactly, and what is black and white is what it should be."""

import numpy as np
import pytest

from napari_deartifact.axes import PictureLayout
from napari_deartifact.intensities import IntensityScale, channel_scales, fill_nonfinite, intensity_scale

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64]
FLOATS = [np.float16, np.float32, np.float64, np.longdouble]


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_no_correction_changes_nothing(dtype):
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    image = np.array([[limits.min, 0, 1, 7, limits.max]], dtype)
    if dtype in FLOATS:
        image[0, 2] += limits.eps
    scale = IntensityScale(0, 100, image.dtype)
    same = scale.corrected(image, np.zeros(image.shape, np.float32))
    assert same.dtype == dtype
    np.testing.assert_array_equal(same, image)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_round_and_saturate(dtype):
    limits = np.iinfo(dtype)
    image = np.array([[limits.min, 50, 50, 50, 120, limits.max]], dtype)
    scale = IntensityScale(0, 100, image.dtype)
    correction = np.array([[-1, 0.016, 0.014, 0.7, 0.1, 1]], np.float32)
    corrected = scale.corrected(image, correction)
    assert corrected[0, :5].tolist() == [limits.min, 52, 51, 100, 120]
    # Float64 has no 2**64 − 1; its last value below that must do.
    assert corrected[0, 5] >= limits.max - limits.max // 2**50


@pytest.mark.parametrize(
    ("image", "data_range", "precision", "expected"),
    [
        (np.array([[3, 9]], np.uint8), None, None, (0, 255)),
        (np.array([[3, 9]], np.uint16), None, None, (3, 9)),
        (np.array([[3, 9]], np.uint16), None, 12, (0, 4095)),
        (np.array([[-3, 9]], np.int16), None, None, (-3, 9)),
        (np.array([[np.nan, 1, np.inf, 5]]), None, None, (1, 5)),
        (np.array([[3, 9]], np.uint16), 4095, 8, (0, 4095)),
        (np.array([[3, 9]], np.float32), (-1, 2.5), None, (-1, 2.5)),
        (np.array([[3, 9]], np.float32), np.float32(2), None, (0, 2)),
    ],
)
def test_intensity_scale(image, data_range, precision, expected):
    scale = intensity_scale(image, data_range, precision=precision)
    assert scale is not None
    assert (scale.black, scale.white) == expected


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_hot_and_dead_pixels_do_not_stretch_the_range(dtype):
    image = (100 + np.arange(10_000).reshape(100, 100) % 200).astype(dtype)
    image[3, 4], image[50, 60] = 60_000, 0
    scale = intensity_scale(image, None)
    assert (scale.black, scale.white) == (100, 299)
    image[10:20, 10:20] = 60_000  # one in a hundred is no accident
    assert intensity_scale(image, None).white == 60_000


def test_independent_channels_have_ranges_of_their_own():
    image = np.stack([np.arange(12).reshape(3, 4), 100 * np.arange(12).reshape(3, 4), np.zeros((3, 4))])
    movie = np.stack([image, 2 * image]).astype(np.uint16)
    layout = PictureLayout.of(movie.shape, 1, rgb=False)
    whites = [scale and scale.white for scale in channel_scales(movie, layout, None)]
    assert whites == [22, 2200, None] * 2
    together = PictureLayout.of(movie.shape, 1, rgb=True)
    assert [scale.white for scale in channel_scales(movie, together, None)] == [2200] * 2
    assert {scale.white for scale in channel_scales(movie, layout, 4095)} == {4095}


@pytest.mark.parametrize("image", [np.full((2, 2), 7, np.uint16), np.full((2, 2), np.nan), np.zeros((0, 3))])
def test_nothing_to_scale(image):
    assert intensity_scale(image, None) is None


@pytest.mark.parametrize(
    ("data_range", "error"),
    [
        (0, ValueError),
        (np.nan, ValueError),
        ((5, 5), ValueError),
        ((9, 5), ValueError),
        ((0, np.inf), ValueError),
        ((1, 2, 3), TypeError),
        ("ab", TypeError),
        ((0, "1"), TypeError),
    ],
)
def test_bad_range(data_range, error):
    with pytest.raises(error, match="black, white"):
        intensity_scale(np.zeros((2, 2)), data_range)


def test_holes_are_filled_from_near_and_only_from_near():
    picture = np.full((1, 40, 40), 0.25, np.float32)
    picture[0, 10:30, 10:30] = np.nan
    picture[0, 0, 0] = np.inf
    filled = fill_nonfinite(picture, reach=4)
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[0, 11, 11], 0.25, rtol=1e-6)
    np.testing.assert_allclose(filled[0, 0, 0], 0.25, rtol=1e-6)
    assert filled[0, 20, 20] == 0.5
    np.testing.assert_array_equal(filled[0, 31:], picture[0, 31:])


def test_half_precision_does_not_overflow():
    picture = np.array([[0, 65504, 60000]], np.float16)
    scale = intensity_scale(picture, 65535)
    answer = scale.corrected(picture, np.full((1, 3), 0.1, np.float32))
    assert answer.dtype == np.float16
    np.testing.assert_array_equal(answer, np.array([[6552, 65504, 65504]], np.float16))
