"""Crops side by side, enlarged: original, JPEG, restored, and where the error grew."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cards.findings import RECORD, Findings, Row, digest
from cards.originals import PICTURES, Pixels
from cards.search import CROP, QUALITIES, ROUNDING, Place, Sample, chosen, losses, restore, samples
from napari_deartifact import load_model
from napari_deartifact.atomic import replacing
from napari_deartifact.metrics import psnr
from napari_deartifact.models.model_file import faithful_file

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from napari_deartifact.models.restorer import Restorer

ENLARGED = 3
GAP, LINE = 6, 20
FRAME = "#b0b0b0"
STRETCHED, MOST_STRETCH = 160, 8
"""Crops of less contrast are stretched towards so many levels, at most eightfold."""
ERROR_SCALE = 16.0
"""Levels of error, more or less than the JPEG's, that are shown in full colour."""


def load(model: str | Path) -> Restorer:
    """Load a model in float32, which is the same on all machines but for the last bit."""
    return load_model(model, "cpu", precision="float32")


def make_picture(model: str, weights: Path | None, target: Path) -> Findings:
    """Search, draw and write; minutes for a large network.

    Parameters
    ----------
    model : str
        A name.
    weights : Path or None
        Its file.
    target : Path
        The PNG; it holds what was found.

    Returns
    -------
    Findings

    Raises
    ------
    ValueError
        When the model is not known.
    """
    from PIL.PngImagePlugin import PngInfo

    loaded = load(model)
    twin = None if weights is None else faithful_file(weights)
    faithful = None if twin is None else load(twin)
    tried: list[Sample] = []
    for picture in PICTURES:
        tried += samples(loaded, picture)
        print(f"{model}: {len(tried)} of {len(PICTURES) * len(QUALITIES)} restored", flush=True)
    shown = [(case, *one) for case, one in chosen(tried)]
    strips = [Strip.of(loaded, faithful, *entry) for entry in shown]
    found = Findings(digest(weights), [strip.row for strip in strips], losses(tried))
    text = PngInfo()
    text.add_text(RECORD, json.dumps(asdict(found), ensure_ascii=True))
    answers = [model] if twin is None else [model, twin.stem]
    headings = ["original", "JPEG", *answers, "error: red grew, blue fell"]
    with replacing(target) as temporary:
        draw(strips, headings).save(temporary, pnginfo=text, optimize=True)
    return found


@dataclass(frozen=True)
class Strip:
    """A row as pixels: what it tells, and its crops from left to right."""

    row: Row
    crops: list[Pixels]

    @classmethod
    def of(cls, model: Restorer, twin: Restorer | None, case: str, sample: Sample, place: Place) -> Strip:
        """Cut the crops out, and measure them."""
        y, x = place
        window = (slice(y, y + CROP), slice(x, x + CROP))
        original = sample.original[window]
        pictures = [sample.degraded, sample.restored]
        if twin is not None:
            pictures.append(restore(twin, sample.degraded, sample.file))
        jpeg, restored, *others = (picture[window] for picture in pictures)
        bound = restore(model, sample.degraded, sample.file, bound=True)[window]
        scores = [decibels(original, crop) for crop in (jpeg, restored, bound, *others)]
        stretch, middle = contrast(original)
        row = Row(case, sample.picture, sample.quality, y, x, stretch, *scores)
        shown = (original, jpeg, restored, *others)
        crops = [as_rgb(stretched(crop, stretch, middle)) for crop in shown]
        return cls(row, [*crops, error_map(original, jpeg, restored, stretch)])

    @property
    def labels(self) -> list[str]:
        """What stands below each crop."""
        row = self.row
        scores = [row.restored] if row.faithful is None else [row.restored, row.faithful]
        told = [f"{score:.1f} dB ({signed(score - row.jpeg)})" for score in scores]
        return ["", f"{row.jpeg:.1f} dB", *told, ""]


def decibels(original: Pixels, picture: Pixels) -> float:
    """PSNR with as many digits as are told; equal pictures count as wrong by their rounding."""
    return round(min(psnr(original, picture), 20 * math.log10(255 / ROUNDING)), 2)


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.1f}"


def contrast(original: Pixels) -> tuple[int, float]:
    """Say by how much the contrast of a crop can be enlarged, and about which level."""
    low, high = np.percentile(original, (2, 98))
    if np.ptp(original) >= STRETCHED:
        return 1, 0.0
    return int(np.clip(STRETCHED / max(high - low, 1), 1, MOST_STRETCH)), float(low + high) / 2


def stretched(crop: Pixels, factor: int, middle: float) -> Pixels:
    """Enlarge contrast about a level that goes to the middle of the scale."""
    if factor == 1:
        return crop
    return (127.5 + factor * (crop - middle)).round().clip(0, 255).astype(np.uint8)


def as_rgb(crop: Pixels) -> Pixels:
    """Repeat grey."""
    return np.repeat(crop[..., np.newaxis], 3, axis=-1) if crop.ndim == 2 else crop


def error_map(original: Pixels, degraded: Pixels, restored: Pixels, stretch: int) -> Pixels:
    """Colour red what is farther from the original than the JPEG, blue what is nearer."""
    before, after = (np.abs(picture.astype(float) - original) for picture in (degraded, restored))
    change = after - before if original.ndim == 2 else (after - before).mean(axis=-1)
    share = (change * stretch / ERROR_SCALE).clip(-1, 1)
    faded = 1 - np.abs(share)
    red, blue = np.where(share > 0, 1.0, faded), np.where(share < 0, 1.0, faded)
    return np.stack([255 * red, 255 * faded, 255 * blue], axis=-1).round().astype(np.uint8)


def draw(strips: list[Strip], headings: list[str]) -> Image.Image:
    """Lay the crops out, enlarged by repeating pixels."""
    from PIL import Image, ImageDraw

    tile = CROP * ENLARGED
    width = GAP + len(headings) * (tile + GAP)
    height = LINE + len(strips) * (LINE + tile + LINE + GAP)
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    lefts = [GAP + column * (tile + GAP) for column in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        write(pen, (left, 2), heading)
    for number, strip in enumerate(strips):
        top = LINE + number * (LINE + tile + LINE + GAP)
        row = strip.row
        more = f", contrast x{row.stretch}" if row.stretch > 1 else ""
        write(pen, (GAP, top + 4), f"{row.case}: {row.picture}, quality {row.quality}{more}", bold=True)
        for left, crop, label in zip(lefts, strip.crops, strip.labels, strict=True):
            enlarged = Image.fromarray(crop).resize((tile, tile), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (left, top + LINE))
            pen.rectangle((left - 1, top + LINE - 1, left + tile, top + LINE + tile), outline=FRAME)
            write(pen, (left, top + LINE + tile + 2), label)
    return canvas


def write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, *, bold: bool = False) -> None:
    """Write a line in the font that Pillow has."""
    from PIL import ImageFont

    font = ImageFont.load_default(13)
    pen.text(place, text, fill="black", font=font, stroke_width=0.3 if bold else 0)
