"""Fit what tells pictures that a lossy codec has seen: ``python tools/make_trace_network.py DATA``.

DATA holds natural/, microscopy/ and medical/, as for tools/make_weights.py.  Each example is a part of a
picture with a history drawn at random; half of them have met a codec and lie on no grid of 8 any more.
Prints what five fits tell of pictures that they have not seen, then fits one to all and writes it.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_weights import sources
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional

from napari_deartifact.atomic import replacing
from napari_deartifact.degradation import CODECS, encode_to_size, jpeg_encode
from napari_deartifact.jpeg.calibration import trace_features
from napari_deartifact.jpeg.levels import picture_levels
from napari_deartifact.jpeg.positions import FILTERS, PERIOD, TRANSPOSED
from napari_deartifact.jpeg.trace_network import WEIGHTS, shifts, tamed
from napari_deartifact.jpeg.traces import find_traces
from napari_deartifact.training.data import Picture, find_pictures, load_pictures

SHARES = {"natural": 0.5, "microscopy": 0.37, "medical": 0.13}
SIDES = {64: 0.08, 96: 0.12, 128: 0.25, 192: 0.2, 256: 0.28, 512: 0.07}
CODED = {
    "halved": 0.26, "shrunk": 0.22, "enlarged": 0.07, "turned": 0.08, "blurred": 0.05,
    "jpeg2000": 0.12, "webp": 0.08, "avif": 0.06, "jpegxl": 0.06,
}  # fmt: skip
"""What became of pictures that have met a codec: JPEGs, and then a change, or another codec's."""
RESAMPLINGS = {"BOX": 0.15, "BILINEAR": 0.2, "HAMMING": 0.1, "BICUBIC": 0.35, "LANCZOS": 0.2}
SUBSAMPLINGS = {"4:4:4": 0.3, "4:2:2": 0.15, "4:2:0": 0.55}
REGION = 1100
TEMPLATES, NEURONS, EPOCHS, BATCH, RATE, DECAY = 24, 24, 25, 64, 3e-3, 3e-2
FOLDS = 5
FALSE_ALARMS = 0.05
SLOPES = 0.3, 3.0
"""Beyond these a fit has failed."""

SHIFTS = torch.from_numpy(shifts(np.arange(len(FILTERS) * PERIOD**2).reshape(-1, PERIOD, PERIOD)))
"""Which place of all maps each number of each shift comes from, shape (64, 896)."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """What one picture shows, and what is true of it."""

    positions: NDArray[np.float32]
    features: NDArray[np.float64]
    history: str
    file: str
    side: int


def chosen(shares: dict[Any, float], rng: np.random.Generator) -> Any:
    """Draw a key as often as is its share."""
    keys, weights = list(shares), np.array(list(shares.values()))
    return keys[int(rng.choice(len(keys), p=weights / weights.sum()))]


def cut(picture: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """Cut a square at a random place, or all that there is."""
    y, x = (int(rng.integers(max(length - side, 0) + 1)) for length in picture.shape[:2])
    return np.ascontiguousarray(picture[y : y + side, x : x + side])


def resized(picture: Pixels, scale: float, rng: np.random.Generator) -> Pixels:
    """Resample as one of many programs does."""
    size = [max(16, round(length * scale)) for length in picture.shape[1::-1]]
    method = Image.Resampling[chosen(RESAMPLINGS, rng)]
    return np.asarray(Image.fromarray(picture).resize((size[0], size[1]), method))


def turned(picture: Pixels, angle: float) -> Pixels:
    """Rotate, and keep the middle."""
    image = Image.fromarray(picture).rotate(angle, Image.Resampling.BICUBIC)
    across, down = (int(length * (0.18 if abs(angle) > 5 else 0.05)) for length in image.size)
    return np.asarray(image.crop((across, down, image.width - across, image.height - down)))


def before_any_codec(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Do what is done to pictures, whether they are compressed afterwards or not."""
    if rng.random() < 0.35:
        picture = resized(picture, rng.uniform(0.4, 0.97), rng)
    image = Image.fromarray(picture)
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.6, 2), int(rng.integers(30, 150)), 0))
    levels = np.asarray(image, np.float32)
    if rng.random() < 0.25:
        contrast = 0.2 ** rng.random()
        levels = 255 * (1 - contrast) * rng.beta(0.5, 0.5) + contrast * levels
    if rng.random() < 0.15:
        levels = 255 * (levels / 255) ** rng.uniform(0.6, 1.6)
    if rng.random() < 0.3:
        levels = levels + rng.normal(0, 0.3 * 20 ** rng.random(), levels.shape)
    return np.rint(levels).clip(0, 255).astype(np.uint8)


def saved(picture: Pixels, codec: str, **options: Any) -> Pixels:
    """Compress by Pillow and decompress."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, codec, **options)
    decoded = Image.open(stream)
    return np.asarray(decoded.convert("L") if picture.ndim == 2 else decoded.convert("RGB"))


def coded(picture: Pixels, history: str, side: int, rng: np.random.Generator) -> Pixels:
    """Let a codec see a picture, and move it off the grid of 8."""
    quality = round(5 * 18 ** rng.random()) if rng.random() < 0.5 else int(rng.integers(20, 91))
    if history in CODECS:
        picture = cut(picture, side + 32, rng)
        if history == "webp" and rng.random() < 0.6:
            return saved(picture, "WEBP", quality=quality)
        length = len(jpeg_encode(picture, round(5 * 12 ** rng.random())))
        _, file = encode_to_size(picture, history, length)
        decoded: Pixels = CODECS[history].decode(file, grey=picture.ndim == 2)
        return resized(decoded, rng.uniform(0.6, 0.97), rng) if rng.random() < 0.15 else decoded
    sampling = {} if picture.ndim == 2 else {"subsampling": chosen(SUBSAMPLINGS, rng)}
    jpeg = saved(picture, "JPEG", quality=quality, **sampling)
    if rng.random() < 0.1:
        y, x = rng.integers(PERIOD, size=2)
        jpeg = saved(np.ascontiguousarray(jpeg[y:, x:]), "JPEG", quality=int(rng.integers(30, 91)))
    y, x = rng.integers(PERIOD, size=2)
    jpeg = np.ascontiguousarray(jpeg[y:, x:])
    if history == "turned":
        return turned(jpeg, rng.uniform(-45, 45))
    if history == "blurred":
        return np.asarray(Image.fromarray(jpeg).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.8))))
    ranges = {"halved": (0.5, 0.5), "shrunk": (0.4, 0.96), "enlarged": (1.05, 2.3)}
    return resized(jpeg, rng.uniform(*ranges[history]), rng)


def with_history(picture: Pixels, side: int, rng: np.random.Generator) -> tuple[Pixels, str] | None:
    """Draw what became of a part of a picture; None when it is too small for that."""
    picture = np.rot90(cut(picture, REGION, rng), int(rng.integers(4)))
    if picture.ndim == 3 and rng.random() < 0.5:
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
    picture = before_any_codec(np.ascontiguousarray(picture), rng)
    history = "none"
    if rng.random() < 0.5:
        history = chosen(CODED, rng)
        picture = coded(cut(picture, 2 * side + 48, rng), history, side, rng)
    return (cut(picture, side, rng), history) if min(picture.shape[:2]) >= side else None


def example_of(picture: Picture, side: int, rng: np.random.Generator) -> Example | None:
    """Look at a part of a picture as `estimate_jpeg` does; None where there is nothing to see."""
    drawn = with_history(picture.pixels, side, rng)
    if drawn is None:
        return None
    pixels, history = drawn
    levels = picture_levels(pixels, -1 if pixels.ndim == 3 else None, 255)
    traces = find_traces(levels.luma_parts())
    if traces is None:
        return None
    features = np.array(list(trace_features(traces).values()))
    return Example(traces.positions, features, history, picture.file, side)


def make_examples(data: Path, count: int, seed: int) -> list[Example]:
    """Draw pictures of the three folders, and a history for each."""
    rng = np.random.default_rng(seed)
    pictures = {name: load_pictures(find_pictures(data / name)).pictures for name in SHARES}
    examples: list[Example] = []
    while len(examples) < count:
        side, folder = chosen(SIDES, rng), pictures[chosen(SHARES, rng)]
        # The root, or few large pictures would be most of the examples.
        areas = np.array([min(math.prod(picture.pixels.shape[:2]), 600_000) for picture in folder])
        large = np.array([min(picture.pixels.shape[:2]) >= side + 30 for picture in folder])
        if not large.any():
            continue
        weights = np.sqrt(areas) * large
        example = example_of(folder[int(rng.choice(len(folder), p=weights / weights.sum()))], side, rng)
        if example is not None:
            examples.append(example)
            if len(examples) % 200 == 0:
                print(f"{len(examples)} of {count} examples", flush=True)
    return examples


class TraceNetwork(nn.Module):
    """What `jpeg/trace_network.py` computes, to be fitted."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale
        self.templates = nn.Linear(len(FILTERS) * PERIOD**2, TEMPLATES)
        self.hidden = nn.Linear(2 * TEMPLATES + len(mean), NEURONS)
        self.last = nn.Linear(NEURONS, 1)
        nn.init.normal_(self.templates.weight, 0, 0.03)

    def forward(self, maps: Tensor, features: Tensor) -> Tensor:
        """Return log odds, shape (N,), of tamed maps (N, 14, 8, 8) and features (N, 6)."""
        fits = self.templates(maps.flatten(1)[:, SHIFTS])
        spread = fits.square().mean(1).add(1e-3).sqrt()
        seen = torch.cat([fits.logsumexp(1), spread, (features - self.mean) / self.scale], dim=1)
        answer: Tensor = self.last(functional.relu(self.hidden(seen)))[:, 0]
        return answer

    def arrays(self, slope: float, offset: float) -> dict[str, NDArray[np.float16]]:
        """Return the weights as they ship, their answer straightened by a line."""
        weights = {
            "templates": self.templates.weight.T,
            "template_bias": self.templates.bias,
            "mean": self.mean,
            "scale": self.scale,
            "hidden": self.hidden.weight.T,
            "hidden_bias": self.hidden.bias,
            "last": slope * self.last.weight[0],
            "last_bias": slope * self.last.bias[0] + offset,
        }
        return {name: weight.detach().numpy().astype(np.float16) for name, weight in weights.items()}


@dataclass(frozen=True)
class Examples:
    """Many examples as tensors."""

    maps: Tensor
    features: Tensor
    target: Tensor

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Examples:
        """Stack them."""
        return cls(
            torch.from_numpy(tamed(np.stack([example.positions for example in examples]))),
            torch.from_numpy(np.stack([example.features for example in examples]).astype(np.float32)),
            torch.tensor([float(example.history != "none") for example in examples]),
        )

    def part(self, which: NDArray[np.bool_]) -> Examples:
        """Take some of them."""
        index = torch.from_numpy(which)
        return Examples(self.maps[index], self.features[index], self.target[index])


def fitted(examples: Examples, seed: int = 0) -> TraceNetwork:
    """Fit a network; mirrored and transposed maps count as examples too."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = TraceNetwork(examples.features.mean(0), examples.features.std(0))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    steps = EPOCHS * len(examples.target) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        batch = torch.from_numpy(rng.integers(len(examples.target), size=BATCH))
        maps = examples.maps[batch]
        for axis in (2, 3):
            maps = maps.flip(axis) if rng.random() < 0.5 else maps
        if rng.random() < 0.5:
            maps = maps[:, TRANSPOSED].transpose(2, 3)
        answer = network(maps, examples.features[batch])
        loss = functional.binary_cross_entropy_with_logits(answer, examples.target[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def unseen_answers(examples: Examples, files: Sequence[str], seed: int = 0) -> NDArray[np.float64]:
    """Let each picture be judged by a network that has not seen its file."""
    names = sorted(set(files))
    fold_of = dict(zip(names, np.random.default_rng(seed).integers(FOLDS, size=len(names)), strict=True))
    folds = np.array([fold_of[file] for file in files])
    answers = np.zeros(len(files))
    for fold in range(FOLDS):
        network, unseen = fitted(examples.part(folds != fold)), examples.part(folds == fold)
        with torch.no_grad():
            parts = zip(unseen.maps.split(BATCH), unseen.features.split(BATCH), strict=True)
            answers[folds == fold] = torch.cat([network(*part) for part in parts]).numpy()
    return answers


def straightened(answers: NDArray[np.float64], target: Tensor) -> tuple[float, float]:
    """Fit the line that makes log odds of answers to pictures that were not seen (Platt 1999)."""
    given, line = torch.from_numpy(answers), torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    # Originals and the others weigh alike, as the odds are to.
    share = target.double().mean()
    weights = torch.where(target > 0, 0.5 / share, 0.5 / (1 - share))
    optimizer = torch.optim.LBFGS([line], max_iter=100)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.binary_cross_entropy_with_logits(
            line[0] * given + line[1], target.double(), weights
        )
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)
    slope, offset = line.detach().tolist()
    return slope, offset


def told(answers: NDArray[np.float64], examples: Sequence[Example]) -> dict[str, float]:
    """Return what is found of each history, in per cent, where 5 % of the originals are taken for coded."""
    histories = np.array([example.history for example in examples])
    threshold = np.quantile(answers[histories == "none"], 1 - FALSE_ALARMS)
    return {
        str(name): round(float(100 * (answers[histories == name] > threshold).mean()), 1)
        for name in np.unique(histories)
    }


def main() -> None:
    """Make examples, fit, judge and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--examples", type=int, default=5_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, default=WEIGHTS, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shares = [len(part) for part in np.array_split(np.arange(options.examples), options.processes)]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        work = [(options.data, share, seed) for seed, share in enumerate(shares)]
        parts = pool.starmap(make_examples, work)
    examples = [example for part in parts for example in part]
    stacked = Examples.of(examples)
    answers = unseen_answers(stacked, [example.file for example in examples])
    found = told(answers, examples)
    for name, share in found.items():
        print(f"{name:10} {sum(example.history == name for example in examples):5} {share:6.1f} %")
    line = straightened(answers, stacked.target)
    if not SLOPES[0] < line[0] < SLOPES[1]:
        sys.exit(
            f"log odds of unseen pictures would have to be multiplied by {line[0]:.2g}: nothing is written"
        )
    weights = fitted(stacked).arrays(*line)
    card = {"examples": len(examples), "data": sources(list(SHARES)), "found at 5 % false alarms": found}
    with replacing(options.write) as temporary:
        np.savez_compressed(temporary, card=np.array(json.dumps(card)), **weights)


if __name__ == "__main__":
    main()
