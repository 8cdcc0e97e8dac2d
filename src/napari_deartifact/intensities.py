"""Which intensities are black and white: any dtype and range as 0 (black) to 1 (white), and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import PictureLayout
from napari_deartifact.jpeg.level_scale import RANGE_ADVICE, range_ends

DataRange = float | Sequence[float] | None
"""White, with black at 0, or black and white, in intensity units; None where it is to be found."""
_RARE = 1e-3
_SAMPLED = 2_000_000


@dataclass(frozen=True)
class IntensityScale:
    """The affine map between an array's intensities and the scale 0 (black) to 1 (white).

    Attributes
    ----------
    black, white : float
        The ends of the data range; intensities outside are legal and stay outside.
    dtype : dtype
        Of the array.
    """

    black: float
    white: float
    dtype: np.dtype[Any]

    @property
    def width(self) -> float:
        """White minus black, in intensity units."""
        return self.white - self.black

    @property
    def working_dtype(self) -> np.dtype[Any]:
        """A float type that holds the array's values exactly, or as nearly as there is one."""
        is_wide = self.dtype.kind != "f" and self.dtype.itemsize >= 8
        return np.dtype(np.float64) if is_wide else np.result_type(self.dtype, np.float32)

    def is_whole_levels(self, precision: int) -> bool:
        """Say whether an answer will be rounded to the very levels of a JPEG of so many bits per sample."""
        return self.dtype.kind in "iu" and self.width == 2**precision - 1

    def to_unit(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """Map intensities to the unit scale."""
        # Colours apart, whatever the order of the axes in memory: all that follows is far faster so.
        values = picture.astype(self.working_dtype, order="C")
        values -= self.black
        values /= self.width
        with np.errstate(over="ignore"):  # what float32 cannot hold is treated as infinite
            return values.astype(np.float32, copy=False)

    def corrected(self, picture: NDArray[Any], correction: NDArray[Any]) -> NDArray[Any]:
        """Add a correction, given on the unit scale, and return the picture's own dtype.

        Where the correction is zero the intensity stays exactly as it was, for any dtype.
        No intensity is moved out of the data range, or farther out of it than it was.
        Integers are rounded to the nearest and kept within their type.
        """
        picture = np.ascontiguousarray(picture)
        values = picture.astype(self.working_dtype)
        values += correction.astype(self.working_dtype, copy=False) * self.width
        if picture.size and float(picture.min()) >= self.black and float(picture.max()) <= self.white:
            values.clip(self.black, self.white, out=values)
        else:
            own = picture.astype(self.working_dtype)
            values = values.clip(np.minimum(own, self.black), np.maximum(own, self.white))
        if self.dtype.kind == "f":
            return self._as_floats(values, picture)
        limits = np.iinfo(self.dtype)
        # The largest 64-bit integers are no float64; the last float below them is.
        highest = limits.max if self.dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
        rounded = np.clip(np.rint(values), limits.min, highest).astype(self.dtype)
        return np.where(correction == 0, picture, rounded)

    def _as_floats(self, values: NDArray[Any], picture: NDArray[Any]) -> NDArray[Any]:
        """Return the picture's own dtype, in which nothing that was finite becomes infinite."""
        least, most = float(np.finfo(self.dtype).min), float(np.finfo(self.dtype).max)
        if self.white > most or self.black < least:
            values = np.where(np.isfinite(picture), values.clip(least, most), values)
        return values.astype(self.dtype)


def intensity_scale(
    array: Any, data_range: DataRange, *, precision: int | None = None
) -> IntensityScale | None:
    """Decide which intensities are black and white.

    Parameters
    ----------
    array : ndarray
        The whole image; only its dtype is looked at when the range is known without.
    data_range : number or (number, number) or None
        0 to the number, or black and white, in intensity units.  None means 0 to 255 for uint8;
        0 to 2**`precision` − 1 when a JPEG's precision is known; otherwise the finite minimum to
        maximum of the array, without the outermost thousandth at an end that is farther away from the
        others than half of what they span: hot pixels.
    precision : int, optional
        Bits per sample of the JPEG that the pixels came from.

    Returns
    -------
    IntensityScale or None
        None when every pixel is equal or none is finite: then there is nothing to restore.

    Raises
    ------
    TypeError, ValueError
        For a range that is no range, none given for a lazy array that needs one, or intensities
        that are plainly on another scale than those of the JPEG.
    """
    dtype = np.dtype(array.dtype)
    if data_range is not None:
        return IntensityScale(*range_ends(data_range), dtype)
    if dtype == np.uint8:
        return IntensityScale(0.0, 255.0, dtype)
    if precision is not None:
        white = float(2**precision - 1)
        _check_against_jpeg(array, white)
        return IntensityScale(0.0, white, dtype)
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"a lazy array of dtype {dtype} needs its data range, which would take reading all of it; "
            f"{RANGE_ADVICE}"
        )
    black, white = _usual_range(array)
    return IntensityScale(black, white, dtype) if black < white else None


def channel_scales(
    array: NDArray[Any],
    layout: PictureLayout,
    data_range: DataRange,
    *,
    precision: int | None = None,
) -> list[IntensityScale | None]:
    """Decide which intensities are black and white in each picture of an array.

    Parameters
    ----------
    array, data_range, precision
        As for :func:`intensity_scale`.
    layout : PictureLayout
        Of the array.  Independent channels have ranges of their own where theirs must be found.

    Returns
    -------
    list of IntensityScale or None
        One for each picture, in the order of :meth:`PictureLayout.pictures`.

    Raises
    ------
    TypeError, ValueError
        As :func:`intensity_scale`.

    Examples
    --------
    >>> dim_and_bright = np.array([[[0, 30]], [[0, 60000]]], np.uint16)
    >>> layout = PictureLayout.of(dim_and_bright.shape, 0, rgb=True)
    >>> [scale.white for scale in channel_scales(dim_and_bright, layout, None)]
    [30.0, 60000.0]
    """
    parts = [array]
    if layout.channel_axis is not None and layout.colors == 1:
        parts = list(np.moveaxis(array, layout.channel_axis, 0))
    elif layout.channel_axis is not None and layout.has_alpha:
        parts = [np.moveaxis(array, layout.channel_axis, 0)[: layout.colors]]
    scales = [intensity_scale(part, data_range, precision=precision) for part in parts]
    return [scales[index % len(scales)] for index in range(layout.count)]


def _usual_range(array: NDArray[Any]) -> tuple[float, float]:
    """Return minimum and maximum without what is far away and rare; 0 and 0 when nothing is finite."""
    finite = array.ravel() if array.dtype.kind in "iu" else array[np.isfinite(array)]
    if finite.size == 0:
        return 0.0, 0.0
    black, white = float(finite.min()), float(finite.max())
    some = finite[:: -(-finite.size // _SAMPLED)]
    least, most = (float(end) for end in np.quantile(some, (_RARE, 1 - _RARE), method="nearest"))
    if least == most:
        return black, white
    reach = (most - least) / 2
    return (black if black >= least - reach else least), (white if white <= most + reach else most)


def _check_against_jpeg(array: Any, white: float) -> None:
    """Refuse intensities that are plainly on another scale than a JPEG's samples, or cannot be looked at."""
    dtype = np.dtype(array.dtype)
    if not isinstance(array, np.ndarray):
        if dtype.kind == "f":
            raise ValueError(
                f"a lazy array of floats does not tell whether white is 1 or {white:.0f}; give data_range="
            )
        if dtype.newbyteorder("=") != np.min_scalar_type(int(white)):
            raise ValueError(
                f"a lazy array of {dtype} does not tell whether its JPEG's samples, 0 to {white:.0f}, were "
                f"moved to another scale; give data_range=(0, {white:.0f}) if they were not"
            )
        return
    if not array.size:
        return
    most = float(np.fmax.reduce(array, axis=None, initial=0))
    if np.isfinite(most) and most > 1.5 * white:
        raise ValueError(
            f"image has intensities up to {most:g}, and the samples of its JPEG go from 0 to {white:.0f}; "
            "say what is white with data_range="
        )
    least = float(np.fmin.reduce(array, axis=None, initial=0))
    if np.isfinite(least) and least < (-0.5 * white if dtype.kind == "f" else 0):
        raise ValueError(
            f"image has intensities down to {least:g}, and the samples of its JPEG go from 0 to {white:.0f}; "
            f"say what is black and white, such as data_range=({least:g}, {least + white:g})"
        )
    if array.dtype.kind == "f" and 0 < most <= 1 and _has_fractions(array):
        raise ValueError(
            f"no intensity is above 1, and with jpeg= the range is 0 to {white:.0f}; if 1 is white, give "
            "data_range=1"
        )


def _has_fractions(array: NDArray[Any]) -> bool:
    with np.errstate(invalid="ignore"):  # infinities have none
        return bool((array % 1 > 0).any())


def fill_nonfinite(picture: NDArray[np.float32], reach: int = 8) -> NDArray[np.float32]:
    """Replace NaN and infinities by the mean of the finite pixels around them.

    Parameters
    ----------
    picture : ndarray of float32, shape (C, Y, X)
        On the unit scale.
    reach : int
        How far the mean reaches, in pixels; where nothing there is finite the filling is 0.5, so
        that a tile is filled as the whole image is.

    Returns
    -------
    ndarray of float32
        The same array when all of it is finite.
    """
    finite = np.isfinite(picture)
    if finite.all():
        return picture
    from scipy.ndimage import uniform_filter

    size = (1, 2 * reach + 1, 2 * reach + 1)
    known = np.where(finite, picture, 0).astype(np.float64)
    share = uniform_filter(finite.astype(np.float64), size, mode="constant")
    near = share > 0.5 / (size[1] * size[2])
    mean = np.divide(
        uniform_filter(known, size, mode="constant"), share, out=np.full(picture.shape, 0.5), where=near
    )
    return np.where(finite, picture, mean).astype(np.float32)
