"""Stored values of any kind become eight bits, by one window for all planes that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.training.data_pictures import Picture
from napari_deartifact.training.data_planes import Planes

WINDOW = (0.1, 99.9)
"""Percentiles of values of more than eight bits that become 0 and 255."""

_MOST_PLANES = 16
_MOST_SAMPLES = 2**20
"""Values from which the percentiles of a window are read."""
_LEAST_FINITE = 0.5


@dataclass(frozen=True)
class Windows:
    """The windows of a file's channels, by which its planes become pictures.

    Attributes
    ----------
    planes : Planes
    of_channel : mapping of int to (float, float)
    """

    planes: Planes
    of_channel: Mapping[int, tuple[float, float]]

    @classmethod
    def of(cls, planes: Planes) -> Windows:
        """Find a window for each channel, over all its planes."""
        members: dict[int, list[int]] = {}
        for number, channel in enumerate(planes.channels):
            members.setdefault(channel, []).append(number)
        return cls(planes, {channel: find_window(planes, numbers) for channel, numbers in members.items()})

    def picture(self, number: int, plane: NDArray[Any]) -> Picture:
        """Map a plane, as it was read, to eight bits."""
        planes = self.planes
        window = self.of_channel[planes.channels[number]]
        return Picture(planes.title(number), to_8_bits(plane, window, negative=planes.negative), planes.file)


def find_window(planes: Planes, numbers: Sequence[int]) -> tuple[float, float]:
    """Return the values that become black and white in some planes of a file.

    Parameters
    ----------
    planes : Planes
    numbers : sequence of int
        Of the planes; of many only sixteen, evenly chosen, are looked at.

    Returns
    -------
    low, high : float
        0 and 255 for values of eight bits.  Else the percentiles `WINDOW` of the numbers among the
        values, or their range where these percentiles are equal.

    Notes
    -----
    Sixteen-bit cameras use a few thousand of their levels, CT spends most of its range on bones and
    metal, and a hot pixel must not turn a picture black; hence percentiles.
    """
    if planes.dtype == np.uint8:
        return 0.0, 255.0
    chosen = numbers[:: -(-len(numbers) // _MOST_PLANES)]
    share = _MOST_SAMPLES // len(chosen)
    values = np.concatenate([_sample(planes.read(number), share) for number in chosen])
    values = values[np.isfinite(values) & ~planes.is_padding(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, WINDOW).tolist()
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def to_8_bits(
    plane: NDArray[Any], window: tuple[float, float], *, negative: bool = False
) -> NDArray[np.uint8]:
    """Map stored values to 0 to 255.

    Parameters
    ----------
    plane : ndarray
        Unsigned values of eight bits stay as they are.
    window : (float, float)
        Values that become 0 and 255; those beyond are clipped.  NaN becomes 0.
    negative : bool
        Whether the largest value is black.

    Returns
    -------
    ndarray of uint8, same shape

    Examples
    --------
    >>> to_8_bits(np.array([[-1000.0, 0.0], [1000.0, np.nan]]), (-500, 500)).tolist()
    [[0, 128], [255, 0]]
    """
    if plane.dtype != np.uint8:
        low, high = window
        wide = plane.dtype.itemsize > 4 or plane.dtype in (np.int32, np.uint32)
        values: NDArray[np.floating[Any]] = plane.astype(np.float64 if wide else np.float32)
        scaled = (values - low) * (255 / (high - low if high > low else 1))
        plane = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255))
    levels = np.ascontiguousarray(plane, dtype=np.uint8)
    return 255 - levels if negative else levels


def is_blank(plane: NDArray[Any]) -> bool:
    """Say whether a plane shows nothing: no two values, or hardly any numbers.

    Examples
    --------
    >>> is_blank(np.full((8, 8), 7)), is_blank(np.arange(64.0).reshape(8, 8))
    (True, False)
    """
    if plane.dtype.kind == "f":
        finite = np.isfinite(plane)
        if finite.mean() < _LEAST_FINITE:
            return True
        plane = plane[finite]
    return bool(plane.size == 0 or plane.min() == plane.max())


def _sample(plane: NDArray[Any], most: int) -> NDArray[Any]:
    step = max(int(np.ceil(np.sqrt(plane.size / most))), 1)
    return plane[::step, ::step].ravel()
