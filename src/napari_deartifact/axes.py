"""Any array as a series of pictures, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PictureLayout:
    """Which axes of an array are a picture's, and which only number the pictures.

    Attributes
    ----------
    shape : tuple of int
        Of the whole array.
    channel_axis : int or None
        Counted from the front.
    colors : int
        Channels that are restored together: 3 for RGB, otherwise 1.
    has_alpha : bool
        Whether a fourth channel passes through.
    """

    shape: tuple[int, ...]
    channel_axis: int | None
    colors: int
    has_alpha: bool = False

    @classmethod
    def of(cls, shape: tuple[int, ...], channel_axis: int | None, *, rgb: bool) -> PictureLayout:
        """Read an array's shape by what the caller said of it.

        Raises
        ------
        ValueError
            When there is no picture in the shape, the channel axis does not exist, or a trailing
            axis of 3 or 4 was not explained.
        TypeError
            When the channel axis is no whole number.
        """
        if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer | None):
            raise TypeError(
                f"channel_axis is {channel_axis!r}; expected a whole number, or None for a grey image"
            )
        if channel_axis is not None and not -len(shape) <= channel_axis < len(shape):
            raise ValueError(
                f"channel_axis is {channel_axis}, but image has {len(shape)} axes (shape {shape}); "
                f"expected {-len(shape)} to {len(shape) - 1}"
            )
        spatial = len(shape) - (channel_axis is not None)
        if spatial < 2:
            said = "" if channel_axis is None else f" with channel_axis={channel_axis}"
            raise ValueError(f"image has shape {shape}{said}; expected at least the two axes Y and X")
        if channel_axis is None:
            if len(shape) >= 3 and shape[-1] in (3, 4):
                raise ValueError(
                    f"image has shape {shape}, and its last axis could be colours: write channel_axis=-1 "
                    "for RGB or RGBA, or channel_axis=-1, rgb=False for independent channels"
                )
            return cls(shape, None, 1)
        axis = channel_axis % len(shape)
        if rgb and shape[axis] in (3, 4):
            return cls(shape, axis, 3, has_alpha=shape[axis] == 4)
        return cls(shape, axis, 1)

    @property
    def spatial_axes(self) -> tuple[int, int]:
        """The axes Y and X, counted from the front."""
        y, x = [axis for axis in range(len(self.shape)) if axis != self.channel_axis][-2:]
        return y, x

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a picture, in pixels."""
        y, x = self.spatial_axes
        return self.shape[y], self.shape[x]

    @property
    def count(self) -> int:
        """Number of pictures in the array."""
        return math.prod(self.shape) // max(math.prod(self.plane_shape), 1) // (self.colors + self.has_alpha)

    def pictures(self, array: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yield views of shape (colors, Y, X); writing to them writes to the array."""
        if self.channel_axis is not None:
            array = np.moveaxis(array, self.channel_axis, -3)
        array = array[..., :3, :, :] if self.colors == 3 else array[..., np.newaxis, :, :]
        for index in np.ndindex(array.shape[:-3]):
            yield array[index]


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse what is not a picture's dtype.

    Raises
    ------
    TypeError
        For anything but integers and floats.
    """
    if dtype.kind in "USO":
        raise TypeError(
            f"image is no array of numbers but of dtype {dtype}; give its pixels, as "
            "numpy.asarray(PIL.Image.open(path)) or tifffile.imread(path) reads them"
        )
    if dtype.kind not in "iuf":
        raise TypeError(f"image has dtype {dtype}; expected integers or floats (convert it with astype)")


def channels_last(picture: NDArray[Any]) -> NDArray[Any]:
    """Return a picture (C, Y, X) as (Y, X) when C is 1, else as (Y, X, C)."""
    return picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)


def channels_first(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image (Y, X) or (Y, X, C) as a picture (C, Y, X)."""
    return image[np.newaxis] if image.ndim == 2 else np.moveaxis(image, -1, 0)
