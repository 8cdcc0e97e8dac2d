"""What JPEG did to a picture, told by its pixels alone: the grid, the tables, or that there was none.

On the right 8×8 grid a JPEG's DCT coefficients lie on the multiples of its quantization steps; on the
63 others, and in pictures that were never compressed, they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg import lattice
from napari_deartifact.jpeg.chroma import undo_interpolation
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.levels import PictureLevels, picture_levels
from napari_deartifact.jpeg.tables import nearest_quality, quality_table

_EVIDENCE_NEEDED = 20.0
"""Nats by which the best grid must beat both "no lattice" and every other grid."""
_COST_OF_OWN_TABLE = 50.0
_COST_OF_OWN_QUALITY = 200.0
_FREQUENCIES_OF_OWN_TABLE = 6
_HIGHEST_FREQUENCY = 5
_MOST_PATCHES = 768
_MOST_BLOCKS = 16384
_CHROMA_SIDE = 384
_HALVED_AXES = {
    "4:2:0": (True, True),
    "4:2:2": (False, True),
    "4:4:4": (False, False),
    "4:4:0": (True, False),
}


@dataclass(frozen=True)
class JPEGEstimate:
    """What the pixels tell about their JPEG.

    Attributes
    ----------
    is_jpeg : bool
        Whether the picture went through JPEG and was not resampled since.
    confidence : float
        0 (a guess) to 1 (certain) that `is_jpeg` is right.
    quality : int or None
        The libjpeg quality, 1 to 100, nearest to the luma table.
    grid : (int, int) or None
        Row and column of the first 8×8 block corner, 0 to 7.
    tables : tuple of tuple of int, or None
        As in :class:`JPEGInfo`: 64 steps in natural order for each component.  Steps of frequencies
        that the picture does not have are those of the nearest libjpeg quality.
    double : bool
        Whether there are traces of an earlier compression.
    sampling : str or None
        ``"grey"``, ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"`` or ``"4:4:0"``.
    offset : (int, int)
        Row and column of the first pixel in the coded unit.
    precision : int
        Bits a sample.
    """

    is_jpeg: bool
    confidence: float
    quality: int | None = None
    grid: tuple[int, int] | None = None
    tables: tuple[tuple[int, ...], ...] | None = None
    double: bool = False
    sampling: str | None = None
    offset: tuple[int, int] = (0, 0)
    precision: int = 8

    def to_jpeg_info(self, height: int, width: int) -> JPEGInfo:
        """Write the estimate as if it had been read from a file.

        Parameters
        ----------
        height, width : int
            Of the picture, in pixels.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        ValueError
            When the picture is no JPEG.
        """
        if self.tables is None or self.sampling is None:
            raise ValueError("no JPEG history was found, so there are no tables; check is_jpeg first")
        if self.sampling == "grey":
            return JPEGInfo(height, width, self.tables, offset=self.offset, precision=self.precision)
        pattern = JPEGInfo.from_quality(50, height=height, width=width, subsampling=self.sampling).sampling
        return JPEGInfo(
            height, width, self.tables, pattern, "ycbcr", offset=self.offset, precision=self.precision
        )


def estimate_jpeg(
    image: ArrayLike,
    *,
    channel_axis: int | None = None,
    data_range: float | tuple[float, float] | None = None,
) -> JPEGEstimate:
    """Estimate a picture's JPEG history from its pixels.

    Parameters
    ----------
    image : array-like, shape (Y, X), or with a channel axis
        A grey picture, or an RGB or RGBA one.  Where pixels are NaN nothing is read.
    channel_axis : int, optional
        The axis of the colours.
    data_range : number or (number, number), optional
        Black and white.  By default integers are levels as they are, and floats levels when they are
        whole, else 0 to 1 if they fit, else their minimum to maximum.

    Returns
    -------
    JPEGEstimate

    Raises
    ------
    ValueError
        For an array that is not one picture.
    TypeError
        For a dtype that is no image's.

    Notes
    -----
    For each frequency and each step the likelihood of the coefficients is compared with that of no
    quantization; the sum over the frequencies of the best table is the evidence.  Blocks with black or
    white pixels are left out, because clipping moves their coefficients.

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
    phase, margin, support = _find_grid(luma)
    if margin < _EVIDENCE_NEEDED:
        return JPEGEstimate(False, _confidence(_EVIDENCE_NEEDED - margin, support))
    table = _table(luma, phase)
    if table.max() == 1:
        # Whole numbers alone pass for this table, such as those of an 8-bit picture times 257.
        return JPEGEstimate(False, 0.0)
    quality = nearest_quality(table)
    offset = -phase[0] % 8, -phase[1] % 8
    sampling = "grey"
    tables: tuple[NDArray[np.int_], ...] = (table,)
    if picture.is_colour:
        sampling, offset, chroma = _chroma(picture, offset, quality)
        tables = (table, chroma, chroma)
    return JPEGEstimate(
        True,
        _confidence(margin - _EVIDENCE_NEEDED, support),
        quality,
        phase,
        tuple(tuple(int(step) for step in steps.ravel()) for steps in tables),
        False,
        sampling,
        offset,
        picture.precision,
    )


def _confidence(nats: float, support: float) -> float:
    """Turn log odds and the number of coefficients that they rest on into 0 to 1."""
    return float((1 - np.exp(-nats / 25)) * min(support / 100, 1))


def _find_grid(luma: NDArray[np.float32]) -> tuple[tuple[int, int], float, float]:
    """Return the grid, the nats by which it wins, and how many coefficients say so."""
    patches = _patches(luma)
    if not len(patches):
        return (0, 0), 0.0, 0.0
    coefficients = lattice.coefficients_at_all_phases(patches)
    # Not DC: flat blocks of whole levels have it on a lattice of 8 without any JPEG.
    frequencies = np.flatnonzero(np.indices((8, 8)).sum(axis=0).ravel() <= _HIGHEST_FREQUENCY)[1:]
    histograms = lattice.coefficient_histograms(
        coefficients[:, frequencies].reshape(-1, coefficients.shape[2])
    )
    evidence = lattice.step_evidence(histograms).reshape(lattice.PHASES, len(frequencies), -1)
    standard = lattice.quality_evidence(evidence, frequencies=frequencies).max(axis=1)
    score = np.maximum(standard, lattice.free_evidence(evidence) - _COST_OF_OWN_TABLE)
    second, best = np.argsort(score)[-2:]
    support = lattice.informative(histograms).reshape(lattice.PHASES, -1).sum(axis=1)[best]
    margin = min(score[best], score[best] - score[second])
    return (int(best) // 8, int(best) % 8), float(margin), float(support)


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


def _table(plane: NDArray[np.float32], phase: tuple[int, int]) -> NDArray[np.int_]:
    """Return the most likely luma table, shape (8, 8): libjpeg's unless many frequencies deny it."""
    evidence = _evidence(plane, phase)
    standard = quality_table(int(lattice.quality_evidence(evidence).argmax()) + 1)
    step, certainty = evidence.argmax(axis=1) + 1, evidence.max(axis=1)
    certain = certainty > _EVIDENCE_NEEDED
    denied = certain & (certainty - evidence[np.arange(64), standard.ravel() - 1] > _EVIDENCE_NEEDED)
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


def _evidence(plane: NDArray[np.float32], phase: tuple[int, int]) -> NDArray[np.float32]:
    coefficients = lattice.coefficients_at_phase(plane, phase)
    coefficients = coefficients[:, :: -(-coefficients.shape[1] // _MOST_BLOCKS) or 1]
    return lattice.step_evidence(lattice.coefficient_histograms(coefficients))


def _chroma(
    picture: PictureLevels, offset: tuple[int, int], quality: int
) -> tuple[str, tuple[int, int], NDArray[np.int_]]:
    """Return the sampling, the first pixel's place in the coded unit, and chroma's table.

    The likeliest of all samplings and places, by the same evidence as luma's, and with luma's quality
    unless another is much likelier.  Colours too smooth to tell are taken as libjpeg's default, 4:2:0.
    """
    planes = picture.chroma()[:, :_CHROMA_SIDE, :_CHROMA_SIDE]
    answer = "4:2:0", offset, quality_table(quality, chroma=True)
    best = -np.inf
    for sampling, halved in _HALVED_AXES.items():
        samples = [_samples(plane, halved, offset) for plane in planes]
        for place in _places(offset, halved):
            start = [-(at // (1 + half)) % 8 for at, half in zip(place, halved, strict=True)]
            evidence = sum(_evidence(plane, (start[0], start[1])) for plane in samples)
            scores = lattice.quality_evidence(np.asarray(evidence), chroma=True)
            expected, most = float(scores[max(quality - 3, 0) : quality + 2].max()), float(scores.max())
            if max(expected, most - _COST_OF_OWN_QUALITY) > best:
                best = max(expected, most - _COST_OF_OWN_QUALITY)
                as_luma = most - max(scores[quality - 1], 0) < _COST_OF_OWN_QUALITY
                table = quality_table(quality if as_luma else int(scores.argmax()) + 1, chroma=True)
                answer = sampling, place, table
    return answer


def _places(offset: tuple[int, int], halved: tuple[bool, bool]) -> list[tuple[int, int]]:
    rows, columns = ([at, at + 8] if half else [at] for at, half in zip(offset, halved, strict=True))
    return [(row, column) for row in rows for column in columns]


def _samples(
    plane: NDArray[np.float32], halved: tuple[bool, bool], offset: tuple[int, int]
) -> NDArray[np.float32]:
    """Return chroma at its own resolution, whole levels, NaN where a clipped pixel had a say."""
    samples, unknown = np.nan_to_num(plane).astype(np.float64), np.isnan(plane).astype(np.float64)
    for axis in (0, 1):
        if halved[axis]:
            samples, unknown = (
                undo_interpolation(values, axis, offset[axis] % 2) for values in (samples, unknown)
            )
    return np.where(np.abs(unknown) < 1e-3, np.rint(samples), np.nan).astype(np.float32)
