"""Was this picture restored already?  One that obeys its JPEG keeps off the walls of every cell.

`consistency.project` moves coefficients into the inner part of their quantization cells, which leaves gaps
between the cells on one grid, for one table.  So does a JPEG that was smeared a little, by noise, another
codec or a change of tones; but then coefficients lie off the middles of the cells by the same few levels,
however wide these are, while those of an answer lie the farther off the wider their cells, and nearer to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg import lattice
from napari_deartifact.jpeg.tables import quality_table

MARGIN_STEPS, MARGIN_LEVELS = 0.25, 4.0
"""Kept from the walls of a cell: so much of a step, and no more levels than this."""

EVIDENCE_NEEDED = 20.0
_NOISE = 0.29
_OUTLIERS = 0.05
_PULL, _SPREADS = 0.07, (0.1, 0.17, 0.3)
"""By which answers lie off the middles of their cells, in steps: towards 0, and either way."""
_SMEARS = (0.3, 0.45, 0.6, 0.8, 1.1, 1.5, 2.0, 2.7, 3.6, 5.0, 7.0, 10.0)
"""In levels."""
_LEAST_STEP = 3
_ROUNDING, _WIDER = 0.29, (0.33, 0.42, 0.53, 0.7)
"""In levels: how far the coefficients of a JPEG lie from their lattice, and those of answers."""
_LEAST_STEP_WITH_MIDDLE = 2
_LEAD_NEEDED = {2.0: -0.015, 5.0: -0.065, np.inf: 0.08}
"""Nats a coefficient by which an answer must explain them better than a smear does, by the median step up to
which that holds.  Of answers by the models that ship to training pictures 93 % are ahead by 0.08, of JPEGs
smeared in 19 ways 5 %.  With fine steps, of quality 85 and above, rounding leaves little to tell the two
by, and what was smeared seldom keeps off their walls."""


@dataclass(frozen=True)
class KeptCells:
    """The cells of a libjpeg table whose walls a picture's coefficients keep off.

    Attributes
    ----------
    evidence : float
        Log likelihood ratio against no table at all, on the best grid before the second best.  The
        coefficients of a JPEG keep off the walls too, but its own table explains them better.
    phase : (int, int)
        Row and column of the first corner of the grid.
    as_answer : bool
        Whether they lie in the cells as those of an answer do, rather than as a JPEG's that were smeared.
    """

    evidence: float
    phase: tuple[int, int]
    as_answer: bool


def kept_cells(histograms: NDArray[np.float32], frequencies: NDArray[np.int_]) -> KeptCells:
    """Find the cells that coefficients keep to.

    Parameters
    ----------
    histograms : ndarray, shape (64, K, bins)
        Of K frequencies on all grids, as `lattice.coefficient_histograms` counts them.
    frequencies : ndarray of int, shape (K,)
        Which frequencies they are, in natural order.

    Returns
    -------
    KeptCells
    """
    by_step = histograms.reshape(-1, histograms.shape[-1]) @ _evidence_by_bin()
    by_step = by_step.reshape(*histograms.shape[:2], -1)
    by_quality = lattice.quality_evidence(by_step, frequencies=frequencies)
    score = by_quality.max(axis=1)
    second, best = np.argsort(score)[-2:]
    evidence = float(score[best] - max(score[second], 0))
    steps = quality_table(int(by_quality[best].argmax()) + 1).ravel()[frequencies]
    as_answer = evidence > EVIDENCE_NEEDED and _lies_as_answer(histograms[best], steps)
    return KeptCells(evidence, (int(best) // 8, int(best) % 8), as_answer)


def spread_over_lattice(histograms: NDArray[np.float32], table: NDArray[np.int_]) -> float:
    """Tell by how much a spread wider than that of rounding fits a picture better than lying on its lattice.

    Steps of a few levels, of quality 93 and above, do not let coefficients lie off the walls of their cells
    any more than on the lattice.  But an answer lies about the middles of the cells, and a JPEG in them.

    Parameters
    ----------
    histograms : ndarray, shape (64, bins)
        Of all frequencies on the picture's grid, as `lattice.coefficient_histograms` counts them.
    table : ndarray of int, shape (8, 8)
        Its steps.

    Returns
    -------
    float
        Log likelihood ratio in nats; JPEGs have less than 0.
    """
    step = table.reshape(-1, 1).astype(np.float64)
    counts, residue = _counts_and_residues(histograms, step, _LEAST_STEP_WITH_MIDDLE)

    def likelihood(spread: float) -> float:
        return _likelihood(counts, step, _about_the_middle(residue, step, spread))

    return max(map(likelihood, _WIDER)) - likelihood(_ROUNDING)


def _lies_as_answer(histogram: NDArray[np.float32], steps: NDArray[np.int_]) -> bool:
    """Compare the likelihoods of an answer's coefficients and of smeared ones, shape (K, bins)."""
    from scipy.special import ndtr

    step = steps[:, np.newaxis].astype(np.float64)
    counts, residue = _counts_and_residues(histogram, step, _LEAST_STEP)

    def smeared(spread: float) -> float:
        return _likelihood(counts, step, _about_the_middle(residue, step, float(np.hypot(spread, _NOISE))))

    def answered(spread: float) -> float:
        wide = np.hypot(spread * step, _NOISE)
        wall = step / 2 - np.minimum(MARGIN_STEPS * step, MARGIN_LEVELS)
        far, near = ((side * (wall + _NOISE) + _PULL * step) / wide for side in (1, -1))
        density = _normal((residue + _PULL * step) / wide) / wide / (ndtr(far) - ndtr(near))
        density *= np.exp(-((np.maximum(np.abs(residue) - wall, 0) / _NOISE) ** 2) / 2)
        return _likelihood(counts, step, density)

    lead = max(map(answered, _SPREADS)) - max(map(smeared, _SMEARS))
    needed = next(nats for most, nats in _LEAD_NEEDED.items() if np.median(steps) <= most)
    return bool(lead > needed * counts.sum())


def _counts_and_residues(
    histograms: NDArray[np.float32], step: NDArray[np.float64], least_step: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often coefficients lie in each bin, and how far the bin is from the middle of its cell.

    Those of the cell of 0 are not counted, nor those of finer steps than the least.
    """
    center = (np.arange(lattice.BINS) + 0.5) / lattice.BINS_PER_LEVEL
    index = np.rint(center / step)
    counts = np.where((index > 0) & (step >= least_step), histograms, 0).astype(np.float64)
    return counts, center - step * index


def _likelihood(
    counts: NDArray[np.float64], step: NDArray[np.float64], density: NDArray[np.float64]
) -> float:
    """Return the log likelihood ratio, in nats, of a density over the cells against an even one."""
    return float((counts * np.log((1 - _OUTLIERS) * density * step + _OUTLIERS)).sum())


def _about_the_middle(
    residue: NDArray[np.float64], step: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Return the density of coefficients that lie about the middles of the cells, and of the next ones."""
    turns = (_normal((residue + turn * step) / spread) / spread for turn in (-1, 0, 1))
    return np.asarray(sum(turns))


def _normal(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-(deviation**2) / 2) / np.sqrt(2 * np.pi))


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
