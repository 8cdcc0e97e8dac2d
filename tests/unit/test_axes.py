"""Axes are read as they were said."""

import numpy as np
import pytest

from napari_deartifact.axes import PictureLayout, channels_first, channels_last


@pytest.mark.parametrize(
    ("shape", "channel_axis", "rgb", "colors", "count", "plane"),
    [
        ((5, 6), None, True, 1, 1, (5, 6)),
        ((7, 5, 6), None, True, 1, 7, (5, 6)),
        ((2, 7, 5, 6), None, True, 1, 14, (5, 6)),
        ((5, 6, 3), -1, True, 3, 1, (5, 6)),
        ((5, 6, 4), 2, True, 3, 1, (5, 6)),
        ((3, 5, 6), 0, True, 3, 1, (5, 6)),
        ((9, 3, 5, 6), 1, True, 3, 9, (5, 6)),
        ((5, 3, 6), 1, True, 3, 1, (5, 6)),
        ((5, 6, 3), -1, False, 1, 3, (5, 6)),
        ((5, 6, 2), -1, True, 1, 2, (5, 6)),
        ((4, 2, 5, 6), 1, True, 1, 8, (5, 6)),
        ((0, 5, 6), None, True, 1, 0, (5, 6)),
    ],
)
def test_layout(shape, channel_axis, rgb, colors, count, plane):
    layout = PictureLayout.of(shape, channel_axis, rgb=rgb)
    pictures = list(layout.pictures(np.zeros(shape)))
    assert (layout.colors, layout.count, layout.plane_shape) == (colors, count, plane)
    assert len(pictures) == count
    assert all(picture.shape == (colors, *plane) for picture in pictures)


def test_pictures_are_views_and_leave_alpha_alone():
    image = np.zeros((2, 5, 6, 4))
    for number, picture in enumerate(PictureLayout.of(image.shape, -1, rgb=True).pictures(image)):
        picture[...] = number + 1
    assert (image[0, ..., :3] == 1).all()
    assert (image[1, ..., :3] == 2).all()
    assert (image[..., 3] == 0).all()


@pytest.mark.parametrize(
    ("shape", "channel_axis", "message"),
    [
        ((5,), None, "at least the two axes"),
        ((), None, "at least the two axes"),
        ((5, 3), -1, "at least the two axes"),
        ((5, 6, 3), None, r"channel_axis=-1"),
        ((9, 5, 6, 4), None, r"rgb=False"),
        ((5, 6, 3), 3, "expected -3 to 2"),
        ((5, 6, 3), -4, "expected -3 to 2"),
    ],
)
def test_layout_errors(shape, channel_axis, message):
    with pytest.raises(ValueError, match=message):
        PictureLayout.of(shape, channel_axis, rgb=True)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3), (5, 6, 2)])
def test_channels_there_and_back(shape):
    image = np.arange(np.prod(shape)).reshape(shape)
    picture = channels_first(image)
    assert picture.shape == (shape[2] if len(shape) == 3 else 1, 5, 6)
    np.testing.assert_array_equal(channels_last(picture), image)
