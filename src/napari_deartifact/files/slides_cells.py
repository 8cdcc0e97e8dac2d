"""The cells of a slide's tiles: what an answer must obey, tile by tile or for tiles that share a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.slides_base import Slide, Window
from napari_deartifact.intensities import IntensityScale, fill_nonfinite
from napari_deartifact.picture import consistent

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

TileName = tuple[int, int, int]
"""Plane, row and column."""

UNITS_AROUND = 2
"""Coded units beside a part of a tile whose pixels tell what its interpolated chroma was."""
_BLOCK = 8


@dataclass(frozen=True)
class Piece:
    """A part of the picture with the record that fits it, and the tiles that it is made of."""

    place: Window
    jpeg: JPEGInfo
    tiles: frozenset[TileName]

    def cut(self, window: Window, units: int) -> Window:
        """Return what of the piece lies within so many coded units of a window."""
        if not units:
            return overlap(self.place, window)
        rows, columns = (
            slice(
                own.start + max((side.start - own.start) // unit - units, 0) * unit,
                min(own.stop, own.start + (-((own.start - side.stop) // unit) + units) * unit),
            )
            for own, side, unit in zip(self.place, window, self.jpeg.mcu, strict=True)
        )
        return rows, columns


@dataclass(frozen=True)
class Frame:
    """A part of a plane, what is read for it, and how that looks on the unit scale."""

    slide: Slide
    plane: int
    window: Window
    seen: Window
    degraded: NDArray[np.float32]
    scale: IntensityScale


def pieces_of(slide: Slide, plane: int, window: Window) -> list[Piece]:
    """Return the tiles in a window that have a record."""
    found = []
    for row, column, place in slide.tiles_in(window):
        record = slide.record(plane, row, column)
        if record is not None:
            rows, columns = (
                slice(side.start, side.start + size) for side, size in zip(place, record.shape, strict=True)
            )
            found.append(Piece((rows, columns), record, frozenset({(plane, row, column)})))
    return found


def joined(pieces: list[Piece], window: Window) -> list[Piece]:
    """Make one piece of tiles whose blocks go on from one to the next, with no chroma to interpolate."""
    if len(pieces) < 2:
        return pieces
    first = pieces[0].jpeg
    starts = [side.start for place in (window, *(piece.place for piece in pieces)) for side in place]
    share = all(start % _BLOCK == 0 for start in starts) and all(
        piece.jpeg.mcu == (_BLOCK, _BLOCK)
        and (piece.jpeg.tables, piece.jpeg.color_space) == (first.tables, first.color_space)
        for piece in pieces
    )
    if not share:
        return pieces
    rows, columns = (
        slice(side.start, min(-(-side.stop // _BLOCK) * _BLOCK, held.stop))
        for side, held in zip(window, hull([piece.place for piece in pieces]), strict=True)
    )
    size = {"height": rows.stop - rows.start, "width": columns.stop - columns.start}
    names = frozenset[TileName]().union(*(piece.tiles for piece in pieces))
    return [Piece((rows, columns), replace(first, **size, offset=(0, 0)), names)]


def bound(
    frame: Frame, answer: NDArray[np.floating[Any]], pieces: list[Piece]
) -> tuple[NDArray[np.float64], set[TileName]]:
    """Project each piece onto its cells; of a tile that is cut, a part with some units around it.

    Parameters
    ----------
    frame : Frame
    answer : ndarray, shape (C, Y, X)
        Of what is read, on the unit scale.
    pieces : list of Piece

    Returns
    -------
    answer : ndarray of float64
        Bound within the frame's window.
    tiles : set of TileName
        Those that most of their pixels agree with.
    """
    from napari_deartifact.jpeg.belonging import FEWEST_KNOWN

    projection, names = answer.astype(np.float64), set[TileName]()
    for piece in pieces:
        around, inner = piece.cut(frame.window, UNITS_AROUND), piece.cut(frame.window, 0)
        jpeg = piece.jpeg.crop(*relative(around, piece.place))
        whole = frame.scale.is_whole_levels(jpeg.precision)
        restored, decoded = _with_hidden(frame, around, answer)
        projected, known = consistent(restored, decoded, jpeg, whole=whole)
        projection[:, *relative(inner, frame.seen)] = projected[:, *relative(inner, around)]
        if known >= FEWEST_KNOWN:
            names |= piece.tiles
    return projection, names


def _with_hidden(
    frame: Frame, around: Window, answer: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Cut a part out of answer and picture; where a tile goes beyond the picture, as it was decoded."""
    rows, columns = relative(around, frame.seen)
    _, height, width = answer.shape
    if rows.stop <= height and columns.stop <= width:
        return answer[:, rows, columns], frame.degraded[:, rows, columns]
    hidden, _ = frame.slide.read(frame.plane, around)
    decoded = fill_nonfinite(frame.scale.to_unit(hidden[:3]))
    restored, shown = decoded.astype(answer.dtype), answer[:, rows, columns]
    restored[:, : shown.shape[1], : shown.shape[2]] = shown
    return restored, decoded


def hull(windows: list[Window]) -> Window:
    """Return the smallest window that holds them all."""
    rows, columns = (
        slice(min(window[axis].start for window in windows), max(window[axis].stop for window in windows))
        for axis in (0, 1)
    )
    return rows, columns


def overlap(one: Window, other: Window) -> Window:
    """Return what two windows share."""
    rows, columns = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def relative(window: Window, origin: Window) -> Window:
    """Return a window as it is counted from the corner of another."""
    rows, columns = (
        slice(side.start - start.start, side.stop - start.start)
        for side, start in zip(window, origin, strict=True)
    )
    return rows, columns
