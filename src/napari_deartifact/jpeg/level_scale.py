"""Which intensities a JPEG decoder's levels have become, whatever they were multiplied by since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

RANGE_ADVICE = "give data_range as the white level, or as a pair (black, white)"
_WHOLE = 0.02
"""How far from a whole number a level may lie."""
_COPY = 257
"""What 8-bit levels are multiplied by to fill 16 bits."""
_ROWS = 512
"""Rows that are looked at, evenly chosen."""
_RARE = 5e-4
"""Share of the pixels, at either end, that may be anything: hot ones, dead ones, marks."""
_FEWEST_VALUES = 16
"""From so few different values no distance between levels is concluded."""
_MOST_WHOLE = 2.0**53
"""Beyond this floats are whole whatever they are."""
_FEWEST_UNITS = 4
"""Integers that lie nearer than so many are taken for levels as they are."""


@dataclass(frozen=True)
class LevelScale:
    """The intensities of level 0 and of the highest level.

    Attributes
    ----------
    black, white : float
        In intensity units.
    precision : int
        Bits per sample.
    known : bool
        Whether the range was given, or most intensities are whole levels on it; else it is a guess.
    """

    black: float
    white: float
    precision: int
    known: bool = True

    def levels(self, channels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return levels; NaN for what is not finite, black, white or beyond."""
        highest = 2**self.precision - 1
        # In double precision, as units may be of any size.
        exact = (np.asarray(channels, np.float64) - self.black) * (highest / (self.white - self.black))
        levels: NDArray[np.float32] = exact.clip(-1, highest + 1).astype(np.float32)
        unknown = ~(np.isfinite(levels) & (levels > _WHOLE) & (levels < highest - _WHOLE))
        levels[unknown] = np.nan
        return levels


def scale_of(channels: NDArray[np.generic], data_range: float | Sequence[float] | None = None) -> LevelScale:
    """Find the range on which intensities are the levels of a decoder.

    Parameters
    ----------
    channels : ndarray, shape (C, Y, X)
    data_range : number or (number, number), optional
        The range if it is known.

    Returns
    -------
    LevelScale

    Examples
    --------
    >>> levels = np.arange(256).reshape(1, 16, 16)
    >>> scale_of(16 * levels.astype(np.uint16))
    LevelScale(black=0.0, white=4080.0, precision=8, known=True)
    >>> scale_of(16 * levels.astype(np.uint16), data_range=4095)
    LevelScale(black=0.0, white=4080.0, precision=8, known=True)
    >>> scale_of(levels.astype(np.int16) - 1024)
    LevelScale(black=-1024.0, white=-769.0, precision=8, known=True)
    """
    ends = None if data_range is None else range_ends(data_range)
    sample = np.asarray(channels[:, :: max(1, channels.shape[1] // _ROWS)], np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return LevelScale(0.0, 255.0, 8)
    if ends is not None:
        return _multiplied(sample, *ends) or _on_range(sample, *ends, known=True)
    if channels.dtype == np.uint8:
        return LevelScale(0.0, 255.0, 8)
    sample = _without_rare(sample)
    whole = _share_whole(sample) == 1 and sample.max() > 1 and np.abs(sample).max() < _MOST_WHOLE
    if channels.dtype.kind in "ui" or whole:
        return _of_whole_numbers(sample)
    even = _evenly_spaced(np.unique(sample), tolerance=_WHOLE)
    if even is not None:
        return even
    least, most = float(sample.min()), float(sample.max())
    if least >= 0 and most <= 1:
        return _on_range(sample, 0.0, 1.0, known=True)
    if least >= 0 and 128 <= most <= 255:
        return _on_range(sample, 0.0, 255.0, known=True)
    return _on_range(sample, least, most, known=False)


def range_ends(data_range: float | Sequence[float]) -> tuple[float, float]:
    """Return the black and the white level of a range as users give it.

    Raises
    ------
    TypeError
        When it is neither a number nor two.
    ValueError
        When white is not above black.

    Examples
    --------
    >>> range_ends(4095), range_ends([-1000, 3000])
    ((0.0, 4095.0), (-1000.0, 3000.0))
    """
    given = np.asarray(data_range)
    ends: tuple[Any, ...] = (0, given.item()) if given.ndim == 0 else tuple(data_range)  # type: ignore[arg-type]
    if len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
        raise TypeError(f"data_range is {data_range!r}; {RANGE_ADVICE}")
    black, white = float(ends[0]), float(ends[1])
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise ValueError(
            f"data_range is {data_range!r}; the white level must be above the black; {RANGE_ADVICE}"
        )
    return black, white


def _multiplied(sample: NDArray[np.float64], black: float, white: float) -> LevelScale | None:
    """Recognize whole multiples of one number, 8 bits of them within the range, whatever its own white is."""
    above = np.unique(sample - black)
    if len(above) < _FEWEST_VALUES or above[0] < 0 or above[-1] >= _MOST_WHOLE or np.any(above % 1):
        return None
    step = float(np.gcd.reduce(above.astype(np.int64)))
    if step < 2 or above[-1] > 255 * step or 255 * step > white - black:
        return None
    return LevelScale(black, black + 255 * step, 8)


def _on_range(sample: NDArray[np.float64], black: float, white: float, *, known: bool) -> LevelScale:
    """Choose 8 or 12 bits by the levels that are whole."""
    if not white > black:
        return LevelScale(black, black + 255.0, 8)
    unit = (sample - black) / (white - black)
    precision = 12 if _share_whole(unit * 255) < 0.9 <= _share_whole(unit * 4095) else 8
    return LevelScale(black, white, precision, known)


def _of_whole_numbers(sample: NDArray[np.float64]) -> LevelScale:
    values = np.unique(sample)
    if values[0] >= 0 and values[-1] <= 255:
        return LevelScale(0.0, 255.0, 8)
    if values[0] >= 0 and not np.any(values % _COPY):
        return LevelScale(0.0, 255.0 * _COPY, 8)
    step = 1.0
    if len(values) >= _FEWEST_VALUES and values[-1] - values[0] < _MOST_WHOLE:
        step = float(np.gcd.reduce((values - values[0]).astype(np.int64)))
        if step == 1:
            even = _evenly_spaced(values, tolerance=0.51, least=_FEWEST_UNITS)
            if even is not None:
                return even
    black = 0.0 if values[0] >= 0 and values[0] % step == 0 else float(values[0])
    highest = (values[-1] - black) / step
    precision = next((bits for bits in (8, 12) if highest < 2**bits), 16)
    return LevelScale(black, black + step * (2**precision - 1), precision)


def _evenly_spaced(values: NDArray[np.float64], *, tolerance: float, least: float = 0.0) -> LevelScale | None:
    """Recognize multiples of one distance, 256 at most: 8 bits that were stretched.

    `tolerance` counts in units where distances are at least `least` of them, and else in distances.
    """
    if not _FEWEST_VALUES <= len(values) <= 256:
        return None
    gaps = np.diff(values)
    step = float(gaps.min())
    if step < least:
        return None
    numbers = np.concatenate([[0.0], np.cumsum(np.rint(gaps / step))])
    if numbers[-1] > 255:
        return None
    step, first = np.polyfit(numbers, values, 1)
    allowed = tolerance if least else tolerance * step
    if np.abs(first + step * numbers - values).max() > allowed:
        return None
    lowest = np.rint(first / step)
    if (
        lowest >= 0
        and abs(first - lowest * step) <= max(allowed, _WHOLE * step)
        and lowest + numbers[-1] <= 255
    ):
        first = 0.0
    return LevelScale(float(first), float(first + 255 * step), 8)


def _without_rare(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave the rarest out at both ends."""
    least, most = np.quantile(sample, (_RARE, 1 - _RARE), method="nearest")
    usual: NDArray[np.float64] = sample[(sample >= least) & (sample <= most)]
    return usual


def _share_whole(values: NDArray[np.float64]) -> float:
    return float((np.abs(values - np.rint(values)) < _WHOLE).mean())
