"""Do DCT coefficients sit on a quantization lattice?  The likelihood of every step size, by histogram.

A decoder rounds samples to whole levels, which moves each DCT coefficient by about 0.29 off the
multiple of its step.  Coefficients of a picture that was not quantized on the grid in question lie
between the multiples as often as on them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_deartifact.jpeg.tables import quality_table

LARGEST_STEP = 255
PHASES = 64

BINS_PER_LEVEL = 8
LARGEST_COEFFICIENT = 256
BINS = BINS_PER_LEVEL * LARGEST_COEFFICIENT
# Variance of a coefficient of samples rounded to whole levels, and of the bin that it falls into.
_VARIANCE = (1 + BINS_PER_LEVEL**-2) / 12
ZERO = 1.25
"""Below this a coefficient may have been quantized to 0, which fits every step and says nothing."""
_OUTLIERS = 0.03
_LEAST_CHANGES = 28
"""Of a block's 56 pairs of neighbours along Y, and of those along X, so many differ in texture."""


def dct_basis() -> NDArray[np.float32]:
    """Return the orthonormal 8-point DCT-II, frequency first, shape (8, 8)."""
    frequency = np.arange(8)[:, np.newaxis]
    basis = np.cos(np.pi * frequency * (2 * np.arange(8) + 1) / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


@lru_cache(maxsize=1)
def _evidence_by_bin() -> NDArray[np.float32]:
    """Log likelihood ratio, lattice of a step against no lattice, shape (bins, steps)."""
    center = (np.arange(BINS, dtype=np.float32)[:, np.newaxis] + 0.5) / BINS_PER_LEVEL
    steps = np.arange(1, LARGEST_STEP + 1, dtype=np.float32)
    residue = center - steps * np.rint(center / steps)
    wrapped = sum(
        np.exp(-((residue + turn * steps) ** 2) / (2 * _VARIANCE)) for turn in (-2, -1, 0, 1, 2)
    ) / np.sqrt(2 * np.pi * _VARIANCE)
    evidence: NDArray[np.float32] = np.log((1 - _OUTLIERS) * wrapped * steps + _OUTLIERS).astype(np.float32)
    evidence[center[:, 0] < ZERO] = 0
    return evidence


def coefficient_histograms(coefficients: NDArray[np.floating]) -> NDArray[np.float32]:
    """Count magnitudes.

    Parameters
    ----------
    coefficients : ndarray, shape (K, N)
        N coefficients of each of K frequencies; NaN is not counted.

    Returns
    -------
    ndarray of float32, shape (K, bins)
    """
    bins = np.fmin(np.abs(coefficients) * np.float32(BINS_PER_LEVEL), np.float32(BINS))
    index = bins.astype(np.int32)
    index += np.arange(len(index), dtype=np.int32)[:, np.newaxis] * (BINS + 1)
    counts = np.bincount(index.ravel(), minlength=len(index) * (BINS + 1))
    return counts.reshape(len(index), BINS + 1)[:, :BINS].astype(np.float32)


def step_evidence(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weigh every step size.

    Parameters
    ----------
    histograms : ndarray, shape (K, bins)

    Returns
    -------
    ndarray of float32, shape (K, 255)
        Log likelihood ratio, in nats, of the steps 1 to 255 against no quantization.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> quantized = 12 * np.rint(rng.normal(0, 40, (1, 999)) / 12) + rng.normal(0, 0.29, (1, 999))
    >>> int(step_evidence(coefficient_histograms(quantized)).argmax()) + 1
    12
    """
    evidence: NDArray[np.float32] = histograms @ _evidence_by_bin()
    return evidence


@lru_cache(maxsize=2)
def _table_indices(chroma: bool) -> NDArray[np.int_]:
    return np.stack([quality_table(q, chroma=chroma).ravel() for q in range(1, 101)]) - 1


def quality_evidence(
    evidence: NDArray[np.float32],
    *,
    chroma: bool = False,
    frequencies: NDArray[np.int_] | slice = slice(None),
) -> NDArray[np.float32]:
    """Add up a block's frequencies for each libjpeg quality.

    Parameters
    ----------
    evidence : ndarray, shape (..., K, 255)
        As `step_evidence`.
    chroma : bool
        Test the tables of Cb and Cr.
    frequencies : ndarray of int, shape (K,)
        Which frequencies they are, in natural order; by default all 64.

    Returns
    -------
    ndarray of float32, shape (..., 100)
        For the qualities 1 to 100.
    """
    indices = _table_indices(chroma)[:, frequencies]
    total: NDArray[np.float32] = np.take_along_axis(
        evidence, np.broadcast_to(indices.T, (*evidence.shape[:-1], 100)), axis=-1
    ).sum(axis=-2)
    return total


def free_evidence(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up the best step of each frequency, less what choosing among 255 costs; shape (...)."""
    choice = np.float32(np.log(LARGEST_STEP))
    total: NDArray[np.float32] = np.maximum(evidence.max(axis=-1) - choice, 0).sum(axis=-1)
    return total


def coefficients_at_phase(
    plane: NDArray[np.float32], phase: tuple[int, int], least_changes: int = _LEAST_CHANGES
) -> NDArray[np.float32]:
    """Transform a plane's whole blocks on one grid.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        Level-shifted.  Blocks with NaN, and those of too little texture, give NaN.
    phase : (int, int)
        Row and column of the first corner, 0 to 7.
    least_changes : int
        Of the 56 pairs of neighbours along Y and of those along X, more than so many differ in texture.

    Returns
    -------
    ndarray of float32, shape (64, blocks)
    """
    rows, columns = ((size - start) // 8 for size, start in zip(plane.shape, phase, strict=True))
    cut = plane[phase[0] : phase[0] + 8 * rows, phase[1] : phase[1] + 8 * columns]
    blocks = cut.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    basis = dct_basis()
    coefficients = (basis @ blocks @ basis.T).reshape(-1, 64)
    changes = [np.count_nonzero(np.diff(blocks, axis=axis), axis=(1, 2)) for axis in (1, 2)]
    textured = np.minimum(*changes) > least_changes
    return np.where(textured[:, np.newaxis], coefficients, np.float32(np.nan)).T


def coefficients_at_all_phases(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform the block that each of the 64 grids cuts from each patch.

    Parameters
    ----------
    patches : ndarray, shape (N, 15, 15)
        Level-shifted, first pixels on multiples of 8.

    Returns
    -------
    ndarray of float32, shape (64, 64, N)
        By phase (8 times the row plus the column of the first corner), frequency and patch.
    """
    basis = dct_basis()
    rows = sliding_window_view(patches, 8, axis=1) @ basis.T  # patch, row phase, column, frequency
    both = sliding_window_view(rows, 8, axis=2) @ basis.T  # patch, row phase, column phase, v, u
    coefficients = both.reshape(len(patches), PHASES, 64)
    textured = _textured(patches).reshape(len(patches), PHASES, 1)
    return np.where(textured, coefficients, np.float32(np.nan)).transpose(1, 2, 0)


def _textured(patches: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which 8×8 windows have texture, shape (N, Y - 7, X - 7).

    Where most neighbours are equal there are flat areas and steps between them, and these are on a
    lattice of their own: rounding errors are no noise there, and steps are whole levels.
    """
    down = _window_counts(np.diff(patches, axis=1) != 0, 7, 8)
    across = _window_counts(np.diff(patches, axis=2) != 0, 8, 7)
    textured: NDArray[np.bool_] = np.minimum(down, across) > _LEAST_CHANGES
    return textured


def _window_counts(flags: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.int16]:
    """Count the true ones in every window, shape (N, Y - rows + 1, X - columns + 1)."""
    sums = np.zeros((len(flags), flags.shape[1] + 1, flags.shape[2] + 1), np.int16)
    flags.cumsum(axis=1, dtype=np.int16, out=sums[:, 1:, 1:]).cumsum(axis=2, out=sums[:, 1:, 1:])
    by_row = sums[:, rows:] - sums[:, :-rows]
    counts: NDArray[np.int16] = by_row[:, :, columns:] - by_row[:, :, :-columns]
    return counts
