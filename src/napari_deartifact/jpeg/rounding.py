"""The whole levels that an encoder takes to the same JPEG again, as near to a restoration as they can be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

from napari_deartifact.jpeg.cells import Cells, any_in_block
from napari_deartifact.jpeg.coded import CodedPicture
from napari_deartifact.jpeg.restored import MARGIN_LEVELS
from napari_deartifact.jpeg.strips import Places, grid_of, part_of, shown, strips_of

OVERSHOOT = 1.7
"""Going too far both ways, an alternation ends within two sets, not just towards them."""
_PLAIN_ROUNDS = 4
_DITHER = 0.25
"""How far thresholds vary then about a half.  All the way they would keep the mean of what is flat, at the
price of noise; a little of it is enough where `_CORRECTION` works on what is still wrong."""
_CORRECTION = 0.3
"""Share of what coefficients lack after an attempt that is added to what the next ones aim at."""
_GUARD = 0.12
_ENCODERS_NOISE = 0.04
"""What an encoder of whole numbers may compute otherwise, at most and usually, in levels."""
_WRONG_IN_A_UNIT = 0.25
"""Expected number of wrong coefficients in a coded unit that nothing more is done about."""
_FEW_UNITS = 384
"""Not worth cutting into strips."""
_ATTEMPTS_APART = 2
"""After these so few units are left of a strip that those of all strips go on together."""
_WORTH_LEAVING_OUT = 0.8
"""Share of the units of a strip that may be left to do before the others are left out."""


def in_whole_levels(
    picture: CodedPicture,
    pixels: torch.Tensor,
    iterations: int,
    margin: float,
    *,
    weigh: bool = False,
    window: tuple[slice, slice] | None = None,
) -> torch.Tensor:
    """Round a restoration into the cells.

    Parameters
    ----------
    picture : CodedPicture
        As it was decoded, and its cells.
    pixels : Tensor, shape (C, Y, X)
        The restoration.
    iterations : int
        Attempts, at most.
    margin : float
        Distance to keep from the cells' walls at first, in quantization steps.
    weigh : bool
        Weigh the restoration against the cells first.
    window : (slice, slice), optional
        Rows and columns to answer for, from a coded unit's first to another one's last.

    Returns
    -------
    Tensor of float32, shape (C, Y, X)
        Whole legal levels.

    Notes
    -----
    Coded units do not depend on each other, and most are done after one or two attempts; the work goes on
    with the others.
    """
    picture = picture.single()
    state = picture.extended(pixels.float())
    window = window or (slice(None), slice(None))
    if math.prod(grid_of(picture)) <= _FEW_UNITS:
        return _Rounding.of(picture, state, margin, weigh).finished(iterations).answer[:, *window]
    answer = picture.extended(picture.pixels).clone()
    begun = []
    for places, strip in strips_of(picture, window):
        work = _Rounding.of(strip, places.pixels(state), margin, weigh)
        begun.append(work.go_on(places, range(min(_ATTEMPTS_APART, iterations)), answer))
    for work, places in _joined(begun):
        work, places = work.go_on(places, range(min(_ATTEMPTS_APART, iterations), iterations), answer)
        if len(places):
            work.with_decoded().write(answer, places)
    return picture.cut(answer)[:, *window]


@dataclass(frozen=True)
class _Rounding:
    """Coded units on their way to whole levels that an encoder takes to the same JPEG again."""

    picture: CodedPicture
    state: torch.Tensor
    margins: list[torch.Tensor]
    aims: list[torch.Tensor]
    answer: torch.Tensor
    wrong: torch.Tensor
    weigh: bool = False
    """Whether the state is still to be weighed, which the first attempt does."""

    @classmethod
    def of(cls, picture: CodedPicture, state: torch.Tensor, margin: float, weigh: bool) -> _Rounding:
        wrong = torch.full_like(state[:1] if picture.joint else state, torch.inf)
        margins = margins_of(picture, margin)
        aims = [torch.zeros_like(margin) for margin in margins]
        return cls(picture, state, margins, aims, picture.pixels, wrong, weigh)

    @property
    def tolerated(self) -> float:
        return _WRONG_IN_A_UNIT / self.picture.coefficients_in_a_unit

    def units_left(self) -> torch.Tensor:
        """Mark the units of which anything is wrong: nothing else will change, shape (rows, columns)."""
        left = (self.wrong > self.tolerated).any(dim=0)
        rows, columns = grid_of(self.picture)
        return any_in_block(left, left.shape[0] // rows, left.shape[1] // columns)

    def finished(self, iterations: int) -> _Rounding:
        work = self
        for index in range(iterations):
            work = work.after(index)
            if not work.units_left().any():
                return work
        return work.with_decoded()

    def after(self, index: int) -> _Rounding:
        """Make one attempt, the one of that number."""
        picture = self.picture
        inside = moved_into_cells(picture, self.state, self.margins, self.aims, weigh=self.weigh)
        legal = picture.refolded(inside.clamp(0, picture.white))
        state = inside + OVERSHOOT * (legal - inside)
        threshold = 0.5 if index < _PLAIN_ROUNDS else _dither(state)
        levels = picture.cut((state + threshold).floor()).clamp(0, picture.white)
        encoded = picture.coefficients(picture.extended(levels), whole=True)
        excess = list(map(Cells.excess, picture.components, encoded))
        answer, wrong = _better(picture, self.answer, self.wrong, levels, excess, self.tolerated)
        margins = [
            torch.where(beyond > -_GUARD, 1.5 * margin + beyond + _GUARD, margin)
            for margin, beyond in zip(self.margins, excess, strict=True)
        ]
        aims = self.aims
        if index + 1 >= _PLAIN_ROUNDS:
            aims = [
                aim + _CORRECTION * part.change(found, _GUARD)
                for aim, part, found in zip(aims, picture.components, encoded, strict=True)
            ]
        return replace(self, state=state, margins=margins, aims=aims, answer=answer, wrong=wrong, weigh=False)

    def go_on(
        self, places: Places, attempts: Iterable[int], answer: torch.Tensor
    ) -> tuple[_Rounding, Places]:
        """Make some attempts, write what is done into an answer, and return what is left and its places."""
        work = self
        for index in attempts:
            work = work.after(index)
            left = work.units_left().flatten()
            if left.float().mean() <= _WORTH_LEAVING_OUT:
                work.write(answer, places)
                places, within = places.those(left)
                if not len(places):
                    break
                work = work.part(within)
        return work, places

    def with_decoded(self) -> _Rounding:
        """Leave units as they were decoded where that agrees better."""
        excess = _excess_when_encoded(self.picture, self.picture.pixels)
        answer, wrong = _better(
            self.picture, self.answer, self.wrong, self.picture.pixels, excess, self.tolerated
        )
        return replace(self, answer=answer, wrong=wrong)

    def write(self, picture: torch.Tensor, places: Places) -> None:
        """Write the answer to a picture on whole units."""
        for plane, own in zip(picture, self.picture.extended(self.answer), strict=True):
            places.put(plane, own)

    def part(self, places: Places) -> _Rounding:
        """Go on with some units of a strip."""
        picture, margins = self.picture, self.picture.margins
        answer = places.pixels(picture.extended(self.answer))
        return _Rounding(
            part_of(picture, picture.extended(picture.pixels), places, margins),
            places.pixels(self.state),
            [places.taken(margin) for margin in self.margins],
            [places.taken(aim) for aim in self.aims],
            shown(answer, margins),
            places.pixels(self.wrong),
        )


def _joined(strips: Sequence[tuple[_Rounding, Places]]) -> Iterator[tuple[_Rounding, Places]]:
    """Lay strips with the same margins one after the other, so that small ones take fewer steps."""
    groups = defaultdict(list)
    for work, places in strips:
        if len(places):
            groups[places.downwards, work.picture.margins].append((work, places))
    for (downwards, _), group in groups.items():
        works = [work for work, _ in group]
        yield _one_strip(works, downwards), Places.joined([places for _, places in group])


def _one_strip(works: Sequence[_Rounding], downwards: bool) -> _Rounding:
    def joined(parts: Iterable[torch.Tensor], axis: int) -> torch.Tensor:
        return torch.cat(list(parts), dim=axis if downwards else axis + 1)

    pictures = [work.picture for work in works]
    components = (
        replace(
            parts[0],
            indices=joined((part.indices for part in parts), 0),
            known=joined((part.known for part in parts), 0),
            inside=joined((part.inside for part in parts), 0),
        )
        for parts in zip(*(picture.components for picture in pictures), strict=True)
    )
    pixels = joined((picture.pixels for picture in pictures), 1)
    return _Rounding(
        replace(pictures[0], pixels=pixels, components=tuple(components)),
        joined((work.state for work in works), 1),
        [joined(margins, 0) for margins in zip(*(work.margins for work in works), strict=True)],
        [joined(aims, 0) for aims in zip(*(work.aims for work in works), strict=True)],
        joined((work.answer for work in works), 1),
        joined((work.wrong for work in works), 1),
    )


def margins_of(picture: CodedPicture, steps: float) -> list[torch.Tensor]:
    """Return the distance that every coefficient is to keep from the walls of its cell, in levels."""
    return [
        (steps * part.table).clamp(max=MARGIN_LEVELS).expand_as(part.indices) for part in picture.components
    ]


def moved_into_cells(
    picture: CodedPicture,
    state: torch.Tensor,
    margins: Sequence[torch.Tensor | float],
    aims: Sequence[torch.Tensor] | None = None,
    *,
    weigh: bool = False,
) -> torch.Tensor:
    """Move a picture on whole coded units into the cells, `margins` off their walls, and on by `aims`."""
    coefficients = picture.coefficients(state)
    changes = list(map(partial(Cells.change, weigh=weigh), picture.components, coefficients, margins))
    if aims is not None:
        changes = [change + aim for change, aim in zip(changes, aims, strict=True)]
    return picture.moved(state, changes)


def _excess_when_encoded(picture: CodedPicture, levels: torch.Tensor) -> list[torch.Tensor]:
    coefficients = picture.coefficients(picture.extended(levels), whole=True)
    return list(map(Cells.excess, picture.components, coefficients))


def _better(
    picture: CodedPicture,
    answer: torch.Tensor,
    wrong: torch.Tensor,
    levels: torch.Tensor,
    excess: list[torch.Tensor],
    tolerated: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take levels over into an answer in the coded units in which fewer coefficients will be wrong.

    `wrong` is the share of a unit's coefficients that an encoder is expected to quantize otherwise.
    """
    # By tanh, since torch's sigmoid depends in its last bit on where in a tensor a number stands.
    share = picture.by_unit(
        [(1 + torch.tanh(beyond / (2 * _ENCODERS_NOISE))).mean(dim=(-2, -1)) / 2 for beyond in excess]
    )
    fewer = (share < wrong) & (wrong > tolerated)
    return torch.where(picture.cut(fewer), levels, answer), torch.where(fewer, share, wrong)


def _dither(state: torch.Tensor) -> torch.Tensor:
    """Return thresholds on the grid of blocks by which flat blocks are not rounded as one, after Bayer."""
    return _bayer().repeat(state.shape[-2] // 8, state.shape[-1] // 8)


@cache
def _bayer() -> torch.Tensor:
    pattern, quarter = torch.zeros(1, 1), torch.tensor([[0.0, 2.0], [3.0, 1.0]])
    for _ in range(3):
        finer = torch.kron(quarter, torch.ones_like(pattern))
        pattern = torch.kron(torch.ones_like(quarter), 4 * pattern) + finer
    return 0.5 + _DITHER * ((pattern + 0.5) / 64 - 0.5)
