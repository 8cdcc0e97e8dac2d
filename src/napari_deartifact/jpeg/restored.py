"""Was this picture restored already?  One that obeys its JPEG keeps off the walls of every cell.

`consistency.project` moves coefficients into the inner part of their quantization cells.  What is left
between the cells are gaps on one grid, for one table, that no other picture has.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg import lattice

MARGIN_STEPS, MARGIN_LEVELS = 0.25, 4.0
"""Kept from the walls of a cell: so much of a step, and no more levels than this."""

EVIDENCE_NEEDED = 20.0
_NOISE = 0.29
_OUTLIERS = 0.05


def restoration_evidence(histograms: NDArray[np.float32], frequencies: NDArray[np.int_]) -> float:
    """Weigh whether coefficients keep off the walls of the cells of a libjpeg table.

    Parameters
    ----------
    histograms : ndarray, shape (64, K, bins)
        Of K frequencies on all grids, as `lattice.coefficient_histograms` counts them.
    frequencies : ndarray of int, shape (K,)
        Which frequencies they are, in natural order.

    Returns
    -------
    float
        Log likelihood ratio against no table at all, on the best grid before the second best.  Those of a
        JPEG keep off the walls too, but its own table explains them better.
    """
    evidence = histograms.reshape(-1, histograms.shape[-1]) @ _evidence_by_bin()
    evidence = evidence.reshape(*histograms.shape[:2], -1)
    score = lattice.quality_evidence(evidence, frequencies=frequencies).max(axis=1)
    second, best = np.sort(score)[-2:]
    return float(best - max(second, 0))


@lru_cache(maxsize=1)
def _evidence_by_bin() -> NDArray[np.float32]:
    """Log likelihood ratio, inner part of the cells of a step against anywhere, shape (bins, steps)."""
    from scipy.special import ndtr

    center = (np.arange(lattice.BINS)[:, np.newaxis] + 0.5) / lattice.BINS_PER_LEVEL
    steps = np.arange(1, lattice.LARGEST_STEP + 1)
    index = np.rint(center / steps)
    half = steps / 2 - np.minimum(MARGIN_STEPS * steps, MARGIN_LEVELS)
    density = sum(
        ndtr((residue + half) / _NOISE) - ndtr((residue - half) / _NOISE)
        for residue in (center - steps * (index + turn) for turn in (-1, 0, 1))
    ) / (2 * half)
    evidence = np.log((1 - _OUTLIERS) * density * steps + _OUTLIERS)
    # Small coefficients are in the inner part of the cell of 0 whatever happened to them.
    evidence[index == 0] = 0
    return np.asarray(evidence, np.float32)
