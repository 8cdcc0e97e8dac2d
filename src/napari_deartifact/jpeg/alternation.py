"""Pictures within quantization cells and within the legal levels, as near to a restoration as they can be."""

from __future__ import annotations

from collections import deque

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

from napari_deartifact.jpeg.coded import CodedPicture
from napari_deartifact.jpeg.rounding import OVERSHOOT, margins_of, moved_into_cells
from napari_deartifact.jpeg.strips import Places, grid_of, part_of, strips_of

_INNER_MARGIN = 0.1
_MOST_ALTERNATIONS, _STAGNATION = 5, 0.7


def in_cells(
    picture: CodedPicture, pixels: torch.Tensor, iterations: int, margin: float, *, weigh: bool = False
) -> torch.Tensor:
    """Move a restoration into the cells, and as near to legal levels as these allow.

    Parameters
    ----------
    picture : CodedPicture
        As it was decoded, and its cells.
    pixels : Tensor, shape (C, Y, X)
        The restoration.
    iterations : int
        Alternations between the cells and the legal levels after which a coded unit is given up unless it
        still comes nearer; five times as many, at most.
    margin : float
        Distance to keep from the cells' walls at first, in quantization steps.
    weigh : bool
        Weigh the restoration against the cells first.

    Returns
    -------
    Tensor, shape and dtype of `pixels`
        Where no legal picture lies in the cells, it lies in them and leaves the legal levels.

    Notes
    -----
    Each coded unit goes its own way, so that the answer for it is the same whatever lies beside it.
    """
    state = picture.extended(pixels)
    answer = torch.empty_like(state)
    for places, strip in strips_of(picture):
        _alternate(strip, places.pixels(state), places, answer, iterations, margin, weigh)
    return picture.cut(answer)


def _alternate(
    strip: CodedPicture,
    state: torch.Tensor,
    places: Places,
    answer: torch.Tensor,
    iterations: int,
    margin: float,
    weigh: bool,
) -> None:
    margins = margins_of(strip, margin)
    gaps: deque[torch.Tensor] = deque(maxlen=iterations)
    last = _MOST_ALTERNATIONS * iterations - 1
    for attempt in range(last + 1):
        inside = moved_into_cells(strip, state, margins, weigh=weigh and attempt == 0)
        legal = strip.refolded(inside.clamp(0, strip.white))
        gaps.append(_most_in_units(strip, (legal - inside).abs()))
        done = gaps[-1] < _INNER_MARGIN / 10
        over = done.clone()
        if attempt >= iterations:
            over |= (gaps[-1] > _STAGNATION * gaps[0]) | (attempt == last)
        finished = inside if attempt == 0 else legal
        _write(strip, legal, [0.0] * len(margins), places, over & ~done, answer)
        _write(strip, finished, None, places, done, answer)
        places, left = places.those(~over)
        if not len(places):
            return
        # Going too far both ways, the alternation ends within the legal cells, not just towards them.
        state = left.pixels(inside + OVERSHOOT * (legal - inside))
        strip = part_of(strip, strip.extended(strip.pixels), left, strip.margins)
        margins = [(wanted / 2).clamp(min=_INNER_MARGIN) for wanted in margins_of(strip, margin)]
        gaps = deque((gap[~over] for gap in gaps), maxlen=iterations)


def _write(
    strip: CodedPicture,
    state: torch.Tensor,
    margins: list[float] | None,
    places: Places,
    chosen: torch.Tensor,
    answer: torch.Tensor,
) -> None:
    """Write some units to where they belong, once they are moved into the cells if there are margins."""
    if not chosen.any():
        return
    targets, within = places.those(chosen)
    own = within.pixels(state)
    if margins is not None:
        part = part_of(strip, strip.extended(strip.pixels), within, strip.margins)
        own = moved_into_cells(part, own, margins)
    for plane, units in zip(answer, own, strict=True):
        targets.put(plane, units)


def _most_in_units(strip: CodedPicture, values: torch.Tensor) -> torch.Tensor:
    """Return the largest value in each unit of a strip, shape (N,)."""
    rows, columns = grid_of(strip)
    channels, height, width = values.shape
    return (
        values.view(channels, rows, height // rows, columns, width // columns).amax(dim=(0, 2, 4)).flatten()
    )
