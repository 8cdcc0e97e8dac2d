"""Was this array ever a JPEG?  Asked before it is restored, so that clean pictures stay clean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_deartifact.axes import channels_last
from napari_deartifact.intensities import DataRange
from napari_deartifact.warned import warn_caller

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate

CLEAN_QUALITY = 95
"""The JPEG quality from which a picture passes for an original: what it lost, noise hides."""
_MOST_PICTURES = 5
_EVEN_ODDS = 0.5
"""The probability of compression that an estimate gives where there is too little to see."""


def estimates_of(pictures: Sequence[NDArray[Any]], data_range: DataRange = None) -> dict[int, JPEGEstimate]:
    """Look at a few pictures of a series, from all over it, until one shows that it may have been a JPEG.

    Parameters
    ----------
    pictures : sequence of ndarray, shape (C, Y, X)
        C is 1, or 3 for RGB.
    data_range : number or (number, number), optional
        As of :func:`~napari_deartifact.estimate_jpeg`.

    Returns
    -------
    dict of int to JPEGEstimate
        By the number of the picture.
    """
    estimates = {}
    for index in _some(len(pictures)):
        estimates[index] = estimate_of(pictures[index], data_range)
        if may_gain(estimates[index]):
            break
    return estimates


def _some(count: int) -> list[int]:
    """Choose some of so many pictures, whose channels and planes may take turns.

    Examples
    --------
    >>> _some(3), _some(20)
    ([0, 1, 2], [0, 7, 14, 1, 8])
    """
    number = min(count, _MOST_PICTURES)
    # Without a divisor in common with the count there is none with that of the channels.
    steps = range(max(count // _MOST_PICTURES, 1), count + 2)
    step = next(step for step in steps if math.gcd(step, count) == 1)
    return [index * step % count for index in range(number)]


def estimate_of(picture: NDArray[Any], data_range: DataRange = None) -> JPEGEstimate:
    """Estimate the history of a picture of shape (C, Y, X)."""
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    image = channels_last(picture)
    return estimate_jpeg(image, channel_axis=None if image.ndim == 2 else -1, data_range=data_range)


def needs_nothing(estimates: Mapping[int, JPEGEstimate]) -> bool:
    """Say whether it is safe to take a series for one that was never a JPEG, or is one no more.

    The series is treated as one, so that the frames of a movie are all restored or all left alone.

    Examples
    --------
    >>> from skimage.data import camera
    >>> needs_nothing(estimates_of([camera()[None]]))
    True
    """
    return not any(map(may_gain, estimates.values()))


def may_gain(estimate: JPEGEstimate) -> bool:
    """Say whether a picture was compressed, or more likely so than not."""
    return estimate.is_jpeg or (estimate.history == "uncertain" and estimate.confidence > _EVEN_ODDS)


def doubt(estimates: Mapping[int, JPEGEstimate]) -> str | None:
    """Say so when an image is restored although its pixels do not tell its history for sure."""
    doubtful = [estimate for estimate in estimates.values() if may_gain(estimate)]
    if not doubtful or doubtful[0].is_jpeg:
        return None
    return (
        f"the image was probably compressed ({100 * doubtful[0].confidence:.0f} %), but is no JPEG as it was "
        "decoded, as after resizing, noise or another codec; it is restored all the same: compare the answer"
    )


def no_history(
    estimates: Mapping[int, JPEGEstimate], *, count: int = 1, without_tables: str | None = None
) -> str:
    """Say that, and why, an image is returned as it came.

    Parameters
    ----------
    estimates : dict of int to JPEGEstimate
    count : int
        Pictures in the image; that not all of them were looked at is said.
    without_tables : str, optional
        The name of a model that cannot do without tables, however much it is forced.
    """
    restored = any(estimate.history == "restored" for estimate in estimates.values())
    reason = "has been restored already" if restored else "shows no JPEG history"
    remedy = "restore it all the same with force=True"
    if without_tables is not None:
        reason, remedy = f"{reason} and model {without_tables!r} needs a JPEG's tables", "choose a network"
    if len(estimates) < count:
        reason = f"{reason} in {len(estimates)} of its {count} pictures"
    advice = f"give its JPEG with jpeg= if you have it, or {remedy}"
    return f"the image {reason}, so it is returned unchanged; {advice}"


def warn_of_doubt(estimates: Mapping[int, JPEGEstimate]) -> None:
    """Warn of what :func:`doubt` says."""
    message = doubt(estimates)
    if message is not None:
        warn_caller(message)


def warn_of_no_history(
    estimates: Mapping[int, JPEGEstimate], *, count: int = 1, without_tables: str | None = None
) -> None:
    """Warn of what :func:`no_history` says."""
    message = no_history(estimates, count=count, without_tables=without_tables)
    warn_caller(message)
