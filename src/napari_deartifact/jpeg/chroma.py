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
    length = len(lines)
    count = (length + parity + 1) // 2
    if count < 3:
        starts = np.arange(parity, length + parity) // 2
        sums = np.stack([lines[starts == index].mean(axis=0) for index in range(count)])
        return np.moveaxis(sums, 0, axis)
    position = np.arange(length) + parity
    near = position // 2
    far = near + np.where(position % 2, 1, -1)
    usable = (far >= 0) & (far < count)
    position, near, far, values = position[usable], near[usable], far[usable], lines[usable]
    banded = np.zeros((2, count))
    np.add.at(banded[1], near, 0.75**2)
    np.add.at(banded[1], far, 0.25**2)
    np.add.at(banded[0], np.maximum(near, far), 0.75 * 0.25)
    banded[1] += 1e-9
    right = np.zeros((count, *lines.shape[1:]))
    np.add.at(right, near, 0.75 * values)
    np.add.at(right, far, 0.25 * values)
    samples: NDArray[np.float64] = solveh_banded(banded, right)
    return np.moveaxis(samples, 0, axis)
