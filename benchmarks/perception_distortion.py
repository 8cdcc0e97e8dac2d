"""What fidelity costs in looks: a model, its perceptual twin, and the weights between them.

``python benchmarks/perception_distortion.py IMAGES MODEL TWIN --features FILE --niqe FILE -o FILE.png``

restores the colour pictures in IMAGES, compressed at each quality, by every mix of both models, prints a
table and draws PSNR against the distance of features.  Both models need the same architecture, and a common
part in their training, such as the ends of two phases of one run.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_deartifact.atomic import check_target, replacing
from napari_deartifact.devices import resolve_device
from napari_deartifact.evaluation import Evaluation, Measure, Quality, Scores, evaluate, quality_label
from napari_deartifact.metrics import psnr, studio_range_luma
from napari_deartifact.models.interpolation import interpolate_models
from napari_deartifact.niqe import NIQE, PristineModel
from napari_deartifact.training.features import FeatureDistance, load_features

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TITLES = {"psnr_y": "PSNR of Y, dB", "perceptual": "distance", "niqe": "NIQE"}

SIZE = (880, 600)
FRAME = (76, 24, 856, 536)
COLORS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#777777")
# The page is drawn larger and shrunk, as Pillow's lines have steps.
FINENESS = 3
# What a label that is nearer to another mark counts, in pixels of a thing that it covers.
MISLEADING = 200.0
# Where a label may stand beside its mark, the best place first.
PLACES = ((0, -15), (-18, -11), (-22, 0), (22, 0), (18, 11), (0, 15), (18, -11), (-18, 11))

Point = tuple[float, float]
Box = tuple[float, float, float, float]


class LumaPSNR:
    """PSNR of the luma of colour pictures, rounded and of studio range, as published tables have it."""

    key = "psnr_y"
    name = "PSNR of Y"
    needs_original = True

    def __call__(self, original: np.ndarray, picture: np.ndarray) -> float:
        return psnr(studio_range_luma(original).round(), studio_range_luma(picture).round())


def measured(options: argparse.Namespace, measures: Sequence[Measure]) -> Iterator[tuple[float, Evaluation]]:
    """Evaluate every mix of both models."""
    with tempfile.TemporaryDirectory() as folder:
        for share in options.shares:
            mix = Path(folder) / f"{share}.safetensors"
            interpolate_models(options.model, options.twin, share, mix)
            print(f"share {share:g} …", file=sys.stderr, flush=True)
            answer = evaluate(
                mix, options.images, options.qualities, color=True, measures=measures, device=options.device
            )
            yield share, answer


def table(answers: Mapping[float, Evaluation]) -> str:
    """Lay out all mixes by quality, the JPEG first."""
    first = next(iter(answers.values()))
    head = ["quality", "share", "PSNR, dB", "SSIM", *(TITLES[key] for key in first.measured_by)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for quality in first.qualities:
        lines.append(row(quality, "JPEG", first.mean(quality)[0]))
        lines += [row(quality, f"{share:g}", answer.mean(quality)[1]) for share, answer in answers.items()]
    return "\n".join(lines)


def row(quality: Quality, name: str, scores: Scores) -> str:
    """Write a line of the table."""
    figures = [scores.psnr, scores.ssim, *scores.others.values()]
    return f"| {quality_label(quality)} | {name} | {' | '.join(f'{figure:.4f}' for figure in figures)} |"


class Plot:
    """A page with PSNR upwards and the distance of features to the right.

    Parameters
    ----------
    points : sequence of (distance, PSNR)
        All that will be drawn: the axes reach a little farther.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.page = Image.new("RGB", (SIZE[0] * FINENESS, SIZE[1] * FINENESS), "white")
        self.pen = ImageDraw.Draw(self.page)
        self.taken: list[Box] = []
        self.marks: list[Point] = []
        low, high = np.min(points, axis=0), np.max(points, axis=0)
        margin = np.maximum((high - low) * 0.1, 1e-3)
        self.low, self.high = low - margin, high + margin

    def place(self, point: Point) -> Point:
        """Return where on the page a point lies."""
        x, y = (np.array(point) - self.low) / (self.high - self.low)
        left, top, right, bottom = FRAME
        return float(left + x * (right - left)), float(bottom - y * (bottom - top))

    def axes(self) -> None:
        """Draw a grid with round numbers, and what they are."""
        left, top, right, bottom = FRAME
        for value in ticks(self.low[0], self.high[0]):
            x, _ = self.place((value, self.low[1]))
            self.line([(x, top), (x, bottom)], "#e4e4e4", 1)
            self.text((x, bottom + 14), f"{value:g}")
        for value in ticks(self.low[1], self.high[1]):
            _, y = self.place((self.low[0], value))
            self.line([(left, y), (right, y)], "#e4e4e4", 1)
            self.text((left - 8, y), f"{value:g}", anchor="rm")
        self.line([(left, top), (left, bottom), (right, bottom)], "#777777", 1)
        self.text(((left + right) / 2, bottom + 42), "distance of features to the original")
        self.text((left, top - 12), "PSNR, dB")

    def line(self, points: Sequence[Point], color: str, width: float) -> None:
        scaled = [(x * FINENESS, y * FINENESS) for x, y in points]
        self.pen.line(scaled, color, round(width * FINENESS), joint="curve")

    def curve(self, points: Sequence[Point], color: str) -> None:
        """Draw a line through points, and keep labels off it."""
        places = [self.place(point) for point in points]
        self.line(places, color, 2)
        for one, other in pairwise(places):
            for x, y in np.linspace(one, other, 12):
                self.taken.append((x - 2, y - 2, x + 2, y + 2))

    def text(self, at: Point, text: str, color: str = "#333333", anchor: str = "mm") -> None:
        font = ImageFont.load_default(15 * FINENESS)
        self.pen.text((at[0] * FINENESS, at[1] * FINENESS), text, color, font, anchor)

    def mark(self, point: Point, color: str, *, empty: bool = False) -> None:
        """Draw a dot, or a square that is empty."""
        x, y = self.place(point)
        box = (x - 5, y - 5, x + 5, y + 5)
        scaled = [side * FINENESS for side in box]
        if empty:
            self.pen.rectangle(scaled, "white", color, 2 * FINENESS)
        else:
            self.pen.ellipse(scaled, color, "white", FINENESS)
        self.taken.append(box)
        self.marks.append((x, y))

    def label(self, point: Point, text: str, color: str) -> None:
        """Write beside a mark, where nothing else stands and no other mark is nearer."""
        x, y = self.place(point)
        half = ImageFont.load_default(15).getlength(text) / 2 + 2
        boxes = []
        for right, down in PLACES:
            middle = x + right + (half - 12) * np.sign(right), y + down
            boxes.append((middle[0] - half, middle[1] - 8, middle[0] + half, middle[1] + 8))

        def unclear(box: Box) -> float:
            middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            nearer = sum(math.dist(middle, mark) < math.dist(middle, (x, y)) for mark in self.marks)
            return sum(overlap(box, other) for other in self.taken) + MISLEADING * nearer

        box = min(boxes, key=unclear)
        self.taken.append(box)
        self.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, color)

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            self.page.resize(SIZE, Image.Resampling.LANCZOS).save(temporary, format="PNG")


def ticks(low: float, high: float) -> np.ndarray:
    """Return some six round numbers."""
    rough = (high - low) / 6
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(np.log(factor * power / rough)))
    return (np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step).round(9)


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def draw(path: Path, answers: Mapping[float, Evaluation]) -> None:
    """Draw a curve a quality, the shares beside its marks, and the JPEG that it starts from."""
    first = next(iter(answers.values()))
    jpegs = {quality: spot(first.mean(quality)[0]) for quality in first.qualities}
    curves = {
        quality: {share: spot(answer.mean(quality)[1]) for share, answer in answers.items()}
        for quality in first.qualities
    }
    plot = Plot([*jpegs.values(), *(point for curve in curves.values() for point in curve.values())])
    plot.axes()
    colors = dict(zip(curves, COLORS * len(curves), strict=False))
    for quality, curve in curves.items():
        plot.curve([*curve.values()], colors[quality])
        plot.mark(jpegs[quality], colors[quality], empty=True)
        for point in curve.values():
            plot.mark(point, colors[quality])
    for quality, curve in curves.items():
        plot.label(jpegs[quality], f"JPEG {quality_label(quality)}", colors[quality])
        for share, point in curve.items():
            plot.label(point, f"{share:g}", colors[quality])
    plot.save(path)


def spot(scores: Scores) -> Point:
    return scores.others["perceptual"], scores.psnr


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", metavar="IMAGES", help="originals in colour")
    parser.add_argument("model", metavar="MODEL", help="model file, share 0")
    parser.add_argument("twin", metavar="TWIN", help="model file, share 1")
    parser.add_argument("--features", required=True, metavar="FILE", help="as of deartifact evaluate")
    parser.add_argument("--niqe", metavar="FILE", help="as of deartifact evaluate")
    parser.add_argument("--qualities", nargs="+", type=int, default=(10, 20, 30, 40))
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the twin, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, default=Path("perception-distortion.png"), metavar="PNG")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    check_target(options.output)
    features = FeatureDistance(load_features(options.features), resolve_device(options.device))
    measures: list[Measure] = [LumaPSNR(), features]
    if options.niqe:
        measures.append(NIQE(PristineModel.read(options.niqe)))
    answers = dict(measured(options, measures))
    first = next(iter(answers.values()))
    for reason in first.skipped.values():
        print(reason, file=sys.stderr)
    print(f"{options.model}, share 0, and {options.twin}, share 1; {options.images}")
    for key, value in first.originals(first.qualities[0]).items():
        print(f"{TITLES[key]} of the originals: {value:.4f}")
    print(table(answers))
    draw(options.output, answers)


if __name__ == "__main__":
    main()
