"""Look for the crops on which a model does worst: by measurement, not by eye."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cards.originals import CASES, OTHERS, PICTURES, Pixels
from napari_deartifact import JPEGInfo, deartifact
from napari_deartifact.degradation import jpeg_decode, jpeg_encode

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

Floats = NDArray[np.float64]
Place = tuple[int, int]
"""First row and column of a crop."""

QUALITIES = (10, 20, 40, 75, 90)
CASE_QUALITY = 10
WORST = 3
"""How many of the largest losses on any picture at any quality follow the cases."""
CROP, STEP = 64, 8
MARGIN = CROP // 4
"""What lies around the middle of a crop."""
VISIBLE = 2.0
"""Root mean square error of an answer, in levels of 255, below which nobody sees what is wrong; it is asked
of the middle of a crop, so that what is wrong does not lie at its edge."""
ROUNDING = 0.5
"""Errors below half a level count as half a level."""


@dataclass
class Sample:
    """A picture that went through JPEG and a model."""

    picture: str
    quality: int
    original: Pixels
    file: bytes
    degraded: Pixels
    restored: Pixels
    gains: Floats = field(init=False)
    errors: Floats = field(init=False)
    visible: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        before = crop_errors(self.original, self.degraded)
        self.errors = crop_errors(self.original, self.restored)
        self.visible = crop_errors(self.original, self.restored, MARGIN) >= VISIBLE
        self.gains = 20 * np.log10(np.maximum(before, ROUNDING) / np.maximum(self.errors, ROUNDING))

    def least_gain(self) -> tuple[float, Place] | None:
        """Find the crop with a visible error that gains least, in dB."""
        gains = np.where(self.visible, self.gains, np.inf)
        return None if np.isinf(gains).all() else (float(gains.min()), place_of(gains.argmin(), gains))

    def largest_error(self) -> tuple[float, Place]:
        """Find the crop with the largest error that is left, and its place."""
        return float(self.errors.max()), place_of(self.errors.argmax(), self.errors)


def place_of(index: np.intp, crops: Floats) -> Place:
    """Give the first row and column of a crop."""
    y, x = np.unravel_index(index, crops.shape)
    return int(y) * STEP, int(x) * STEP


def crop_errors(original: Pixels, picture: Pixels, margin: int = 0) -> Floats:
    """Root mean square error of all crops, or of what lies within a margin of each."""
    size = CROP - 2 * margin
    square = (picture.astype(float) - original) ** 2
    square = square[margin : len(square) - margin, margin : square.shape[1] - margin]
    sums = np.pad(square if square.ndim == 2 else square.mean(axis=-1), ((1, 0), (1, 0)))
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    boxes = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    errors: Floats = np.sqrt(boxes[::STEP, ::STEP].clip(0) / size**2)
    return errors


def restore(model: Restorer, degraded: Pixels, file: bytes, *, bound: bool = False) -> Pixels:
    """Restore as the tables of the cards were measured: bare, and only told of a JPEG where it must be."""
    told = bound or model.needs_tables
    answer: Pixels = deartifact(
        degraded,
        model,
        channel_axis=-1 if degraded.ndim == 3 else None,
        jpeg=JPEGInfo.from_bytes(file) if told else None,
        consistency=bound,
        force=True,
    )
    return answer


def samples(model: Restorer, picture: str) -> Iterator[Sample]:
    """Put a picture through JPEG at all qualities, and restore it."""
    original = PICTURES[picture].make()
    for quality in QUALITIES:
        file = jpeg_encode(original, quality)
        degraded = jpeg_decode(file)
        yield Sample(picture, quality, original, file, degraded, restore(model, degraded, file))


def chosen(tried: list[Sample]) -> list[tuple[str, tuple[Sample, Place]]]:
    """Choose a crop for each case, then the largest losses, each on another picture."""
    rows = []
    for case, names in CASES.items():
        of_case = [one for one in tried if one.picture in names and one.quality == CASE_QUALITY]
        rows.append((case, worst(of_case)))
    shown = {(one.picture, one.quality) for _, (one, _) in rows}
    left = [one for one in tried if (one.picture, one.quality) not in shown]
    for number in range(1, WORST + 1):
        row = worst(left)
        rows.append((f"Worst {number}", row))
        left = [one for one in left if one.picture != row[0].picture]
    return rows


def worst(tried: list[Sample]) -> tuple[Sample, Place]:
    """Find the crop that gains least; where no error is visible, the one with the largest error."""
    found = [(least[0], number, least[1]) for number, one in enumerate(tried) if (least := one.least_gain())]
    if found:
        _, number, place = min(found)
        return tried[number], place
    one = max(tried, key=lambda one: one.largest_error()[0])
    return one, one.largest_error()[1]


def losses(tried: list[Sample]) -> dict[str, list[float | None]]:
    """Measure the smallest gain of a crop in each case, at each quality."""
    named = {name for names in CASES.values() for name in names}
    cases = {**CASES, OTHERS: tuple(name for name in PICTURES if name not in named)}
    table: dict[str, list[float | None]] = {}
    for case, names in cases.items():
        table[case] = []
        for quality in QUALITIES:
            of_case = [one for one in tried if one.quality == quality and one.picture in names]
            gains = [least[0] for one in of_case if (least := one.least_gain())]
            table[case].append(round(min(gains), 2) if gains else None)
    return table
