"""One region of a slide through a model, tile by tile on the grid of its JPEGs, and back into their cells."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.slides_base import Damage, Slide, Window
from napari_deartifact.files.slides_cells import (
    UNITS_AROUND,
    Frame,
    Piece,
    TileName,
    bound,
    hull,
    joined,
    overlap,
    pieces_of,
    relative,
)
from napari_deartifact.intensities import IntensityScale, fill_nonfinite
from napari_deartifact.picture import GREY_REACH, kept_grey
from napari_deartifact.tiling import Progress, TileGrid, restore_in_tiles

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

_LARGER = 0.15
"""Share by which a model's tile may be larger than wanted."""
_WORTH_A_RUN = 64
"""Edge, in pixels, below which a tile is not restored by itself: it would be mostly halo."""
_LARGEST_UNIT = 16


@dataclass(frozen=True)
class RegionAnswer:
    """A restored region.

    Attributes
    ----------
    pixels : ndarray, shape (channels, Y, X)
    damaged : tuple of Damage
        Tiles that are missing or damaged, and came back as they were read.
    unbound : tuple of (int, int, int)
        Plane, row and column of sound tiles whose JPEG does not bind the answer, although it was to.
    """

    pixels: NDArray[Any]
    damaged: tuple[Damage, ...] = ()
    unbound: tuple[TileName, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A part of a region that is restored at once: where its block grid starts, and what binds it."""

    window: Window
    origin: tuple[int, int]
    pieces: list[Piece]


@dataclass(frozen=True)
class RegionRestorer:
    """What is done to every region of a slide.

    Attributes
    ----------
    slide : Slide
    model : Restorer or None
        None leaves the pixels as they are.
    scale : IntensityScale
    strength : float
        0 to 1.
    tile_size : int
        Edge of a model's tile, in pixels.
    consistency : bool
        Whether the tables of the slide's JPEGs bind the answer.
    origin : (int, int)
        Row and column where a coded unit starts, in a slide that was a JPEG and is none now.
    """

    slide: Slide
    model: Restorer | None
    scale: IntensityScale
    strength: float
    tile_size: int
    consistency: bool
    origin: tuple[int, int] = (0, 0)

    def steps(self, window: Window) -> Generator[Progress, None, RegionAnswer]:
        """Restore a region, a tile of the model a step.

        Parameters
        ----------
        window : (slice, slice)
            Rows and columns, within the picture.

        Yields
        ------
        Progress

        Returns
        -------
        RegionAnswer
            What the whole slide's answer would be there, to float rounding.
        """
        rows, columns = window
        shape = self.slide.channels, rows.stop - rows.start, columns.stop - columns.start
        pixels = np.empty(shape, self.slide.dtype.newbyteorder("="))
        damaged: dict[TileName, Damage] = {}
        unbound: set[TileName] = set()
        for plane in range(self.slide.planes):
            channels = slice(plane * self.slide.samples, (plane + 1) * self.slide.samples)
            for part in self._parts(plane, window):
                answer = yield from self._restored(plane, part)
                pixels[channels, *relative(part.window, window)] = answer.pixels
                damaged |= {(one.plane, one.row, one.column): one for one in answer.damaged}
                unbound |= set(answer.unbound)
        return RegionAnswer(pixels, tuple(damaged[name] for name in sorted(damaged)), tuple(sorted(unbound)))

    def _parts(self, plane: int, window: Window) -> Iterator[_Part]:
        """Cut a region where one run of the model cannot serve all of its tiles."""
        if self.model is None:
            yield _Part(window, (0, 0), [])
            return
        pieces = pieces_of(self.slide, plane, window)
        if self._serves_all(pieces, window):
            yield _Part(window, self._origin(pieces), joined(pieces, window))
            return
        by_name = {name: piece for piece in pieces for name in piece.tiles}
        for row, column, place in self.slide.tiles_in(window):
            own = [by_name[plane, row, column]] if (plane, row, column) in by_name else []
            yield _Part(overlap(place, window), (place[0].start, place[1].start), own)

    def _serves_all(self, pieces: list[Piece], window: Window) -> bool:
        """Say whether all tiles lie on one grid and, for a model that needs them, have the same tables."""
        if self.model is not None and self.model.needs_tables:
            kinds = {(piece.jpeg.tables, piece.jpeg.sampling, piece.jpeg.color_space) for piece in pieces}
            if len(kinds) > 1:
                return False
        if len({_phase(piece) for piece in pieces}) < 2:
            return True
        sides = (
            min(tile, side.stop - side.start)
            for tile, side in zip(self.slide.tile_shape, window, strict=True)
        )
        smallest: int = min(sides)
        return smallest < _WORTH_A_RUN

    def _origin(self, pieces: list[Piece]) -> tuple[int, int]:
        phases = {_phase(piece) for piece in pieces}
        return phases.pop() if len(phases) == 1 else (0, 0) if phases else self.origin

    def _restored(self, plane: int, part: _Part) -> Generator[Progress, None, RegionAnswer]:
        if self.model is None:
            pixels, damaged = self.slide.read(plane, part.window)
            yield Progress(1, 1)
            return RegionAnswer(pixels, tuple(damaged))
        jpeg = part.pieces[0].jpeg if part.pieces and self.model.needs_tables else None
        core, seen, offset = self._surroundings(
            part, TileGrid.for_model(self.model, min(self.slide.samples, 3), jpeg)
        )
        pixels, damaged = self.slide.read(plane, seen)
        unit = self.scale.to_unit(pixels[:3])
        degraded = fill_nonfinite(unit)
        answer: NDArray[np.floating[Any]] = yield from restore_in_tiles(
            degraded,
            self.model,
            tile_size=_even(self.tile_size, core),
            jpeg=jpeg and replace(jpeg, height=unit.shape[1], width=unit.shape[2], offset=offset),
            region=relative(core, seen),
            offset=offset,
        )
        if len(degraded) == 3:
            answer = kept_grey(answer, degraded)
        agreeing: set[TileName] = set()
        if self.consistency:
            frame = Frame(self.slide, plane, part.window, seen, degraded, self.scale)
            answer, agreeing = bound(frame, answer, part.pieces)
        correction = np.where(np.isfinite(unit), self.strength * (answer - degraded), 0)
        for damage in damaged:
            correction[:, *self._place(damage, seen)] = 0
        pixels[:3] = self.scale.corrected(pixels[:3], correction)
        shown = {(plane, row, column) for row, column, _ in self.slide.tiles_in(part.window)}
        hurt = {(damage.plane, damage.row, damage.column): damage for damage in damaged}
        return RegionAnswer(
            pixels[:, *relative(part.window, seen)],
            tuple(hurt[name] for name in shown & hurt.keys()),
            tuple(shown - hurt.keys() - agreeing) if self.consistency else (),
        )

    def _surroundings(self, part: _Part, grid: TileGrid) -> tuple[Window, Window, tuple[int, int]]:
        """Return what is restored, what is read for it, and where that begins in a coded unit.

        Pieces that go beyond a part are restored a little beyond it too.
        """
        wanted = [
            part.window,
            *(piece.cut(part.window, UNITS_AROUND) for piece in part.pieces if self.consistency),
        ]
        whole = slice(0, self.slide.shape[0]), slice(0, self.slide.shape[1])
        core = overlap(hull(wanted), whole)
        units = [side for piece in part.pieces for side in piece.jpeg.mcu] or [_LARGEST_UNIT]
        period = math.lcm(grid.alignment, *units)
        # Filling NaN looks a little farther than the model does, and so may keeping grey grey.
        reach = max(grid.halo, GREY_REACH) + (grid.alignment if self.slide.dtype.kind == "f" else 0)
        rows, columns = (
            slice(max((side.start - reach - at) // period * period + at, 0), min(side.stop + reach, length))
            for side, at, length in zip(core, part.origin, self.slide.shape, strict=True)
        )
        offset = (rows.start - part.origin[0]) % period, (columns.start - part.origin[1]) % period
        return core, (rows, columns), offset

    def _place(self, damage: Damage, seen: Window) -> Window:
        rows, columns = (
            slice(max(number * size - side.start, 0), max((number + 1) * size - side.start, 0))
            for number, size, side in zip(
                (damage.row, damage.column), self.slide.tile_shape, seen, strict=True
            )
        )
        return rows, columns


def _phase(piece: Piece) -> tuple[int, int]:
    """Return where in a period of coded units a piece starts."""
    rows, columns = piece.place
    return rows.start % piece.jpeg.mcu[0], columns.start % piece.jpeg.mcu[1]


def _even(tile_size: int, window: Window) -> int:
    """Choose a tile size near the wanted one that leaves no narrow rest, which would be mostly halo."""
    longest: int = max(side.stop - side.start for side in window)
    count: int = max(math.ceil(longest / tile_size - _LARGER), 1)
    return -(-longest // count)
