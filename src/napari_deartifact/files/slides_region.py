"""One region of a slide through a model, and each of its tiles back into the cells of its own JPEG."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import IntensityScale, channels_last, fill_nonfinite
from napari_deartifact.files.slides_base import Damage, Slide, Window
from napari_deartifact.picture import GREY_REACH, kept_grey
from napari_deartifact.tiling import Progress, TileGrid, restore_in_tiles

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

TileName = tuple[int, int, int]
"""Plane, row and column."""

_LARGER = 0.15
"""Share by which a model's tile may be larger than wanted."""
_BLOCK, _UNITS_AROUND = 8, 2
"""Coded units beside a part of a tile whose pixels tell what its interpolated chroma was."""


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
    """

    slide: Slide
    model: Restorer | None
    scale: IntensityScale
    strength: float
    tile_size: int
    consistency: bool

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
        answers: list[RegionAnswer] = []
        for plane in range(self.slide.planes):
            answer = yield from self._plane(plane, window)
            answers.append(answer)
        return RegionAnswer(
            np.concatenate([answer.pixels for answer in answers]),
            tuple(damage for answer in answers for damage in answer.damaged),
            tuple(name for answer in answers for name in answer.unbound),
        )

    def _plane(self, plane: int, window: Window) -> Generator[Progress, None, RegionAnswer]:
        if self.model is None:
            pixels, damaged = self.slide.read(plane, window)
            yield Progress(1, 1)
            return RegionAnswer(pixels, tuple(damaged))
        pieces = self._pieces(plane, window) if self.consistency or self.model.needs_tables else []
        jpeg = pieces[0].jpeg if pieces and self.model.needs_tables else None
        core, seen = self._surroundings(window, pieces, TileGrid.for_model(self.model, jpeg))
        pixels, damaged = self.slide.read(plane, seen)
        colors = pixels[:3]
        unit = self.scale.to_unit(colors)
        degraded = fill_nonfinite(unit)
        answer: NDArray[np.floating[Any]] = yield from restore_in_tiles(
            degraded,
            self.model,
            tile_size=_even(self.tile_size, core),
            jpeg=jpeg and replace(jpeg, height=unit.shape[1], width=unit.shape[2], offset=(0, 0)),
            region=_relative(core, seen),
        )
        if len(degraded) == 3:
            answer = kept_grey(answer, degraded)
        bound: set[TileName] = set()
        if self.consistency:
            answer, bound = self._bound(_Frame(plane, window, seen, degraded), answer, pieces)
        correction = np.where(np.isfinite(unit), self.strength * (answer - degraded), 0)
        for damage in damaged:
            correction[:, *self._place(damage, seen)] = 0
        pixels[:3] = self.scale.corrected(colors, correction)
        shown = {(plane, row, column) for row, column, _ in self.slide.tiles_in(window)}
        hurt = {(damage.plane, damage.row, damage.column): damage for damage in damaged}
        return RegionAnswer(
            pixels[:, *_relative(window, seen)],
            tuple(hurt[name] for name in sorted(shown & hurt.keys())),
            tuple(sorted(shown - hurt.keys() - bound)) if self.consistency else (),
        )

    def _pieces(self, plane: int, window: Window) -> list[_Piece]:
        """Return what one record can bind: each tile, or all of the region where tiles share a grid."""
        found = []
        for row, column, place in self.slide.tiles_in(window):
            record = self.slide.record(plane, row, column)
            if record is not None:
                rows, columns = (
                    slice(side.start, side.start + size)
                    for side, size in zip(place, record.shape, strict=True)
                )
                found.append(_Piece((rows, columns), record, frozenset({(plane, row, column)})))
        if len(found) < 2 or not self._share_a_grid(found, window):
            return found
        rows, columns = (
            slice(side.start, min(-(-side.stop // _BLOCK) * _BLOCK, held.stop))
            for side, held in zip(window, _hull([piece.place for piece in found]), strict=True)
        )
        size = {"height": rows.stop - rows.start, "width": columns.stop - columns.start}
        names = frozenset[TileName]().union(*(piece.tiles for piece in found))
        return [_Piece((rows, columns), replace(found[0].jpeg, **size, offset=(0, 0)), names)]

    def _share_a_grid(self, pieces: list[_Piece], window: Window) -> bool:
        """Say whether blocks go on from tile to tile, with the same tables and no chroma to interpolate."""
        first = pieces[0].jpeg
        edges = (*self.slide.tile_shape, *(side.start for side in window))
        return all(edge % _BLOCK == 0 for edge in edges) and all(
            piece.jpeg.mcu == (_BLOCK, _BLOCK)
            and (piece.jpeg.tables, piece.jpeg.color_space) == (first.tables, first.color_space)
            for piece in pieces
        )

    def _surroundings(self, window: Window, pieces: list[_Piece], grid: TileGrid) -> tuple[Window, Window]:
        """Return what is restored, for the pieces that go beyond a region too, and what is read for it."""
        wanted = [window, *(piece.cut(window, _UNITS_AROUND) for piece in pieces if self.consistency)]
        core = self._grown(_hull(wanted), 0, grid.alignment)
        # Filling NaN looks a little farther than the model does, and so may keeping grey grey.
        reach = max(grid.halo, GREY_REACH) + (grid.alignment if self.slide.dtype.kind == "f" else 0)
        return core, self._grown(core, reach, grid.alignment)

    def _grown(self, window: Window, margin: int, alignment: int) -> Window:
        rows, columns = (
            slice(
                max(side.start - margin, 0) // alignment * alignment,
                min(-(-(side.stop + margin) // alignment) * alignment, length),
            )
            for side, length in zip(window, self.slide.shape, strict=True)
        )
        return rows, columns

    def _bound(
        self, frame: _Frame, answer: NDArray[np.floating[Any]], pieces: list[_Piece]
    ) -> tuple[NDArray[np.float64], set[TileName]]:
        """Project each piece onto its cells; of a tile that is cut, a part with some units around it.

        Also name the tiles that most of their pixels agree with.
        """
        projection, bound = answer.astype(np.float64), set[TileName]()
        for piece in pieces:
            around, inner = piece.cut(frame.window, _UNITS_AROUND), piece.cut(frame.window, 0)
            jpeg = piece.jpeg.crop(*_relative(around, piece.place))
            whole = self.scale.is_whole_levels(jpeg.precision)
            restored, decoded = self._with_hidden(frame, around, answer)
            projected, agrees = _projected(restored, decoded, jpeg, whole=whole)
            projection[:, *_relative(inner, frame.seen)] = projected[:, *_relative(inner, around)]
            if agrees:
                bound |= piece.tiles
        return projection, bound

    def _with_hidden(
        self, frame: _Frame, around: Window, answer: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Cut a part out of answer and picture; where a tile goes beyond the picture, as it was decoded."""
        rows, columns = _relative(around, frame.seen)
        _, height, width = answer.shape
        if rows.stop <= height and columns.stop <= width:
            return answer[:, rows, columns], frame.degraded[:, rows, columns]
        hidden, _ = self.slide.read(frame.plane, around)
        decoded = fill_nonfinite(self.scale.to_unit(hidden[:3]))
        restored, shown = decoded.astype(answer.dtype), answer[:, rows, columns]
        restored[:, : shown.shape[1], : shown.shape[2]] = shown
        return restored, decoded

    def _place(self, damage: Damage, seen: Window) -> Window:
        rows, columns = (
            slice(max(number * size - side.start, 0), max((number + 1) * size - side.start, 0))
            for number, size, side in zip(
                (damage.row, damage.column), self.slide.tile_shape, seen, strict=True
            )
        )
        return rows, columns


@dataclass(frozen=True)
class _Frame:
    """A region of a plane, what is read for it, and how that looks on the unit scale."""

    plane: int
    window: Window
    seen: Window
    degraded: NDArray[np.float32]


@dataclass(frozen=True)
class _Piece:
    """A part of the picture with the record that fits it, and the tiles that it is made of."""

    place: Window
    jpeg: JPEGInfo
    tiles: frozenset[TileName]

    def cut(self, window: Window, units: int) -> Window:
        """Return what of the piece lies within so many coded units of a window."""
        rows, columns = (
            slice(
                max(own.start, own.start + (side.start - own.start) // unit * unit - units * unit),
                min(own.stop, own.start - (own.start - side.stop) // unit * unit + units * unit),
            )
            if units
            else slice(max(own.start, side.start), min(own.stop, side.stop))
            for own, side, unit in zip(self.place, window, self.jpeg.mcu, strict=True)
        )
        return rows, columns


def _projected(
    answer: NDArray[np.floating[Any]], degraded: NDArray[np.float32], jpeg: JPEGInfo, *, whole: bool
) -> tuple[NDArray[np.float64], bool]:
    """Move an answer into the cells; say too whether most of the blocks decode to the degraded pixels."""
    from napari_deartifact.jpeg.consistency import project

    white = 2**jpeg.precision - 1
    restored, decoded = (channels_last(image).astype(np.float64) * white for image in (answer, degraded))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        projected = project(restored, decoded, jpeg, whole=whole) / white
    channels_first = np.moveaxis(np.atleast_3d(projected), -1, 0)
    return channels_first, not caught


def _even(tile_size: int, window: Window) -> int:
    """Choose a tile size near the wanted one that leaves no narrow rest, which would be mostly halo."""
    longest: int = max(side.stop - side.start for side in window)
    count: int = max(math.ceil(longest / tile_size - _LARGER), 1)
    return -(-longest // count)


def _hull(windows: list[Window]) -> Window:
    """Return the smallest window that holds them all."""
    rows, columns = (
        slice(min(window[axis].start for window in windows), max(window[axis].stop for window in windows))
        for axis in (0, 1)
    )
    return rows, columns


def _relative(window: Window, origin: Window) -> Window:
    rows, columns = (
        slice(side.start - start.start, side.stop - start.start)
        for side, start in zip(window, origin, strict=True)
    )
    return rows, columns
