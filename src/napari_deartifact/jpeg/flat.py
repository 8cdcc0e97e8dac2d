"""Grids told by flat blocks: where next to nothing but the mean of each block survived.

A smooth picture at a low quality is a mosaic: pixels differ across the 8×8 grid and hardly anywhere
else, and the levels of the tiles are what multiples of the DC step decode to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.lattice import LARGEST_STEP

_LEAST_DIFFERENCES = 48
_LEAST_SHARE = 0.5
"""Of the differences along an axis, those across the grid; 1/8 in a picture without a grid."""
_OUTLIERS = 0.03


def mosaic_phase(plane: NDArray[np.float32]) -> tuple[int, int] | None:
    """Find the grid of a mosaic.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        Whole levels; NaN where unknown.

    Returns
    -------
    (int, int) or None
        Row and column of the first corner, 0 to 7; None when differences keep to no grid.

    Examples
    --------
    >>> tiles = np.random.default_rng(0).integers(-99, 99, (9, 9)).astype(np.float32)
    >>> mosaic_phase(np.kron(tiles, np.ones((8, 8), np.float32))[3:, 5:])
    (5, 3)
    """
    row, column = (_line_phase(np.diff(plane, axis=axis), axis) for axis in (0, 1))
    return None if row is None or column is None else (row, column)


def _line_phase(differences: NDArray[np.float32], axis: int) -> int | None:
    differs = np.nan_to_num(differences) != 0
    lines = np.count_nonzero(differs, axis=1 - axis)
    counts = np.bincount((np.arange(len(lines)) + 1) % 8, weights=lines, minlength=8)
    if counts.sum() < _LEAST_DIFFERENCES or counts.max() < _LEAST_SHARE * counts.sum():
        return None
    return int(counts.argmax())


def flat_block_evidence(plane: NDArray[np.float32], phase: tuple[int, int]) -> NDArray[np.float32]:
    """Weigh every DC step by the levels of the flat blocks.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        Level-shifted whole levels; NaN where unknown.
    phase : (int, int)
        Row and column of the first corner.

    Returns
    -------
    ndarray of float32, shape (255,)
        Log likelihood ratio of the steps 1 to 255 against any level.  Each level counts once, however
        many blocks have it.
    """
    rows, columns = ((size - start) // 8 for size, start in zip(plane.shape, phase, strict=True))
    cut = plane[phase[0] : phase[0] + 8 * rows, phase[1] : phase[1] + 8 * columns]
    blocks = cut.reshape(rows, 8, columns, 8)
    lowest, highest = blocks.min(axis=(1, 3)), blocks.max(axis=(1, 3))
    level = np.unique(lowest[lowest == highest])[:, np.newaxis]
    step = np.arange(1, LARGEST_STEP + 1, dtype=np.float32)
    index = np.rint(8 * level / step)
    decoded = [np.floor(((index + turn) * step + 4) / 8) for turn in (-1, 0, 1)]
    hit = np.any([level == value for value in decoded], axis=0)
    by_chance = np.minimum(8 / step, 1)
    ratio = np.where(hit, 1 - _OUTLIERS, 0) / by_chance + _OUTLIERS
    evidence: NDArray[np.float32] = np.log(ratio).sum(axis=0).astype(np.float32)
    return evidence
