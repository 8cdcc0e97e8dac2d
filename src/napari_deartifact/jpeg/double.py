"""Traces of an earlier compression in a picture whose last one is known.

Shifted against the last grid, the coefficients of the first one are still crowded around multiples of
its steps.  On the same grid, a coarser first quantization leaves some multiples of the last step empty.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.lattice import BINS_PER_LEVEL, LARGEST_COEFFICIENT, PHASES
from napari_deartifact.jpeg.tables import quality_table

_SHIFTED_NEEDED = 4.0
"""Standard errors by which the first grid must be ahead of the next best."""
_ALIGNED_NEEDED = 20.0
"""Nats."""
_QUALITIES = range(5, 97)
_MERGED_BINS = 4
_MOST_INDICES = 64
_LEAST_COEFFICIENTS = 8
_OUTLIERS = 0.03
_NOISE = 0.29
"""Standard deviation of an error that is uniform over a step of 1."""


def earlier_grid(
    histograms: NDArray[np.float32],
    frequencies: NDArray[np.int_],
    phase: tuple[int, int],
    table: NDArray[np.int_],
) -> tuple[int, int] | None:
    """Find the grid of a compression before the last one.

    Parameters
    ----------
    histograms : ndarray, shape (64, K, bins)
        Magnitudes of K frequencies on all grids, as
        :func:`~napari_deartifact.jpeg.lattice.coefficient_histograms` counts them.
    frequencies : ndarray of int, shape (K,)
        Which frequencies they are, in natural order.
    phase : (int, int)
        The grid of the last compression.
    table : ndarray of int, shape (8, 8)
        Its luma table.

    Returns
    -------
    (int, int) or None
        Row and column of its first corner, 0 to 7, which may be `phase`; None without traces of it.

    Notes
    -----
    A first compression that was much finer than the last leaves nothing to see.

    References
    ----------
    .. [1] J. Lukáš and J. Fridrich, "Estimation of primary quantization matrix in double compressed JPEG
           images", Digital Forensic Research Workshop, 2003.
    .. [2] T. Bianchi and A. Piva, "Detection of nonaligned double JPEG compression based on integer
           periodicity maps", IEEE Transactions on Information Forensics and Security 7(2), 2012,
           :doi:`10.1109/TIFS.2011.2170836`.
    """
    own = 8 * phase[0] + phase[1]
    steps = table.ravel()[frequencies]
    # First, as what was aligned shows faintly on grids half a block away as well, and never the other way.
    if aligned_evidence(histograms[own], frequencies, steps) > _ALIGNED_NEEDED:
        return phase
    lead, other = shifted_lead(histograms, frequencies, own, steps)
    return (other // 8, other % 8) if lead > _SHIFTED_NEEDED else None


def shifted_lead(
    histograms: NDArray[np.float32], frequencies: NDArray[np.int_], own: int, steps: NDArray[np.int_]
) -> tuple[float, int]:
    """Return by how many standard errors the best other grid is ahead of the second best, and its number.

    Every grid is asked how far its coefficients crowd around the multiples of some earlier table: the
    mean cosine of their phase in the step.  Frequencies count by how much of that the last quantization,
    which is noise on other grids, leaves.  What all grids have in common is no evidence.
    """
    wave, counts, first = _waves(tuple(int(frequency) for frequency in frequencies))
    merged = histograms.reshape(PHASES, len(frequencies), -1, _MERGED_BINS).sum(axis=-1).transpose(1, 0, 2)
    noise = _NOISE * np.sqrt((np.mean(steps**2.0) + steps**2.0) / 2)
    weight = np.exp(-2 * (np.pi * noise[:, np.newaxis] / first) ** 2)[:, np.newaxis].astype(np.float32)
    variance = ((merged @ counts) * weight**2 / 2).sum(axis=0)
    crowding = ((merged @ wave) * weight).sum(axis=0) / np.sqrt(variance + 4)
    others = np.delete(crowding, own, axis=0)
    enough = np.median(np.delete(variance, own, axis=0), axis=0) > 2
    if not enough.any():
        return 0.0, own
    best = (others - np.median(others, axis=0))[:, enough].max(axis=1)
    second, most = np.argsort(best)[-2:]
    return float(best[most] - best[second]), int(most + (most >= own))


@lru_cache(maxsize=1)
def _waves(
    frequencies: tuple[int, ...],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return cosine and count of every magnitude, shape (K, bins, qualities), and the steps (K, qualities).

    Magnitudes below half a step are left out: they are 0 in any table.
    """
    bins = BINS_PER_LEVEL * LARGEST_COEFFICIENT // _MERGED_BINS
    magnitude = (np.arange(bins, dtype=np.float32) + 0.5) * _MERGED_BINS / BINS_PER_LEVEL
    first = np.stack([quality_table(quality).ravel()[list(frequencies)] for quality in _QUALITIES], axis=1)
    step = first[:, np.newaxis].astype(np.float32)
    turns = magnitude[:, np.newaxis] / step
    counts = (turns >= 0.5).astype(np.float32)
    return np.cos(2 * np.pi * turns).astype(np.float32) * counts, counts, first.astype(np.float32)


def aligned_evidence(
    histograms: NDArray[np.float32], frequencies: NDArray[np.int_], steps: NDArray[np.int_]
) -> float:
    """Return the nats by which the likeliest coarser first table beats none, on the last grid.

    Parameters
    ----------
    histograms : ndarray, shape (K, bins)
    frequencies, steps : ndarray of int, shape (K,)
        Of the last table.
    """
    first = np.stack([quality_table(quality).ravel()[frequencies] for quality in _QUALITIES], axis=1)
    evidence = np.zeros(len(_QUALITIES))
    for histogram, candidates, step in zip(histograms, first, steps, strict=True):
        distinct, order = np.unique(candidates, return_inverse=True)
        evidence += _index_evidence(_index_counts(histogram, int(step)), distinct, int(step))[order]
    return float(evidence.max())


def _index_counts(histogram: NDArray[np.float32], step: int) -> NDArray[np.float64]:
    """Count quantization indices, 0 to 63, of either sign."""
    center = (np.arange(len(histogram)) + 0.5) / BINS_PER_LEVEL
    index = np.minimum(np.rint(center / step).astype(int), _MOST_INDICES)
    counts = np.bincount(index, weights=histogram, minlength=_MOST_INDICES + 1)
    return counts[:_MOST_INDICES].astype(np.float64)


def _index_evidence(counts: NDArray[np.float64], first: NDArray[np.int_], step: int) -> NDArray[np.float64]:
    """Return log likelihood ratios of the first steps, shape (Q,); 0 where they cannot be told.

    Without a first compression magnitudes fall off geometrically; with one the same, times the share of
    its multiples that come to lie in each cell of the last step.
    """
    index = np.arange(_MOST_INDICES)
    lowest = np.floor(first / (2 * step)).astype(int)[:, np.newaxis] + 1
    beyond = np.where(index >= lowest, counts, 0)
    number = beyond.sum(axis=1, keepdims=True)
    mean = (beyond * (index - lowest)).sum(axis=1, keepdims=True) / np.maximum(number, 1)
    density = np.where(index >= lowest, (mean / (1 + mean) + 1e-9) ** np.maximum(index - lowest, 0), 0)
    density /= np.maximum(density.sum(axis=1, keepdims=True), 1e-9)
    share = (1 - _OUTLIERS) * _shares(tuple(first.tolist()), step) + _OUTLIERS
    expected = np.maximum((density * share).sum(axis=1), 1e-9)
    evidence = (beyond * np.log(share)).sum(axis=1) - number[:, 0] * np.log(expected)
    return np.where((first > step) & (number[:, 0] >= _LEAST_COEFFICIENTS), evidence, 0)


@lru_cache(maxsize=64)
def _shares(first: tuple[int, ...], step: int) -> NDArray[np.float64]:
    """Return how many multiples of each first step fall into each cell, by what is expected of any."""
    from scipy.special import ndtr

    ratio = np.array(first)[:, np.newaxis] / step
    place = np.arange(1, _MOST_INDICES + 1) * ratio
    spread = 1.2 * _NOISE / step
    rows = np.arange(len(first))[:, np.newaxis]
    shares = np.zeros((len(first), _MOST_INDICES + 1))
    for turn in (-1, 0, 1):
        cell = np.rint(place) + turn
        chance = ndtr((cell + 0.5 - place) / spread) - ndtr((cell - 0.5 - place) / spread)
        np.add.at(shares, (rows, np.minimum(cell, _MOST_INDICES).astype(int)), chance)
    return shares[:, :_MOST_INDICES] * ratio
