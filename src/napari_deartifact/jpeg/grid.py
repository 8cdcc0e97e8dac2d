"""The 8×8 grid on which a picture was compressed last, out of the 64 that there may be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_deartifact.jpeg import lattice
from napari_deartifact.jpeg.flat import flat_block_evidence, mosaic_phase
from napari_deartifact.jpeg.tables import quality_table

EVIDENCE_NEEDED = 20.0
"""Nats by which the best grid must beat both "no lattice" and every other grid."""
# Not DC: flat blocks of whole levels have it on a lattice of 8 without any JPEG.
FREQUENCIES = np.flatnonzero(np.indices((8, 8)).sum(axis=0).ravel() <= 5)[1:]
"""What grids are told by, in natural order."""

_NEEDED_OF_FLAT_BLOCKS = 10.0
_LEAST_STEP_OF_FLAT_BLOCKS = 24
"""Finer DC steps, of less than three levels, fit too many mosaics."""
_COST_OF_OWN_TABLE = 50.0
_MOST_PATCHES = 768
_MOST_BLOCKS = 16384


@dataclass(frozen=True)
class Grid:
    """The likeliest grid.

    Attributes
    ----------
    phase : (int, int)
        Row and column of its first corner.
    margin : float
        Nats by which it beats both "no lattice" and every other grid.
    support : int
        How many coefficients of textured blocks could lie off a lattice.
    histograms : ndarray, shape (64, K, bins)
        Of `FREQUENCIES` on all grids.
    flat_blocks : ndarray, shape (255,)
        Evidence of the levels of flat blocks for each DC step.
    """

    phase: tuple[int, int]
    margin: float
    support: int
    histograms: NDArray[np.float32]
    flat_blocks: NDArray[np.float32]


def find_grid(luma: NDArray[np.float32]) -> Grid:
    """Find the grid on whose lattice the coefficients of textured blocks lie."""
    coefficients = lattice.coefficients_at_all_phases(_patches(luma))[:, FREQUENCIES]
    histograms = lattice.coefficient_histograms(
        coefficients.reshape(lattice.PHASES * len(FREQUENCIES), coefficients.shape[2])
    )
    evidence = lattice.step_evidence(histograms).reshape(lattice.PHASES, len(FREQUENCIES), -1)
    histograms = histograms.reshape(lattice.PHASES, len(FREQUENCIES), -1)
    standard = lattice.quality_evidence(evidence, frequencies=FREQUENCIES).max(axis=1)
    score = np.maximum(standard, lattice.free_evidence(evidence) - _COST_OF_OWN_TABLE)
    second, best = np.argsort(score)[-2:]
    support = int(np.count_nonzero(np.abs(coefficients[best]) > lattice.ZERO))
    margin = float(min(score[best], score[best] - score[second]))
    phase = int(best) // 8, int(best) % 8
    return Grid(phase, margin, support, histograms, np.zeros(lattice.LARGEST_STEP, np.float32))


def find_mosaic(luma: NDArray[np.float32], grid: Grid) -> Grid:
    """Return the grid of a picture of which little but the means of the blocks survived, else `grid`."""
    phase = mosaic_phase(luma)
    if phase is None:
        return grid
    evidence = lattice.step_evidence(grid_histograms(luma, phase))
    flat_blocks = flat_block_evidence(luma, phase)
    evidence[0] += flat_blocks
    by_quality = lattice.quality_evidence(evidence)
    step = quality_table(int(by_quality.argmax()) + 1)[0, 0]
    nats = float(min(flat_blocks[step - 1], by_quality.max()))
    if step < _LEAST_STEP_OF_FLAT_BLOCKS or nats < _NEEDED_OF_FLAT_BLOCKS:
        return grid
    return replace(grid, phase=phase, margin=EVIDENCE_NEEDED + nats, flat_blocks=flat_blocks)


def _patches(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut patches of 15×15 from textured parts, evenly over the picture; clipped pixels are NaN."""
    windows = sliding_window_view(luma, (15, 15))[::8, ::8].reshape(-1, 15, 15)
    patches = windows[:: max(1, len(windows) // (4 * _MOST_PATCHES))]
    known = np.isfinite(patches).mean(axis=(1, 2))
    filled = np.nan_to_num(patches)
    variance = (filled**2).mean(axis=(1, 2)) * known - filled.mean(axis=(1, 2)) ** 2
    chosen = np.flatnonzero((known > 0.3) & (variance > 0.25))
    if len(chosen) > _MOST_PATCHES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_PATCHES).astype(int)]
    return np.ascontiguousarray(patches[chosen])


def grid_histograms(plane: NDArray[np.float32], phase: tuple[int, int]) -> NDArray[np.float32]:
    """Count the coefficients of every frequency on one grid, shape (64, bins)."""
    coefficients = lattice.coefficients_at_phase(plane, phase)
    coefficients = coefficients[:, :: -(-coefficients.shape[1] // _MOST_BLOCKS) or 1]
    return lattice.coefficient_histograms(coefficients)
