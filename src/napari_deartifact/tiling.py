"""A picture in tiles whose halos cover what the model sees, so that the answer is the whole picture's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.models.color import restore_colors
from napari_deartifact.models.restorer import DeviceRestorer, GreyRestorer

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

SMALLEST_TILE = 64

_UNLIMITED = 10**9

Region = tuple[slice, slice]
"""Rows and columns of a picture."""
ALL: Region = (slice(None), slice(None))


class Progress(NamedTuple):
    """Tiles done, and tiles there are."""

    done: int
    total: int


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in pixels: it reads `start` to `stop` and answers for `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def read(self) -> slice:
        """Of the picture: what the model sees."""
        return slice(self.start, self.stop)

    @property
    def write(self) -> slice:
        """Of the picture: what the tile answers for."""
        return slice(self.first, self.last)

    @property
    def inner(self) -> slice:
        """Of the tile: the part that is written."""
        return slice(self.first - self.start, self.last - self.start)


@dataclass(frozen=True)
class TileGrid:
    """How a model's tiles lie on any picture.

    Attributes
    ----------
    alignment : int
        Tiles start on multiples of this: the block grid, the coded unit and the model's stride.
    halo : int
        Pixels read beyond what is written; a multiple of `alignment`.
    multiple : int
        Pictures are continued, by repeating the last row and column, to a multiple of this.
    fixed : int or None
        The one size that a tile must have, halo included.
    """

    alignment: int
    halo: int
    multiple: int = 1
    fixed: int | None = None

    @classmethod
    def for_model(cls, model: Restorer, colors: int, jpeg: JPEGInfo | None = None) -> TileGrid:
        """Take alignment and halo from what the model and the JPEG say of pictures of 1 or 3 `colors`."""
        alignment = math.lcm(8, model.size_multiple, *(jpeg.mcu if jpeg else ()))
        halo = model.grey_halo if colors == 1 and isinstance(model, GreyRestorer) else model.halo
        return cls(alignment, _round_up(halo, alignment), model.size_multiple, model.fixed_tile)

    def core_size(self, tile_size: int) -> int:
        """Round the written part of a tile to what the grid allows, in pixels."""
        if self.fixed is not None:
            return self.fixed - 2 * self.halo
        return max(tile_size // self.alignment, 1) * self.alignment

    def spans(self, length: int, tile_size: int, begin: int = 0, end: int | None = None) -> Iterator[Span]:
        """Cut an axis of `length` pixels, or its part from `begin` to `end`."""
        core = self.core_size(tile_size)
        end = length if end is None else end
        for first in range(begin, end, core):
            last = min(first + core, end)
            start = max(first - self.halo, 0)
            stop = _round_up(last + self.halo, self.multiple)
            stop = min(stop, length) if self.fixed is None else start + self.fixed
            yield Span(start, stop, first, last)

    def padded(self, length: int, begin: int = 0, end: int | None = None) -> int:
        """Length to which an axis must be continued so that every tile has a size the model takes."""
        if self.fixed is None:
            return _round_up(length, self.multiple)
        return max(length, *(span.stop for span in self.spans(length, self.fixed, begin, end)))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def restore_in_tiles(
    picture: NDArray[np.float32],
    model: Restorer,
    *,
    tile_size: int,
    jpeg: JPEGInfo | None = None,
    region: Region = ALL,
    offset: tuple[int, int] = (0, 0),
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Restore one picture, a tile a step.

    Parameters
    ----------
    picture : ndarray of float32, shape (C, Y, X)
        C is 1 or 3; 0 is black and 1 is white.
    model : Restorer
        Any model; colours are adapted to what it takes.
    tile_size : int
        Edge of the written part of a tile, in pixels, rounded down to the grid.  It is halved
        when memory runs out, and in the end the CPU takes over from another device.
    jpeg : JPEGInfo, optional
        What is known of the picture's JPEG.
    region : (slice, slice)
        Rows and columns to restore, starting on the grid; all else is only looked at, and comes back as
        it is.
    offset : (int, int)
        Row and column of the first pixel in the coded unit, where `jpeg` does not say it.

    Yields
    ------
    Progress
        Before the first tile and after each, or after as many as the model's device takes at once; the
        total grows when tiles had to be halved.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)

    Raises
    ------
    MemoryError
        When not even the smallest tile fits, on the CPU either.

    Warns
    -----
    UserWarning
        When the CPU has taken over.

    Notes
    -----
    Pictures that begin within a coded unit are continued at the top and the left to its corner, so that
    every network sees a JPEG's blocks at the same places of its own cells.
    """
    grid = TileGrid.for_model(model, len(picture), jpeg)
    offset = offset if jpeg is None else (jpeg.offset[0] % jpeg.mcu[0], jpeg.offset[1] % jpeg.mcu[1])
    place = tuple(
        slice(before, before + size) for before, size in zip(offset, picture.shape[1:], strict=True)
    )
    wanted = [_on_grid(part, side, grid.alignment) for part, side in zip(region, place, strict=True)]
    size = [grid.padded(side.stop, *part) for side, part in zip(place, wanted, strict=True)]
    around = [(side.start, length - side.stop) for side, length in zip(place, size, strict=True)]
    padded = np.pad(picture, [(0, 0), *around], mode="edge") if any(map(any, around)) else picture
    padded_jpeg = jpeg and replace(jpeg, height=size[0], width=size[1], offset=(0, 0))
    restored = padded.copy()
    work = _Work(grid, padded.shape, tile_size, wanted)
    done = 0
    yield Progress(0, len(work.tiles))
    while work.tiles:
        batch = work.next_batch(model)
        try:
            answers = _restore_batch(padded, model, batch, padded_jpeg)
        except MemoryError as error:
            model = work.with_less_memory(model, batch, error)
            continue
        for (rows, columns), answer in zip(batch, answers, strict=True):
            restored[:, rows.write, columns.write] = answer[:, rows.inner, columns.inner]
        del work.tiles[: len(batch)]
        done += len(batch)
        yield Progress(done, done + len(work.tiles))
    if region == ALL:
        return restored[:, *place]
    answer = picture.copy()
    answer[:, *region] = restored[:, *place][:, *region]
    return answer


def _on_grid(part: slice, place: slice, alignment: int) -> tuple[int, int]:
    """Return the part of a picture that lies at `place`, from the multiple of `alignment` before it."""
    start, stop, _ = part.indices(place.stop - place.start)
    return (place.start + start) // alignment * alignment, place.start + stop


Tile = tuple[Span, Span]
"""Its rows and its columns."""


@dataclass
class _Work:
    """The tiles that are left to do, and what to try next when memory runs out."""

    grid: TileGrid
    shape: tuple[int, ...]
    tile_size: int
    parts: Sequence[tuple[int, int]]
    tiles: list[Tile] = field(init=False)
    _before_cutting: tuple[int, list[Tile]] | None = None
    _most: int = _UNLIMITED

    def __post_init__(self) -> None:
        self.tiles = self._cut(*self.parts)

    def next_batch(self, model: Restorer) -> list[Tile]:
        """Take tiles of one size, as many as the model's device holds."""
        size = _size(self.tiles[0])
        count = model.batch_size(*size) if isinstance(model, DeviceRestorer) else 1
        alike = takewhile(lambda tile: _size(tile) == size, self.tiles)
        return list(islice(alike, min(count, self._most)))

    def with_less_memory(self, model: Restorer, batch: Sequence[Tile], error: MemoryError) -> Restorer:
        """Halve the batch, else the tiles; at last return the model on the CPU."""
        smaller = self.grid.core_size(self.tile_size) // 2
        if len(batch) > 1:
            self._most = len(batch) // 2
        elif smaller >= SMALLEST_TILE and self.grid.fixed is None:
            self._before_cutting = self._before_cutting or (self.tile_size, self.tiles)
            self.tile_size = smaller
            self.tiles = [
                tile
                for rows, columns in self.tiles
                for tile in self._cut((rows.first, rows.last), (columns.first, columns.last))
            ]
        else:
            model = _on_cpu(model, _size(batch[0]), error)
            # Small tiles are mostly halo: the CPU takes those that there were at first.
            self.tile_size, self.tiles = self._before_cutting or (self.tile_size, self.tiles)
            self._before_cutting = None
        return model

    def _cut(self, rows: tuple[int, int], columns: tuple[int, int]) -> list[Tile]:
        """Cut a part of the picture; the largest tiles first, as they show whether memory suffices."""
        height, width = self.shape[1:]
        tiles = [
            (row, column)
            for row in self.grid.spans(height, self.tile_size, *rows)
            for column in self.grid.spans(width, self.tile_size, *columns)
        ]
        return sorted(tiles, key=_size, reverse=True)


def _size(tile: Tile) -> tuple[int, int]:
    rows, columns = tile
    return rows.stop - rows.start, columns.stop - columns.start


def _restore_batch(
    padded: NDArray[np.float32], model: Restorer, batch: Sequence[Tile], jpeg: JPEGInfo | None
) -> NDArray[np.float32]:
    tiles = np.stack([padded[:, rows.read, columns.read] for rows, columns in batch])
    rows, columns = batch[0]
    known = jpeg.crop(rows.read, columns.read) if jpeg is not None and len(batch) == 1 else None
    return restore_colors(model, tiles, known)


def _on_cpu(model: Restorer, size: tuple[int, int], error: MemoryError) -> Restorer:
    told = f"out of memory on a tile of {size[0]}×{size[1]} pixels with model {model.name!r}"
    twin = model.on_cpu() if isinstance(model, DeviceRestorer) else None
    if twin is None:
        raise MemoryError(f"{told}; free memory or choose device='cpu'") from error
    warnings.warn(
        f"{told}; the CPU does the rest, which takes longer: free memory on the device, or choose "
        "device='cpu' from the start",
        UserWarning,
        stacklevel=2,
    )
    return twin
