"""What a slide tells of itself before it is restored: its tables, its history, its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.slides_base import Slide, Window
from napari_deartifact.history import doubt, estimates_of, needs_nothing, no_history
from napari_deartifact.intensities import IntensityScale
from napari_deartifact.request import Request

_CANDIDATES, _CHOSEN = 8, 5
_LOOK, _EXAMINED = 128, 1024
_TILES_ASKED = 64
_READ_AT_ONCE = 1024
_GRID = 16


@dataclass(frozen=True)
class Judgement:
    """What is decided once for a whole slide, and kept for when the work goes on.

    Attributes
    ----------
    restore : bool
        Whether there is anything to restore.
    tables : bool
        Whether its tiles have quantization tables.
    black, white : float
        The data range.
    origin : (int, int)
        Where a coded unit starts, in a slide without tables.
    warnings : list of str
        What there is to say about it.
    """

    restore: bool
    tables: bool
    black: float
    white: float
    origin: tuple[int, int]
    warnings: list[str]

    @classmethod
    def of(cls, slide: Slide, request: Request) -> Judgement:
        """Look at a slide: at the headers of some tiles, or else at the pixels of some regions."""
        tables, scale = has_tables(slide), levels_of(slide)
        gains, origin, message = (True, (0, 0), None) if tables else history_of(slide)
        if request.force:
            gains, message = True, None
        black, white = (scale.black, scale.white) if scale else (0.0, 0.0)
        restore = gains and scale is not None and request.strength > 0
        return cls(restore, tables, black, white, origin, [message] if message else [])


def has_tables(slide: Slide, count: int = _TILES_ASKED) -> bool:
    """Say whether any of some evenly chosen tiles of a slide is a JPEG with tables that fit its colours."""
    return any(slide.record(0, row, column) is not None for row, column in slide.evenly_chosen(count))


def history_of(slide: Slide) -> tuple[bool, tuple[int, int], str | None]:
    """Judge by the busiest regions of a slide whether it may ever have been compressed by JPEG.

    Parameters
    ----------
    slide : Slide

    Returns
    -------
    gains : bool
        Whether there is anything to restore.
    origin : (int, int)
        Row and column, modulo 16, where a coded unit starts.
    message : str or None
        What there is to say when it shows no such history, or when that is in doubt.
    """
    windows = busiest(slide)
    estimates = estimates_of([_colors(slide, plane, window) for plane, window in windows])
    if estimates and needs_nothing(estimates):
        return False, (0, 0), no_history(estimates)
    for index, estimate in estimates.items():
        if estimate.is_jpeg:
            _, (rows, columns) = windows[index]
            starts = (rows.start, columns.start)
            top, left = ((start - own) % _GRID for start, own in zip(starts, estimate.offset, strict=True))
            return True, (top, left), doubt(estimates)
    return True, (0, 0), doubt(estimates)


def busiest(slide: Slide) -> list[tuple[int, Window]]:
    """Choose a few windows with much in them: most of a slide is glass, which tells nothing."""
    found = []
    for top in _starts(slide.shape[0], _LOOK, _CANDIDATES):
        for left in _starts(slide.shape[1], _LOOK, _CANDIDATES):
            window = _window(slide, top, left, _LOOK)
            found += [
                (_contrast(_colors(slide, plane, window)), plane, top, left) for plane in range(slide.planes)
            ]
    found.sort(reverse=True)
    shift = (_EXAMINED - _LOOK) // 2
    return [
        (plane, _window(slide, top - shift, left - shift, _EXAMINED))
        for _, plane, top, left in found[:_CHOSEN]
    ]


def _contrast(pixels: NDArray[Any]) -> float:
    values = pixels.astype(np.float64)
    finite = values[np.isfinite(values)]
    return float(finite.std()) if finite.size else 0.0


def _starts(length: int, size: int, count: int) -> list[int]:
    return sorted({int(start) for start in np.linspace(0, max(length - size, 0), count)})


def _window(slide: Slide, top: int, left: int, size: int) -> Window:
    rows, columns = (
        slice(begin := min(max(start, 0), max(length - size, 0)) // _GRID * _GRID, min(begin + size, length))
        for start, length in zip((top, left), slide.shape, strict=True)
    )
    return rows, columns


def _colors(slide: Slide, plane: int, window: Window) -> NDArray[Any]:
    pixels, _ = slide.read(plane, window)
    return pixels[:3]


def levels_of(slide: Slide) -> IntensityScale | None:
    """Say what is black and white in a slide.

    Parameters
    ----------
    slide : Slide

    Returns
    -------
    IntensityScale or None
        0 to 255 of uint8, 0 to 2**p − 1 of JPEGs of precision p, otherwise the finite minimum to maximum,
        for which all of the slide is read.  None when there is only one intensity.
    """
    if slide.dtype == np.uint8:
        return IntensityScale(0.0, 255.0, slide.dtype)
    records = (slide.record(0, row, column) for row, column in slide.evenly_chosen(_TILES_ASKED))
    record = next((record for record in records if record is not None), None)
    if record is not None:
        return IntensityScale(0.0, 2.0**record.precision - 1, slide.dtype)
    black, white = np.inf, -np.inf
    for plane in range(slide.planes):
        for top in range(0, slide.shape[0], _READ_AT_ONCE):
            for left in range(0, slide.shape[1], _READ_AT_ONCE):
                part = _colors(slide, plane, _clipped(slide, top, left))
                finite = part[np.isfinite(part)] if part.dtype.kind == "f" else part
                if finite.size:
                    black, white = min(black, float(finite.min())), max(white, float(finite.max()))
    return IntensityScale(black, white, slide.dtype) if black < white else None


def _clipped(slide: Slide, top: int, left: int) -> Window:
    return (
        slice(top, min(top + _READ_AT_ONCE, slide.shape[0])),
        slice(left, min(left + _READ_AT_ONCE, slide.shape[1])),
    )
