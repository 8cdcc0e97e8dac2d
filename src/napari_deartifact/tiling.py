"""A picture in tiles whose halos cover what the model sees, so that the answer is the whole picture's."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.models.color import restore_colors

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

SMALLEST_TILE = 64

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
    def for_model(cls, model: Restorer, jpeg: JPEGInfo | None = None) -> TileGrid:
        """Take alignment and halo from what the model and the JPEG say."""
        alignment = math.lcm(8, model.size_multiple, *(jpeg.mcu if jpeg else ()))
        return cls(alignment, _round_up(model.halo, alignment), model.size_multiple, model.fixed_tile)

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

    def padded(self, length: int) -> int:
        """Length to which an axis must be continued so that every tile has a size the model takes."""
        if self.fixed is None:
            return _round_up(length, self.multiple)
        return max(span.stop for span in self.spans(length, self.fixed))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def restore_in_tiles(
    picture: NDArray[np.float32],
    model: Restorer,
    *,
    tile_size: int,
    jpeg: JPEGInfo | None = None,
    region: Region = ALL,
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
        when memory runs out.
    jpeg : JPEGInfo, optional
        What is known of the picture's JPEG.
    region : (slice, slice)
        Rows and columns to restore, starting on the grid; all else is only looked at, and comes back as
        it is.

    Yields
    ------
    Progress
        Before the first tile and after each; the total grows when tiles had to be halved.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)

    Raises
    ------
    MemoryError
        When not even the smallest tile fits.
    """
    grid = TileGrid.for_model(model, jpeg)
    height, width = picture.shape[1:]
    padded_height, padded_width = grid.padded(height), grid.padded(width)
    padded = np.pad(picture, ((0, 0), (0, padded_height - height), (0, padded_width - width)), mode="edge")
    padded_jpeg = jpeg and replace(jpeg, height=padded_height, width=padded_width)
    wanted = [side.indices(size)[:2] for side, size in zip(region, (height, width), strict=True)]
    restored = padded.copy()
    tiles = deque(_tiles(grid, padded.shape, tile_size, *wanted))
    done = 0
    yield Progress(0, len(tiles))
    while tiles:
        rows, columns = tiles[0]
        tile_jpeg = padded_jpeg and padded_jpeg.crop(rows.read, columns.read)
        try:
            answer = restore_colors(model, padded[np.newaxis, :, rows.read, columns.read], tile_jpeg)[0]
        except MemoryError as error:
            tile_size = grid.core_size(tile_size) // 2
            if tile_size < SMALLEST_TILE or grid.fixed is not None:
                raise MemoryError(
                    f"out of memory on a tile of {rows.stop - rows.start}×{columns.stop - columns.start} "
                    f"pixels with model {model.name!r}; free memory or choose device='cpu'"
                ) from error
            tiles = deque(
                smaller
                for rows, columns in tiles
                for smaller in _tiles(
                    grid, padded.shape, tile_size, (rows.first, rows.last), (columns.first, columns.last)
                )
            )
            continue
        restored[:, rows.write, columns.write] = answer[:, rows.inner, columns.inner]
        tiles.popleft()
        done += 1
        yield Progress(done, done + len(tiles))
    return restored[:, :height, :width]


def _tiles(
    grid: TileGrid, shape: tuple[int, ...], tile_size: int, rows: tuple[int, int], columns: tuple[int, int]
) -> Iterator[tuple[Span, Span]]:
    for row in grid.spans(shape[1], tile_size, *rows):
        for column in grid.spans(shape[2], tile_size, *columns):
            yield row, column
