"""Chroma as the decoder had it before interpolation: found again from the interpolated samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def undo_interpolation(plane: NDArray[np.floating], axis: int, parity: int) -> NDArray[np.float64]:
    """Return the samples of which a triangle filter makes the plane, in the least-squares sense.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        At full resolution along the axis.
    axis : {0, 1}
        The axis that was interpolated by two.
    parity : {0, 1}
        Index of the first pixel that begins a pair; with 1 the first sample has one pixel.

    Returns
    -------
    ndarray of float64
        Of shape ``(Y + parity + 1) // 2`` along the axis.

    Notes
    -----
    The first and last pixel may lean on samples outside of a cut-out, and have no say.
    """
    from scipy.linalg import solveh_banded

    lines = np.moveaxis(np.asarray(plane, np.float64), axis, 0)
    count = (len(lines) + parity + 1) // 2
    pairs = np.zeros((2 * count, *lines.shape[1:]))
    pairs[parity : parity + len(lines)] = lines
    known = np.zeros(2 * count)
    known[parity : parity + len(lines)] = 1
    if count < 3:
        total = pairs.reshape(count, 2, *lines.shape[1:]).sum(axis=1)
        share = known.reshape(count, 2).sum(axis=1)
        return np.moveaxis(total / share.reshape(-1, *[1] * (lines.ndim - 1)), 0, axis)
    known[[0, -1]] = 0
    pairs[[0, -1]] = 0
    # The first pixel of a pair leans on the sample before, the second on the sample after.
    (first, second), (weigh_first, weigh_second) = (pairs[::2], pairs[1::2]), (known[::2], known[1::2])
    right = 0.75 * (first + second)
    right[:-1] += 0.25 * first[1:]
    right[1:] += 0.25 * second[:-1]
    banded = np.zeros((2, count))
    banded[1] = 0.75**2 * (weigh_first + weigh_second) + 1e-9
    banded[1, :-1] += 0.25**2 * weigh_first[1:]
    banded[1, 1:] += 0.25**2 * weigh_second[:-1]
    banded[0, 1:] = 0.75 * 0.25 * (weigh_first[1:] + weigh_second[:-1])
    samples: NDArray[np.float64] = solveh_banded(banded, right)
    return np.moveaxis(samples, 0, axis)
