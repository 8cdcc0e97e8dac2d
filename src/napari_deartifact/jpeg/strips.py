"""Coded units of a picture, side by side as a picture of their own.

No coded unit depends on another one, wherever it lies.  So work that is soon over for most units goes on
with those that are left, and in strips that stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

from napari_deartifact.jpeg.coded import CodedPicture

UNITS_IN_A_STRIP = 2048
"""Of 16×16 pixels in three colours they are 6 megabytes, so intermediates stay in cache."""

Margin = tuple[int, int]


@dataclass(frozen=True)
class Places:
    """Where units lie in a picture, and how a strip of them lies: downwards, or else from left to right.

    Attributes
    ----------
    rows, columns : Tensor of int, shape (N,)
        In the grid of units.
    grid : (int, int)
        Rows and columns of that grid.
    downwards : bool
        True for units at the left or right border, whose horizontal margin must survive; others lie in a
        row.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    grid: tuple[int, int]
    downwards: bool

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, values: torch.Tensor) -> torch.Tensor:
        """Take the units' part of something of shape (Y, X, ...), whatever the resolution."""
        units = self._units(values)[self.rows, :, self.columns]
        count, height, width, *rest = units.shape
        if self.downwards:
            return units.reshape(count * height, width, *rest)
        return units.transpose(0, 1).reshape(height, count * width, *rest)

    def pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Take the units from pixels of shape (C, Y, X)."""
        return torch.stack([self.taken(plane) for plane in pixels])

    def put(self, values: torch.Tensor, strip: torch.Tensor) -> None:
        """Write a strip, of shape (Y, X, ...), to where it was taken from."""
        units = self._units(values)
        _, height, _, width, *rest = units.shape
        if self.downwards:
            parts = strip.reshape(len(self), height, width, *rest)
        else:
            parts = strip.reshape(height, len(self), width, *rest).transpose(0, 1)
        units[self.rows, :, self.columns] = parts

    def those(self, mask: torch.Tensor) -> tuple[Places, Places]:
        """Choose some of the units: their places in the picture, and in the strip."""
        kept = mask.nonzero()[:, 0]
        nothing = torch.zeros_like(kept)
        grid = (len(self), 1) if self.downwards else (1, len(self))
        within = (kept, nothing) if self.downwards else (nothing, kept)
        return (
            replace(self, rows=self.rows[kept], columns=self.columns[kept]),
            Places(*within, grid, self.downwards),
        )

    @classmethod
    def joined(cls, places: Sequence[Places]) -> Places:
        """Return the units of several strips of one picture as one strip."""
        rows = torch.cat([part.rows for part in places])
        columns = torch.cat([part.columns for part in places])
        return replace(places[0], rows=rows, columns=columns)

    def _units(self, values: torch.Tensor) -> torch.Tensor:
        rows, columns = self.grid
        height, width = values.shape[0] // rows, values.shape[1] // columns
        return values.view(rows, height, columns, width, *values.shape[2:])


def strips_of(
    picture: CodedPicture, window: tuple[slice, slice] = (slice(None), slice(None))
) -> Iterator[tuple[Places, CodedPicture]]:
    """Cut a picture, or the units in a window of it, into strips of units that have the same margins."""
    grid = grid_of(picture)
    rows, columns = (
        _by_margin(_units(part, count, length, margin), count, margin)
        for part, count, length, margin in zip(
            window, grid, picture.pixels.shape[1:], picture.margins, strict=True
        )
    )
    extended = picture.extended(picture.pixels)
    for (vertical, some_rows), (horizontal, some_columns) in product(rows, columns):
        units = torch.cartesian_prod(some_rows, some_columns)
        for some in torch.split(units, UNITS_IN_A_STRIP):
            places = Places(some[:, 0], some[:, 1], grid, any(horizontal))
            yield places, part_of(picture, extended, places, (vertical, horizontal))


def part_of(
    picture: CodedPicture, extended: torch.Tensor, places: Places, margins: tuple[Margin, Margin]
) -> CodedPicture:
    """Return some units as a picture with these margins; `extended` are the pixels on whole units."""
    pixels = places.pixels(extended)
    components = (
        replace(
            part,
            indices=places.taken(part.indices),
            known=places.taken(part.known),
            inside=places.taken(part.inside),
        )
        for part in picture.components
    )
    return replace(picture, pixels=shown(pixels, margins), margins=margins, components=tuple(components))


def shown(pixels: torch.Tensor, margins: tuple[Margin, Margin]) -> torch.Tensor:
    """Cut the margins off pixels of shape (C, Y, X)."""
    (top, bottom), (left, right) = margins
    return pixels[:, top : pixels.shape[1] - bottom, left : pixels.shape[2] - right]


def grid_of(picture: CodedPicture) -> tuple[int, int]:
    """Return the number of rows and of columns of coded units."""
    height, width = 8, 8
    if picture.joint:
        height, width = (8 * max(part.ratio[axis] for part in picture.components) for axis in (0, 1))
    (top, bottom), (left, right) = picture.margins
    rows, columns = picture.pixels.shape[1] + top + bottom, picture.pixels.shape[2] + left + right
    return rows // height, columns // width


def _units(part: slice, count: int, length: int, margin: Margin) -> range:
    """Number the rows or columns of units that a part of a picture's axis shows."""
    unit = (length + sum(margin)) // count
    start, stop, _ = part.indices(length)
    return range((margin[0] + start) // unit, -(-(margin[0] + stop) // unit))


def _by_margin(units: range, count: int, margin: Margin) -> Sequence[tuple[Margin, torch.Tensor]]:
    """Group rows or columns of units by how much of them the picture does not show at either end."""
    before, after = margin
    groups: dict[Margin, list[int]] = {}
    for index in units:
        own = before if index == 0 else 0, after if index == count - 1 else 0
        groups.setdefault(own, []).append(index)
    return [(own, torch.tensor(indices)) for own, indices in groups.items()]
