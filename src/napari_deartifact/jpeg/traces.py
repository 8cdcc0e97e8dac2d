"""Traces of a codec that outlast resampling: a grid of any size and angle, lattices, and missing noise.

The grid of a resized or rotated JPEG shows as peaks in the spectrum of differences, where resampling
forensics looks for the period of an interpolation.  Differences along both axes leave little of a picture
but its noise and the corners of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.positions import position_maps

SIDE = 256
LEAST_SIDE = 64

_LONGEST_PERIOD, _SHORTEST_PERIOD = 20, 3
"""Pixels: a grid of 8 at scales from 0.4 to 2.5."""
_RING = 17
_MOST_TILES = 4


@dataclass(frozen=True, eq=False)
class Traces:
    """What a picture shows of codecs.

    Attributes
    ----------
    grid : float
        Log contrast of the best square grid at any angle, peaks of both directions and their octaves.
    halved_grid : float
        Log contrast of an upright grid of 4 pixels, which halving makes of a JPEG's: the commonest scale is
        looked for on its own, because a single grid need not beat the chance of thousands.
    quiet_noise : float
        Log of the noise in levels, in the quietest tenth of the blocks.
    noise : float
        Log of the noise in the middle block.
    fineness : float
        Log of the noise against that of the picture at half size; low where details were lost.
    flatness : float
        Share of neighbours that are equal.
    positions : ndarray of float32, shape (14, 8, 8)
        How rough the picture is at each place within squares of 8×8, by several filters: see
        :func:`~napari_deartifact.jpeg.positions.position_maps`.
    """

    grid: float
    halved_grid: float
    quiet_noise: float
    noise: float
    fineness: float
    flatness: float
    positions: NDArray[np.float32]


def find_traces(planes: list[NDArray[np.float32]]) -> Traces | None:
    """Look for traces.

    Parameters
    ----------
    planes : list of ndarray, shape (Y, X)
        Luma of a picture, or of parts of it that begin on multiples of 8 pixels; NaN where unknown.

    Returns
    -------
    Traces or None
        None for pictures with a side of less than 64 pixels, or with next to nothing known.

    References
    ----------
    .. [1] A. C. Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", 2nd
           Canadian Conference on Computer and Robot Vision, 2005, :doi:`10.1109/CRV.2005.33`.
    .. [2] B. Mahdian and S. Saic, "Blind authentication using periodic properties of interpolation", IEEE
           Transactions on Information Forensics and Security 3(3), 2008,
           :doi:`10.1109/TIFS.2004.924603`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(0, 9, (256, 256)).astype(np.float32)
    >>> tiles = np.kron(rng.normal(0, 9, (26, 26)), np.ones((10, 10)))[:256, :256].astype(np.float32)
    >>> find_traces([noise]).grid < find_traces([noise + tiles]).grid
    True
    """
    tiles = [tile for plane in planes for tile in _tiles(plane)]
    if len(tiles) > _MOST_TILES:
        tiles = [tiles[index] for index in np.linspace(0, len(tiles) - 1, _MOST_TILES).astype(int)]
    if not tiles:
        return None
    lines, corners, turned = (
        _contrast(np.mean([_power(roughness(tile)) for tile in tiles], axis=0))
        for roughness in (_across_lines, _along_axes, _along_diagonals)
    )
    grid = max(map(_square_grid, (lines, corners, turned)))
    return Traces(grid, _halved_grid(corners), *_noise(tiles), position_maps(tiles))


def _tiles(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut squares of at most 256 pixels in which most is known."""
    starts = [range(0, max(size - SIDE, 0) + 1, SIDE) for size in plane.shape]
    tiles = [plane[y : y + SIDE, x : x + SIDE] for y in starts[0] for x in starts[1]]
    return [tile for tile in tiles if min(tile.shape) >= LEAST_SIDE and np.isfinite(tile).mean() > 0.3]


def _across_lines(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take second differences along each axis by itself, in which the lattice of wavelets shows."""
    inner = 2 * tile[1:-1, 1:-1]
    across = inner - tile[1:-1, :-2] - tile[1:-1, 2:]
    down = inner - tile[:-2, 1:-1] - tile[2:, 1:-1]
    return _tamed(across) + _tamed(down)


def _along_axes(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take third differences along both axes, which pass over straight edges and leave corners."""
    return _tamed(np.diff(np.diff(tile, 3, axis=0), 3, axis=1))


def _along_diagonals(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take second differences along both diagonals, in which turned grids show better."""
    for _ in range(2):
        tile = tile[1:, 1:] - tile[:-1, :-1]
        tile = tile[1:, :-1] - tile[:-1, 1:]
    return _tamed(tile)


def _tamed(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take a logarithm, so that edges do not drown the rest."""
    return np.log1p(np.abs(differences))


def _power(roughness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map's spectrum, shape (256, 256)."""
    known = np.isfinite(roughness)
    weight = np.outer(*(np.hanning(size).astype(np.float32) for size in roughness.shape)) * known
    roughness = np.where(known, roughness, 0)
    centered = (roughness - np.average(roughness, weights=weight + 1e-9)) * weight
    power = np.abs(np.fft.fft2(centered, (SIDE, SIDE))) ** 2
    positive: NDArray[np.float32] = (power + 1e-6 * power.mean() + 1e-9).astype(np.float32)
    return positive


@lru_cache(maxsize=1)
def _half_ring() -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the frequencies, in cycles a tile, of half the plane at the periods in question."""
    frequency = np.rint(np.fft.fftfreq(SIDE) * SIDE).astype(int)
    y, x = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(y, x) / SIDE
    inside = (
        (radius > 1 / _LONGEST_PERIOD) & (radius < 1 / _SHORTEST_PERIOD) & ((y > 0) | ((y == 0) & (x > 0)))
    )
    return y[inside], x[inside]


def _contrast(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the log of every frequency is above its surroundings."""
    from scipy.ndimage import uniform_filter

    log = np.log(power)
    around = uniform_filter(log, _RING, mode="wrap") * _RING**2 - uniform_filter(log, 3, mode="wrap") * 9
    contrast: NDArray[np.float32] = log - around / (_RING**2 - 9)
    return contrast


def _square_grid(contrast: NDArray[np.float32]) -> float:
    from scipy.ndimage import maximum_filter

    near = maximum_filter(contrast, 3, mode="wrap")
    y, x = _half_ring()
    peaks = contrast[y, x] + contrast[-x, y]
    octaves = near[(2 * y) % SIDE, (2 * x) % SIDE] + near[(-2 * x) % SIDE, (2 * y) % SIDE]
    return float((peaks + 0.5 * np.clip(octaves, -2, 4)).max())


def _halved_grid(contrast: NDArray[np.float32]) -> float:
    """Weigh a grid of 4 pixels: both axes, their octaves, and the diagonals, where corners show."""
    quarter, half = SIDE // 4, SIDE // 2
    sides = contrast[quarter, 0] + contrast[0, quarter]
    octaves = contrast[half, 0] + contrast[0, half]
    diagonals = contrast[quarter, quarter] + contrast[quarter, -quarter]
    return float(sides + 0.5 * (octaves + diagonals))


def _noise(tiles: list[NDArray[np.float32]]) -> tuple[float, float, float, float]:
    """Return quiet noise, noise, fineness and flatness, by a mask that edges hardly stir (Immerkær 1996)."""
    fine = [_second_differences(tile) for tile in tiles]
    quiet, middle = np.percentile(_known([_block_means(values) for values in fine]), (10, 50))
    coarse = np.median(_known([_second_differences(_halved(tile)) for tile in tiles]))
    fineness = np.log((0.05 + np.median(_known(fine))) / (0.05 + coarse))
    flatness = np.mean(_known([np.diff(tile, axis=1) for tile in tiles]) == 0)
    return float(np.log(0.1 + quiet)), float(np.log(0.1 + middle)), float(fineness), float(flatness)


def _known(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return all values but NaN; a single 0 where there are none."""
    values = np.concatenate([array.ravel() for array in arrays])
    values = values[np.isfinite(values)]
    return values if len(values) else np.zeros(1, np.float32)


def _second_differences(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.abs(np.diff(np.diff(tile, 2, axis=0), 2, axis=1))


def _block_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (size // 8 for size in values.shape)
    means: NDArray[np.float32] = (
        values[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8).mean(axis=(1, 3)).ravel()
    )
    return means


def _halved(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (size // 2 for size in tile.shape)
    halved: NDArray[np.float32] = (
        tile[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    )
    return halved
