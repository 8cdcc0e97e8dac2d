"""The quantization tables of Annex K as libjpeg scales them, and the quality that a table amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# fmt: off
STANDARD_LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])
STANDARD_CHROMA = np.array([
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
])
# fmt: on
STANDARD_LUMA.setflags(write=False)
STANDARD_CHROMA.setflags(write=False)


def quality_table(quality: int, *, chroma: bool = False) -> NDArray[np.int_]:
    """Return the baseline table that libjpeg writes at a quality.

    Parameters
    ----------
    quality : int
        1 (coarsest) to 100 (finest).
    chroma : bool
        The table of Cb and Cr in place of luma's.

    Returns
    -------
    ndarray of int, shape (8, 8)
        Quantization steps of the DCT coefficients, vertical frequency first, 1 to 255.

    Raises
    ------
    ValueError
        For a quality outside 1 to 100.

    Examples
    --------
    >>> quality_table(50)[0, :4]
    array([16, 11, 10, 16])
    """
    return scale_table(STANDARD_CHROMA if chroma else STANDARD_LUMA, quality)


def scale_table(table: NDArray[np.int_] | NDArray[np.float64], quality: int) -> NDArray[np.int_]:
    """Scale a table from quality 50 to another as libjpeg does.

    Parameters
    ----------
    table : ndarray, shape (..., 8, 8)
    quality : int
        1 (coarsest) to 100 (finest).

    Returns
    -------
    ndarray of int, same shape
        1 to 255.

    Raises
    ------
    ValueError
        For a quality outside 1 to 100.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; expected 1 to 100")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * scale + 50) // 100, 1, 255).astype(np.int_)


@lru_cache(maxsize=2)
def _all_tables(chroma: bool) -> NDArray[np.int_]:
    return np.stack([quality_table(quality, chroma=chroma) for quality in range(1, 101)])


def nearest_quality(table: Sequence[int] | NDArray[np.int_], *, chroma: bool = False) -> int:
    """Return the libjpeg quality whose table is nearest in mean absolute log step.

    Parameters
    ----------
    table : array-like of int, 64 entries
        Steps in natural (row by row) order.
    chroma : bool
        Compare with the tables of Cb and Cr.

    Returns
    -------
    int
        1 to 100; exact for a table that libjpeg scaled.

    Examples
    --------
    >>> nearest_quality(quality_table(37))
    37
    """
    steps = np.log(np.clip(np.reshape(table, (8, 8)), 1, None))
    distance = np.abs(np.log(_all_tables(chroma)) - steps).mean(axis=(1, 2))
    return int(distance.argmin()) + 1
