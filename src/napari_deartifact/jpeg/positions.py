"""How rough a picture is at each place within squares of 8×8 pixels, which codecs make differ.

In a picture that was never compressed no row and no column is unlike the others.  Block transforms, wavelets
and their halving leave edges, and quiet, on lattices of 2, 4 and 8 pixels, too faint to see in any one place.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

PERIOD = 8

_ROUNDING = 0.5
"""Levels added to a response before its logarithm: less is rounding."""
_FEWEST = 8
"""Responses at each place without which nothing is said."""
_LEAST_SPREAD = 0.1


def _cosines(frequency: int) -> NDArray[np.float64]:
    """Return a row of the DCT of 4 samples."""
    row: NDArray[np.float64] = np.cos(np.pi * (2 * np.arange(4) + 1) * frequency / 8) / np.sqrt(2)
    return row


_SAME = np.ones(1)
_SLOPE = np.array([-1, 1]) / np.sqrt(2)
_BEND = np.array([-1, 2, -1]) / 2
# Cohen, Daubechies and Feauveau's wavelet of 9 and 7 taps, by which JPEG 2000 is lossy.
_SMOOTH_HALF = [0.602949018236, 0.266864118443, -0.078223266529, -0.016864118443, 0.026748757411]
_DETAIL_HALF = [1.115087052457, -0.591271763114, -0.057543526229, 0.091271763114]
_SMOOTH, _DETAIL = (np.array([*half[:0:-1], *half]) for half in (_SMOOTH_HALF, _DETAIL_HALF))

FILTERS = tuple(
    (down.astype(np.float32), across.astype(np.float32))
    for down, across in (
        (_SAME, _SLOPE),
        (_SLOPE, _SAME),
        (_SAME, _BEND),
        (_BEND, _SAME),
        (_BEND, _BEND),
        (_cosines(1), _cosines(2)),
        (_cosines(2), _cosines(1)),
        (_cosines(1), _cosines(3)),
        (_cosines(3), _cosines(1)),
        (_cosines(2), _cosines(2)),
        (_cosines(3), _cosines(3)),
        (_SMOOTH, _DETAIL),
        (_DETAIL, _SMOOTH),
        (_DETAIL, _DETAIL),
    )
)
"""Taps down and across; what each leaves is detail."""
TRANSPOSED = (1, 0, 3, 2, 4, 6, 5, 8, 7, 9, 10, 12, 11, 13)
"""Which filter each becomes in a transposed picture."""


def position_maps(tiles: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Compare the places within squares of 8×8 pixels.

    Parameters
    ----------
    tiles : list of ndarray, shape (Y, X)
        Levels of parts of a picture that begin on multiples of 8 pixels; NaN where unknown.

    Returns
    -------
    ndarray of float32, shape (14, 8, 8)
        For each of `FILTERS` and each place, how far the mean log of its responses there lies from that of
        all places, in standard errors of a picture without any lattice; 0 where too little is known.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 9, (256, 256)).astype(np.float32)
    >>> squares = np.repeat(np.repeat(noise[:32, :32], 8, axis=0), 8, axis=1)
    >>> float(abs(position_maps([noise])).max()) < 5 < float(abs(position_maps([noise + squares])).max())
    True
    """
    return np.stack([_position_map(tiles, down, across) for down, across in FILTERS])


def _position_map(
    tiles: list[NDArray[np.float32]], down: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    total, count = np.zeros((PERIOD, PERIOD)), np.zeros((PERIOD, PERIOD))
    squares = 0.0
    for tile in tiles:
        rough = np.log(np.abs(_filtered(tile, down, across)) + np.float32(_ROUNDING))
        places = _by_place(rough, (len(down) - 1) // 2, (len(across) - 1) // 2)
        known = np.isfinite(places)
        number = known.sum()
        if not number:
            continue
        # What one tile is rougher than another says nothing of places.
        places = np.where(known, places - np.where(known, places, 0).sum() / number, 0)
        total += places.sum(axis=(0, 2))
        count += known.sum(axis=(0, 2))
        squares += float(np.square(places).sum())
    if count.min() < _FEWEST:
        return np.zeros((PERIOD, PERIOD), np.float32)
    means = total / count
    spread = max(np.sqrt(squares / count.sum()), _LEAST_SPREAD)
    scores: NDArray[np.float32] = ((means - means.mean()) / spread * np.sqrt(count.mean())).astype(np.float32)
    return scores


def _filtered(
    tile: NDArray[np.float32], down: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    rows = sliding_window_view(tile, len(down), axis=0) @ down
    filtered: NDArray[np.float32] = sliding_window_view(rows, len(across), axis=1) @ across
    return filtered


def _by_place(rough: NDArray[np.float32], above: int, left: int) -> NDArray[np.float32]:
    """Cut whole squares, which begin where a filter's middle lies on a multiple of 8."""
    rough = rough[-above % PERIOD :, -left % PERIOD :]
    rows, columns = (length // PERIOD for length in rough.shape)
    return rough[: rows * PERIOD, : columns * PERIOD].reshape(rows, PERIOD, columns, PERIOD)
