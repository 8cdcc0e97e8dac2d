"""A slide: a picture too large for memory, held by its file as tiles that are decoded one by one."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.info import JPEGInfo

_CACHED_BYTES = 2**28
_LARGEST_TILE = 2**29

Window = tuple[slice, slice]
"""Rows and columns of a picture; both ends are given."""


class SlideTiles(Protocol):
    """How a file holds its tiles; they are named by plane, row and column."""

    def pixels(self, plane: int, row: int, column: int) -> NDArray[Any] | None:
        """Decode a tile to (Y, X, samples); None when the file leaves it out.

        Raises
        ------
        ValueError
            When it is damaged.
        """
        ...

    def record(self, plane: int, row: int, column: int) -> JPEGInfo | None:
        """Return the record of the JPEG that a tile is; None for another codec or a JPEG without cells.

        Raises
        ------
        ValueError
            When its header is damaged.
        """
        ...


@dataclass(frozen=True)
class Damage:
    """A tile that is missing or damaged, and why; `rows` and `columns` are the pixels that it shows."""

    plane: int
    row: int
    column: int
    reason: str


@dataclass(frozen=True)
class Slide:
    """One level of a slide, read window by window.

    Attributes
    ----------
    path : Path
    format : str
        Such as ``"SVS"`` or ``"DICOM"``.
    shape : (int, int)
        Rows and columns, in pixels.
    planes : int
        Independent grey planes, such as stains; 1 for colour.
    samples : int
        Of a pixel: 1, 3 for RGB or 4 for RGBA.
    dtype : dtype
    tile_shape : (int, int)
        Rows and columns of a tile or strip, in pixels.
    tiles : SlideTiles
        The file's own.
    opener : callable
        Opens the path again, which is how a slide travels to another process.
    pixel_size : (float, float) or None
        Height and width of a pixel, in µm.
    level_count : int
        Levels that the file's own pyramid has.
    jpeg_coded : bool
        Whether the tiles are JPEGs that have quantization tables.
    photometric : {"rgb", "minisblack", "miniswhite"}
    description : str
        As the scanner wrote it.
    properties : dict
        What the file says of scanner, objective and scan, in what JSON can hold.
    icc : bytes, optional
        Colour profile.
    """

    path: Path
    format: str
    shape: tuple[int, int]
    planes: int
    samples: int
    dtype: np.dtype[Any]
    tile_shape: tuple[int, int]
    tiles: SlideTiles
    opener: Callable[[Path], Slide]
    pixel_size: tuple[float, float] | None = None
    level_count: int = 1
    jpeg_coded: bool = False
    photometric: str = "rgb"
    description: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    icc: bytes | None = None
    _cache: _TileCache = field(default_factory=lambda: _TileCache(_CACHED_BYTES), repr=False, compare=False)

    def __post_init__(self) -> None:
        size = math.prod(self.tile_shape) * self.samples * self.dtype.itemsize
        if size > _LARGEST_TILE:
            rows, columns = self.tile_shape
            raise ValueError(
                f"{self.path} is stored in pieces of {rows}×{columns} pixels and {size // 2**20} MiB, each "
                f"decoded whole; expected at most {_LARGEST_TILE // 2**20} MiB: save it as a tiled TIFF"
            )

    def __reduce__(self) -> tuple[Callable[[Path], Slide], tuple[Path]]:
        return self.opener, (self.path,)

    @property
    def channels(self) -> int:
        """Planes, or samples of a pixel."""
        return self.planes * self.samples

    @property
    def rgb(self) -> bool:
        """Whether the channels are RGB or RGBA."""
        return self.samples > 1

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        rows, columns = (-(-side // tile) for side, tile in zip(self.shape, self.tile_shape, strict=True))
        return rows, columns

    def tiles_in(self, window: Window) -> Iterator[tuple[int, int, Window]]:
        """Yield row, column and place of the tiles in a window; places may go beyond the picture."""
        across = [
            range(side.start // size, min(-(-side.stop // size), count))
            for side, size, count in zip(window, self.tile_shape, self.grid_shape, strict=True)
        ]
        for row in across[0]:
            for column in across[1]:
                top, left = row * self.tile_shape[0], column * self.tile_shape[1]
                yield (
                    row,
                    column,
                    (slice(top, top + self.tile_shape[0]), slice(left, left + self.tile_shape[1])),
                )

    def read(self, plane: int, window: Window) -> tuple[NDArray[Any], list[Damage]]:
        """Decode a part of a plane.

        Parameters
        ----------
        plane : int
            0 for colour.
        window : (slice, slice)
            Rows and columns; beyond the picture there is what the tiles at its edges hold there.

        Returns
        -------
        pixels : ndarray, shape (samples, Y, X)
            0 where a tile is missing, damaged, or holds nothing.
        damaged : list of Damage
            The tiles that are missing or damaged.
        """
        rows, columns = window
        shape = (self.samples, rows.stop - rows.start, columns.stop - columns.start)
        pixels, damaged = np.zeros(shape, self.dtype), []
        for row, column, place in self.tiles_in(window):
            tile, reason = self._tile(plane, row, column)
            if reason:
                damaged.append(Damage(plane, row, column, reason))
            if tile is None:
                continue
            into, taken = _overlap(window, place, tile.shape)
            pixels[:, *into] = np.moveaxis(tile[taken], -1, 0)
        return pixels, damaged

    def decode_ahead(self, window: Window) -> None:
        """Decode the tiles in a window that will be read soon; as many are kept as are worth it."""
        for plane in range(self.planes):
            for row, column, _ in self.tiles_in(window):
                self._tile(plane, row, column)

    def _tile(self, plane: int, row: int, column: int) -> tuple[NDArray[Any] | None, str]:
        name = plane, row, column
        found = self._cache.get(name)
        if found is not None:
            return found
        try:
            tile = self.tiles.pixels(*name)
            answer = tile, "" if tile is not None else "missing"
        except ValueError as error:
            answer = None, str(error)
        self._cache.put(name, answer)
        return answer

    def record(self, plane: int, row: int, column: int) -> JPEGInfo | None:
        """Return the record of a tile's JPEG, where it has one that fits the picture's colours."""
        if not self.jpeg_coded:
            return None
        try:
            record = self.tiles.record(plane, row, column)
        except ValueError:
            return None
        colors = min(self.samples, 3)
        return record if record is not None and len(record.tables) == colors else None

    def evenly_chosen(self, count: int) -> list[tuple[int, int]]:
        """Return row and column of at most `count` tiles, the first and the last among them."""
        rows, columns = self.grid_shape
        chosen = np.unique(np.linspace(0, rows * columns - 1, min(count, rows * columns)).astype(int))
        return [divmod(int(index), columns) for index in chosen]

    def sampled_record(self, count: int = 64) -> JPEGInfo | None:
        """Return the record of the whole picture, judged by evenly chosen tiles.

        Parameters
        ----------
        count : int
            How many tiles to look at, at most.

        Returns
        -------
        JPEGInfo or None
            None when they differ, or tiles cut coded units, so that no one record fits.
        """
        found = {
            (record.tables, record.sampling, record.color_space, record.precision): record
            for record in (self.record(0, row, column) for row, column in self.evenly_chosen(count))
            if record is not None
        }
        if len(found) != 1:
            return None
        (record,) = found.values()
        whole = JPEGInfo(*self.shape, record.tables, record.sampling, record.color_space, record.precision)
        fits = zip(self.tile_shape, whole.mcu, self.shape, strict=True)
        return whole if all(tile % unit == 0 or tile >= side for tile, unit, side in fits) else None


def _overlap(
    window: Window, place: Window, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where a tile's pixels go in a window, and which of them."""
    into, taken = [], []
    for wanted, own, held in zip(window, place, shape[:2], strict=True):
        start, stop = max(wanted.start, own.start), min(wanted.stop, own.stop, own.start + held)
        stop = max(stop, start)
        into.append(slice(start - wanted.start, stop - wanted.start))
        taken.append(slice(start - own.start, stop - own.start))
    return (into[0], into[1]), (taken[0], taken[1])


_SIZE_OF_AN_ENTRY = 1024
"""Bytes, about: a slide may have millions of tiles that are left out of its file."""


class _TileCache:
    """The tiles that were decoded last, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._size, self._lock = most, 0, Lock()
        self._held: OrderedDict[Any, tuple[NDArray[Any] | None, str]] = OrderedDict()

    def get(self, name: Any) -> tuple[NDArray[Any] | None, str] | None:
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
            return self._held.get(name)

    def put(self, name: Any, tile: tuple[NDArray[Any] | None, str]) -> None:
        with self._lock:
            if name in self._held:
                return
            self._held[name] = tile
            self._size += _size(tile)
            while self._size > self._most:
                self._size -= _size(self._held.popitem(last=False)[1])


def _size(tile: tuple[NDArray[Any] | None, str]) -> int:
    return _SIZE_OF_AN_ENTRY + (0 if tile[0] is None else tile[0].nbytes)
