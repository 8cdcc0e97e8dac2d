"""A run in one picture: losses, gains, and held-out crops before and after."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.atomic import replacing
from napari_deartifact.training.reporting import MEASURED, table_rows

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Crop = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Series = list[tuple[float, float]]

WIDTH, HEIGHT = 480, 270
MARGIN = 46
POINTS = 200
COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
HEADINGS = ("JPEG, quality 20", "restored", "original")


def draw_curves(path: Path, table: Path, crops: Sequence[Crop]) -> None:
    """Write a PNG of a run.

    Parameters
    ----------
    path : Path
        The picture; it appears whole or not at all.
    table : Path
        The run's CSV.
    crops : sequence of (degraded, restored, clean)
        What `TrainingRun.preview` returns.
    """
    from PIL import Image, ImageDraw

    phase, losses, measured = _read(table)
    gains = {name: points for name, points in measured.items() if name.startswith("gain")}
    shares = {name: points for name, points in measured.items() if name.startswith("perceptual")}
    panels = [(f"loss in phase {phase + 1}", losses), ("gain over the JPEG in dB", gains)]
    if shares:
        panels.append(("fall of the features' distance", shares))
    widest = max([sum(picture.shape[1] for picture in crop) for crop in crops], default=0)
    size = (max(WIDTH * len(panels), widest), HEIGHT + sum(20 + crop[0].shape[0] for crop in crops))
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for place, (title, curves) in enumerate(panels):
        _panel(draw, place * WIDTH, title, curves)
    top = HEIGHT
    for crop in crops:
        left = 0
        for heading, picture in zip(HEADINGS, crop, strict=True):
            draw.text((left + 4, top + 4), heading, "black")
            page.paste(Image.fromarray(picture), (left, top + 20))
            left += picture.shape[1]
        top += 20 + crop[0].shape[0]
    with replacing(path) as temporary:
        page.save(temporary, format="PNG")


def _read(table: Path) -> tuple[int, dict[str, Series], dict[str, Series]]:
    """Read the last phase, the losses in it, and all measurements; a long run has millions of rows."""
    phase = 0
    losses: dict[str, array[float]] = {}
    measured: dict[str, Series] = {}
    for row in table_rows(table):
        if int(row["phase"]) != phase:
            # Other losses, on another scale.
            phase, losses = int(row["phase"]), {}
        losses.setdefault(row["player"], array("d")).extend((float(row["step"]), float(row["loss"])))
        for name in MEASURED if row[MEASURED[-1]] or row[MEASURED[0]] else ():
            if row[name]:
                measured.setdefault(name, []).append((float(row["step"]), float(row[name])))
    return phase, {player: _smooth(points) for player, points in losses.items()}, measured


def _smooth(points: array[float]) -> Series:
    """Average neighbours, so that a noisy curve can be read."""
    pairs = np.array(points).reshape(-1, 2)
    parts = np.array_split(pairs, min(POINTS, len(pairs)))
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]


def _panel(draw: ImageDraw, left: int, title: str, curves: Mapping[str, Series]) -> None:
    draw.text((left + MARGIN, 8), title, "black")
    points = np.array([point for series in curves.values() for point in series])
    if not len(points):
        draw.text((left + MARGIN, HEIGHT // 2), "nothing measured yet", "#777777")
        return
    (first, low), (last, high) = points.min(axis=0), points.max(axis=0)
    last, high = max(last, first + 1), max(high, low + 1e-9)
    frame = (left + MARGIN, 28, left + WIDTH - 8, HEIGHT - 44)
    draw.rectangle(frame, outline="#aaaaaa")
    draw.text((left + 2, frame[1] - 2), f"{high:.3g}", "black")
    draw.text((left + 2, frame[3] - 8), f"{low:.3g}", "black")
    draw.text((frame[0], frame[3] + 2), f"{first:.0f}", "black")
    draw.text((frame[2], frame[3] + 2), f"{last:.0f} steps", "black", anchor="ra")

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = frame[0] + (point[0] - first) / (last - first) * (frame[2] - frame[0])
        return x, frame[3] - (point[1] - low) / (high - low) * (frame[3] - frame[1])

    across = left + MARGIN
    for (name, series), color in zip(curves.items(), COLORS, strict=False):
        for one, other in pairwise(map(place, series)):
            draw.line([one, other], color, 2)
        x, y = place(series[-1])
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), color)
        draw.text((across, HEIGHT - 20), name, color)
        across += round(draw.textlength(name)) + 12
