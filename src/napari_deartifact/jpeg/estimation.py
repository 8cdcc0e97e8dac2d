"""What JPEG did to a picture, told by its pixels alone: the grid, the tables, or that there was none.

On the right 8×8 grid a JPEG's DCT coefficients lie on the multiples of its quantization steps; on the
63 others, and in pictures that were never compressed, they do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg import lattice, restored
from napari_deartifact.jpeg.calibration import probability_of_compression, probability_of_jpeg, tells_enough
from napari_deartifact.jpeg.chroma import undo_interpolation
from napari_deartifact.jpeg.double import earlier_grid
from napari_deartifact.jpeg.estimate import JPEGEstimate
from napari_deartifact.jpeg.grid import (
    EVIDENCE_NEEDED,
    FREQUENCIES,
    Grid,
    find_grid,
    find_mosaic,
    grid_histograms,
)
from napari_deartifact.jpeg.levels import PictureLevels, picture_levels
from napari_deartifact.jpeg.restored import KeptCells, kept_cells, spread_over_lattice
from napari_deartifact.jpeg.tables import nearest_quality, quality_table
from napari_deartifact.jpeg.traces import Traces, find_traces

_MOST_PROBABLE_FOR_NONE = 0.5
"""Probability of compression up to which a picture passes for clean."""
_ANSWER = JPEGEstimate(False, 0.95, is_restored=True)
"""So sure, if of the pictures that keep to their cells every second one is an answer: see `jpeg.restored`."""
_NO_CELLS = KeptCells(0.0, (0, 0), as_answer=False)
_COST_OF_OWN_QUALITY = 200.0
_FREQUENCIES_OF_OWN_TABLE = 6
_SHARE_OF_ANY_STEPS = 0.5
"""Of the evidence for the best step of each frequency, which chance alone raises a little."""
_QUALITIES_OF_ANSWERS = range(50, 96)
"""At which answers may come so near to the middles of their cells that these show as a lattice."""
_FINE_QUALITY = 93
"""From which on answers lie on the lattice more than off the walls."""
_LEAST_STEP_WITH_MULTIPLES = 3
_CHROMA_SIDE = 384
_LEAST_CHANGES_OF_CHROMA = 5
"""Colour is smoother than luma, and on a grid that is known graphics mislead less."""
_CHROMA_FREQUENCIES = np.r_[0, FREQUENCIES]
_HALVED_AXES = {
    "4:2:0": (True, True),
    "4:2:2": (False, True),
    "4:4:4": (False, False),
    "4:4:0": (True, False),
}


def estimate_jpeg(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    data_range: float | Sequence[float] | None = None,
) -> JPEGEstimate:
    """Estimate a picture's JPEG history from its pixels.

    Parameters
    ----------
    image : array-like, shape (Y, X), or with a channel axis
        A grey picture, or an RGB or RGBA one.  Where pixels are NaN nothing is read.
    channel_axis : int, optional
        The axis of the colours.
    data_range : number or (number, number), optional
        Black and white.  By default the intensities tell: integers are levels as they are, or levels that
        were multiplied or shifted, as by an 8-bit picture's way into 16 bits; floats are levels when they
        are whole or evenly spaced, else 0 to 1 or 0 to 255 if they fill it, else their minimum to maximum.

    Returns
    -------
    JPEGEstimate

    Raises
    ------
    ValueError
        For an array that is not one picture, and a range whose white is not above its black.
    TypeError
        For a dtype that is no image's, and a range that is neither a number nor two.

    Notes
    -----
    For each frequency and each step the likelihood of the coefficients is compared with that of no
    quantization; the sum over the frequencies of the best table is the evidence.  Blocks with black or
    white pixels are left out, because clipping moves their coefficients.  Where little but flat blocks is
    left, their levels and the differences across the grid stand in.

    Without a lattice, a grid of another period or angle in the spectrum of differences, and
    noise that is missing, are traces of a codec; see :func:`~napari_deartifact.jpeg.traces.find_traces`.
    Only a picture without them, and with enough texture to show them, has the history ``"none"``.
    Pictures that were enlarged show the traces of interpolation and are uncertain, whatever they were.

    The rarest intensities, one in two thousand at either end, are not asked for the range.

    References
    ----------
    .. [1] Z. Fan and R. L. de Queiroz, "Identification of bitmap compression history: JPEG detection and
           quantizer estimation", IEEE Transactions on Image Processing 12(2), 2003,
           :doi:`10.1109/TIP.2002.807361`.

    Examples
    --------
    >>> from skimage.data import camera
    >>> estimate_jpeg(camera()[:96, :96]).is_jpeg
    False
    """
    picture = picture_levels(image, channel_axis, data_range)
    luma = picture.luma()
    if min(luma.shape) < 16:
        return JPEGEstimate(False, 0.0)
    grid = find_grid(luma)
    kept = kept_cells(grid.histograms, FREQUENCIES) if picture.scale.known else _NO_CELLS
    if grid.margin < EVIDENCE_NEEDED and kept.as_answer:
        return _ANSWER
    if grid.margin < EVIDENCE_NEEDED:
        grid = find_mosaic(luma, grid)
    if grid.margin < EVIDENCE_NEEDED:
        return _smeared(kept) or _without_lattice(grid, find_traces(picture.luma_parts()))
    histograms = grid_histograms(luma, grid.phase)
    evidence = lattice.step_evidence(histograms)
    evidence[0] += grid.flat_blocks
    table = _table(evidence)
    quality = nearest_quality(table)
    if _is_answer(kept, grid.margin, table, quality):
        return _ANSWER
    if quality >= _FINE_QUALITY and spread_over_lattice(histograms, table) > EVIDENCE_NEEDED:
        return _ANSWER
    if table.max() == 1:
        # Whole numbers alone pass for this table.
        return _smeared(kept) or JPEGEstimate(False, 0.0)
    offset = _offset(grid.phase)
    sampling = "grey"
    tables: tuple[NDArray[np.int_], ...] = (table,)
    knows_chroma = True
    if picture.is_colour:
        sampling, offset, chroma, knows_chroma = _chroma(picture, offset, quality)
        tables = (table, chroma, chroma)
    return JPEGEstimate(
        True,
        probability_of_jpeg(grid.margin),
        quality,
        grid.phase,
        tuple(tuple(int(step) for step in steps.ravel()) for steps in tables),
        earlier_grid(grid.histograms, FREQUENCIES, grid.phase, table),
        sampling,
        offset,
        picture.precision,
        data_range=(picture.scale.black, picture.scale.white),
        knows_chroma=knows_chroma,
    )


def _offset(phase: tuple[int, int]) -> tuple[int, int]:
    """Return the place of the first pixel in its block, given the first block's corner."""
    return -phase[0] % 8, -phase[1] % 8


def _is_answer(kept: KeptCells, lattice_margin: float, table: NDArray[np.int_], quality: int) -> bool:
    """Tell an answer near the middles of its cells from the JPEG that lies on them.

    Where steps are about as fine as the rounding of pixels nothing tells one from the other.
    """
    if not kept.as_answer:
        return False
    if table.max() == 1:
        return kept.evidence > 2 * lattice_margin
    return kept.evidence > lattice_margin and quality in _QUALITIES_OF_ANSWERS


def _smeared(kept: KeptCells) -> JPEGEstimate | None:
    """Tell of a JPEG that was changed a little since: not on its lattice any more, but on its grid."""
    if kept.evidence <= restored.EVIDENCE_NEEDED:
        return None
    return JPEGEstimate(False, probability_of_jpeg(kept.evidence), offset=_offset(kept.phase))


def _without_lattice(grid: Grid, traces: Traces | None) -> JPEGEstimate:
    """Tell a picture that was never compressed from one that does not show it on a grid of 8."""
    if traces is None:
        return JPEGEstimate(False, 0.0)
    compressed = probability_of_compression(traces)
    if not tells_enough(traces, grid.support):
        return JPEGEstimate(False, max(compressed, 0.5))
    clean = compressed < _MOST_PROBABLE_FOR_NONE
    return JPEGEstimate(False, 1 - compressed if clean else compressed, is_clean=clean)


def _table(evidence: NDArray[np.float32]) -> NDArray[np.int_]:
    """Return the most likely luma table, shape (8, 8): libjpeg's unless many frequencies deny it.

    A multiple of libjpeg's step denies nothing: an earlier and coarser compression leaves such gaps.
    """
    standard = quality_table(int(lattice.quality_evidence(evidence).argmax()) + 1)
    expected = standard.ravel()
    step, certainty = evidence.argmax(axis=1) + 1, evidence.max(axis=1)
    certain = certainty > EVIDENCE_NEEDED
    denied = certain & (certainty - evidence[np.arange(64), expected - 1] > EVIDENCE_NEEDED)
    denied &= (step % expected > 0) | (expected < _LEAST_STEP_WITH_MULTIPLES)
    if denied.sum() < _FREQUENCIES_OF_OWN_TABLE:
        return standard
    known = np.where(certain, step, 0).reshape(8, 8)
    return np.where(known > 0, known, quality_table(_quality_of_part(known)))


def _quality_of_part(table: NDArray[np.int_]) -> int:
    """Return the quality whose luma table is nearest where the steps are known, that is not 0."""
    known = table > 0
    distance = [
        np.abs(np.log(quality_table(quality)[known] / table[known])).mean() for quality in range(1, 101)
    ]
    return int(np.argmin(distance)) + 1


def _chroma(
    picture: PictureLevels, offset: tuple[int, int], quality: int
) -> tuple[str, tuple[int, int], NDArray[np.int_], bool]:
    """Return the sampling, the first pixel's place in the coded unit, chroma's table, and if they are sure.

    The likeliest of all samplings and places, by the same evidence as luma's, and with luma's quality
    unless another is much likelier.  Colours too smooth to tell are taken as libjpeg's default, 4:2:0.
    They are sure if there is evidence for them, and not much more for steps that are no libjpeg's.
    """
    planes = picture.chroma()[:, :_CHROMA_SIDE, :_CHROMA_SIDE]
    answer = "4:2:0", offset, quality_table(quality, chroma=True), False
    best = -np.inf
    for sampling, halved in _HALVED_AXES.items():
        samples = _samples(planes, halved, offset)
        for place in _places(offset, halved):
            start = [-(at // (1 + half)) % 8 for at, half in zip(place, halved, strict=True)]
            evidence = _chroma_evidence(samples, (start[0], start[1]))
            scores = lattice.quality_evidence(evidence, chroma=True, frequencies=_CHROMA_FREQUENCIES)
            expected, most = float(scores[max(quality - 3, 0) : quality + 2].max()), float(scores.max())
            if max(expected, most - _COST_OF_OWN_QUALITY) > best:
                best = max(expected, most - _COST_OF_OWN_QUALITY)
                as_luma = most - max(scores[quality - 1], 0) < _COST_OF_OWN_QUALITY
                table = quality_table(quality if as_luma else int(scores.argmax()) + 1, chroma=True)
                answer = sampling, place, table, _is_sure(evidence, table)
    return answer


def _is_sure(evidence: NDArray[np.float32], table: NDArray[np.int_]) -> bool:
    """Say whether a table has evidence, most of what any steps have, and no frequency against it."""
    steps = table.ravel()[_CHROMA_FREQUENCIES]
    own, most = evidence[np.arange(len(steps)), steps - 1], evidence.max(axis=1)
    if ((most > EVIDENCE_NEEDED) & (most - own > EVIDENCE_NEEDED)).any():
        return False
    return bool(own.sum() > max(EVIDENCE_NEEDED, _SHARE_OF_ANY_STEPS * most.sum()))


def _chroma_evidence(samples: list[NDArray[np.float32]], phase: tuple[int, int]) -> NDArray[np.float32]:
    """Weigh all steps, shape (K, 255)."""
    coefficients = np.concatenate(
        [
            lattice.coefficients_at_phase(plane, phase, _LEAST_CHANGES_OF_CHROMA)[_CHROMA_FREQUENCIES]
            for plane in samples
        ],
        axis=1,
    )
    return lattice.step_evidence(lattice.coefficient_histograms(coefficients))


def _places(offset: tuple[int, int], halved: tuple[bool, bool]) -> list[tuple[int, int]]:
    rows, columns = ([at, at + 8] if half else [at] for at, half in zip(offset, halved, strict=True))
    return [(row, column) for row in rows for column in columns]


def _samples(
    planes: NDArray[np.float32], halved: tuple[bool, bool], offset: tuple[int, int]
) -> list[NDArray[np.float32]]:
    """Return chroma at its own resolution, whole levels, NaN where a clipped pixel had a say."""
    # A pixel is known in both planes or in neither.
    stack = [*np.nan_to_num(planes).astype(np.float64), np.isnan(planes[0]).astype(np.float64)]
    for axis in (0, 1):
        if halved[axis]:
            stack = [undo_interpolation(values, axis, offset[axis] % 2) for values in stack]
    *samples, unknown = stack
    return [
        np.where(np.abs(unknown) < 1e-3, np.rint(values), np.nan).astype(np.float32) for values in samples
    ]
