"""A picture of any dtype as the levels that a JPEG decoder wrote, black and white ones left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.color import LUMA_WEIGHTS
from napari_deartifact.jpeg.level_scale import LevelScale, scale_of
from napari_deartifact.messages import refuse_masked

_SIDE = 256
_MOST_TILES = 12
PITCH = _SIDE + 16
"""Rows from one part of a large picture to the next."""


@dataclass(frozen=True)
class PictureLevels:
    """Levels of one picture.

    Attributes
    ----------
    channels : ndarray of float32, shape (C, Y, X)
        C is 1 or 3; 0 to 2**precision − 1; NaN where a level is unknown or clipped.
    scale : LevelScale
        Which intensities the levels were made of.
    parts : int
        How many parts of a large picture lie one above the other, rows of NaN below each.
    """

    channels: NDArray[np.float32]
    scale: LevelScale
    parts: int = 1

    @property
    def precision(self) -> int:
        """Bits per sample."""
        return self.scale.precision

    @property
    def is_colour(self) -> bool:
        """Whether it has three channels."""
        return len(self.channels) == 3

    def luma(self) -> NDArray[np.float32]:
        """Return level-shifted JFIF luma, whole numbers as the decoder had them, shape (Y, X)."""
        middle = np.float32(2 ** (self.precision - 1))
        luma: NDArray[np.float32] = np.rint(_weighted(self.channels)) if self.is_colour else self.channels[0]
        return luma - middle

    def luma_parts(self) -> list[NDArray[np.float32]]:
        """Return luma of the whole picture, or of each part of a large one."""
        return np.split(self.luma(), self.parts) if self.parts > 1 else [self.luma()]

    def chroma(self) -> NDArray[np.float32]:
        """Return Cb and Cr, level-shifted: 0 is no colour; shape (2, Y, X)."""
        red, _, blue = self.channels
        luma = _weighted(self.channels)
        return np.stack([(blue - luma) / np.float32(1.772), (red - luma) / np.float32(1.402)])


def _weighted(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    luma: NDArray[np.float32] = np.tensordot(np.array(LUMA_WEIGHTS, np.float32), rgb, axes=1)
    return luma


def picture_levels(
    image: ArrayLike, channel_axis: int | None, data_range: float | Sequence[float] | None
) -> PictureLevels:
    """Bring a picture to levels; of a large one, the parts with most texture, one above the other.

    Parameters
    ----------
    image, channel_axis, data_range
        As for :func:`~napari_deartifact.estimate_jpeg`.

    Returns
    -------
    PictureLevels
        Parts begin on multiples of 256 pixels and lie 272 rows apart, NaN between them, so that no grid
        is moved.

    Raises
    ------
    ValueError, TypeError
        As :func:`~napari_deartifact.estimate_jpeg`.
    """
    refuse_masked(image)
    channels = _channels_first(np.asarray(image), channel_axis)
    scale = scale_of(channels, data_range)
    windows = [scale.levels(channels[:, rows, columns]) for rows, columns in _windows(channels[0])]
    if len(windows) == 1:
        return PictureLevels(windows[0], scale)
    stacked = [
        np.pad(window, ((0, 0), (0, PITCH - window.shape[1]), (0, 0)), constant_values=np.nan)
        for window in windows
    ]
    return PictureLevels(np.concatenate(stacked, axis=1), scale, len(stacked))


def _channels_first(image: NDArray[np.generic], channel_axis: int | None) -> NDArray[np.generic]:
    if image.dtype.kind not in "uif":
        raise TypeError(f"image is {image.dtype}; expected integers or floats")
    if channel_axis is None:
        if image.ndim != 2:
            raise ValueError(
                f"image has shape {image.shape}; expected one picture (Y, X), or say its channel_axis"
            )
        return image[np.newaxis]
    if image.ndim != 3 or not -3 <= channel_axis < 3:
        raise ValueError(
            f"image has shape {image.shape} with channel_axis={channel_axis}; expected one picture of 3 axes"
        )
    channels = np.moveaxis(image, channel_axis, 0)
    if len(channels) not in (1, 3, 4):
        raise ValueError(f"image has {len(channels)} channels; expected 1 (grey), 3 (RGB) or 4 (RGBA)")
    return channels[:3] if len(channels) > 1 else channels


def _windows(plane: NDArray[np.generic]) -> list[tuple[slice, slice]]:
    """Choose the parts of a plane to look at: all of a small one."""
    height, width = plane.shape
    if height * width <= _MOST_TILES * _SIDE**2 or height < 16:
        return [(slice(None), slice(None))]
    corners = [(y, x) for y in range(0, height - 15, _SIDE) for x in range(0, width - _SIDE + 1, _SIDE)] or [
        (y, 0) for y in range(0, height - 15, _SIDE)
    ]
    texture = []
    for y, x in corners:
        rows = np.asarray(plane[y : y + _SIDE : 16, x : x + _SIDE], np.float32)
        texture.append(-np.count_nonzero(np.nan_to_num(np.diff(rows, axis=1))))
    chosen = sorted(np.argsort(texture, kind="stable")[:_MOST_TILES])
    return [(slice(y, y + _SIDE), slice(x, x + _SIDE)) for y, x in (corners[index] for index in chosen)]
