"""Measure `estimate_jpeg` on crops of pictures that were never compressed, each put through many histories.

``python benchmarks/estimation.py FOLDER… [--crops 60] [--groups jpeg clean …] [--fit]``

Prints how often quality, grid, sampling and history are right, what double compression shows, the
calibration of `confidence`, and the time.  ``--fit`` prints the constants of the lattice in
`jpeg/calibration.py`.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from napari_deartifact.degradation import CODECS, encode_to_size, jpeg_encode
from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg import calibration
from napari_deartifact.jpeg.estimate import JPEGEstimate
from napari_deartifact.jpeg.estimation import estimate_jpeg
from napari_deartifact.jpeg.grid import find_grid
from napari_deartifact.jpeg.levels import picture_levels

SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".webp", ".jpg")
SIDE = 256
REGION = 640
GROUPS = ("clean", "jpeg", "colour", "copies", "low", "double", "aligned", "resampled", "smeared")
SHIFTED = ((10, 30), (30, 50), (50, 75), (75, 90), (30, 75), (50, 90), (75, 50), (90, 75))
ALIGNED = ((10, 30), (30, 50), (50, 75), (60, 85), (75, 90), (30, 90), (75, 50))
SCALES = (0.5, 0.7, 0.85, 1.2, 1.5, 2.0)
ANGLES = (2.0, 15.0, 45.0)
ENLARGED = "grey, resized ×1.5"
QUALITIES_BEFORE_RESAMPLING = (10, 30, 50, 75)
QUALITIES_BEFORE_SMEARING = (20, 50, 75, 90)
RATES_OF_OTHERS = (10, 20, 30)
"""Qualities of the JPEGs that files of other codecs are as large as."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One picture with a known history."""

    group: str
    name: str
    pixels: NDArray[Any]
    history: str
    """``"jpeg"``, ``"none"`` or ``"uncertain"`` (compressed, then resampled; or another codec)."""
    quality: int | None = None
    grid: tuple[int, int] | None = None
    sampling: str | None = None
    double: bool = False
    shift: tuple[int, int] = (0, 0)
    """Rows and columns cut off between two compressions."""


@dataclass(frozen=True)
class Trial:
    """A case, without its pixels, and what was estimated."""

    case: Case
    textured: bool
    estimate: JPEGEstimate
    seconds: float


def regions(folders: Iterable[Path], count: int, rng: np.random.Generator) -> Iterator[tuple[Path, Picture]]:
    """Cut random parts of at most 640×640 from pictures in turn."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    order = rng.permutation(len(paths))
    found = 0
    for index in itertools.islice(itertools.cycle(order), 10 * count):
        picture = eight_bit(paths[index])
        if min(picture.shape[:2]) < SIDE:
            continue
        yield paths[index], cut(picture, REGION, rng)[0]
        found += 1
        if found == count:
            return


def eight_bit(path: Path) -> Picture:
    """Read the first plane of a picture; intensities of other dtypes are stretched to 0 to 255."""
    image = read_image(path)
    pixels = image.pixels
    if image.rgb:
        pixels = np.moveaxis(pixels, image.channel_axis, -1)[..., :3]
    while pixels.ndim > (3 if image.rgb else 2):
        pixels = pixels[len(pixels) // 2]
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    low, high = np.percentile(pixels, (0.1, 99.9))
    stretched = (pixels.astype(np.float64) - low) * (255 / max(high - low, 1e-9))
    return stretched.clip(0, 255).round().astype(np.uint8)


def cut(picture: Picture, side: int, rng: np.random.Generator) -> tuple[Picture, tuple[int, int]]:
    """Cut a square at a random place, or all that there is."""
    y, x = (int(rng.integers(0, max(size - side, 0) + 1)) for size in picture.shape[:2])
    return np.ascontiguousarray(picture[y : y + side, x : x + side]), (y, x)


def saved(picture: Picture, quality: int, codec: str = "JPEG", **options: Any) -> Picture:
    """Compress and decompress."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, codec, quality=quality, **options)
    decoded = Image.open(stream)
    return np.asarray(decoded.convert("L") if picture.ndim == 2 else decoded)


def resampled(picture: Picture, scale: float = 1.0, angle: float = 0.0) -> Picture:
    """Resize with antialiasing, or rotate and keep the middle."""
    image = Image.fromarray(picture)
    if angle:
        image = image.rotate(angle, Image.Resampling.BICUBIC)
        margin = [int(size * 0.18) if angle > 5 else int(size * 0.05) for size in image.size]
        return np.asarray(
            image.crop((margin[0], margin[1], image.width - margin[0], image.height - margin[1]))
        )
    size = (round(image.width * scale), round(image.height * scale))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def is_textured(picture: Picture) -> bool:
    """Whether half of the 8×8 blocks have a standard deviation above 3 levels."""
    rows, columns = (size // 8 * 8 for size in picture.shape[:2])
    white = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
    luma = picture[:rows, :columns].astype(np.float32) * (255 / white)
    luma = luma.mean(axis=2) if luma.ndim == 3 else luma
    spread = luma.reshape(rows // 8, 8, columns // 8, 8).std(axis=(1, 3))
    return bool(np.median(spread) > 3)


def cases(region: Picture, groups: Iterable[str], rng: np.random.Generator) -> Iterator[Case]:
    """Put one region through the histories of the groups."""
    grey = np.asarray(Image.fromarray(region).convert("L"))
    makers = {
        "clean": clean_cases,
        "jpeg": jpeg_cases,
        "colour": colour_cases,
        "copies": copy_cases,
        "low": low_cases,
        "double": double_cases,
        "aligned": aligned_cases,
        "resampled": resampled_cases,
        "smeared": smeared_cases,
    }
    for group in groups:
        yield from makers[group](region, grey, rng)


def clean_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield what was never compressed."""
    yield Case("clean", "grey", cut(grey, SIDE, rng)[0], "none")
    if region.ndim == 3:
        yield Case("clean", "RGB", cut(region, SIDE, rng)[0], "none")
    for scale in (0.5, 1.5):
        yield Case("clean", f"grey, resized ×{scale}", cut(resampled(grey, scale), SIDE, rng)[0], "none")
    for scale in (0.7, 0.85):
        yield Case("clean", f"grey, resized ×{scale}", resampled(grey, scale)[:SIDE, :SIDE], "none")


def jpeg_case(group: str, name: str, decoded: Picture, rng: np.random.Generator, **truth: Any) -> Case:
    """Cut a crop at a random phase."""
    crop, (y, x) = cut(decoded, SIDE, rng)
    return Case(group, name, crop, "jpeg", grid=(-y % 8, -x % 8), **truth)


def jpeg_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield grey JPEGs of a quality from each range."""
    for low, high in ((10, 30), (30, 60), (60, 85), (85, 96)):
        quality = int(rng.integers(low, high))
        name = f"grey, quality {low}–{high - 1}"
        yield jpeg_case("jpeg", name, saved(grey, quality), rng, quality=quality, sampling="grey")


def colour_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield RGB JPEGs of each sampling."""
    if region.ndim == 3:
        for sampling in ("4:4:4", "4:2:2", "4:2:0"):
            quality = int(rng.integers(10, 96))
            decoded = saved(region, quality, subsampling=sampling)
            yield jpeg_case("colour", f"RGB {sampling}", decoded, rng, quality=quality, sampling=sampling)


def copy_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the same levels in other dtypes, and within a border."""
    quality = int(rng.integers(10, 96))
    case = jpeg_case("copies", "", saved(grey, quality), rng, quality=quality, sampling="grey")
    bordered = case.pixels.copy()
    bordered[:24] = bordered[:, -24:] = int(rng.choice([0, 17, 255]))
    for name, pixels in (
        ("uint16, ×257", case.pixels.astype(np.uint16) * 257),
        ("float32, 0–1", case.pixels / np.float32(255)),
        ("uint8, constant border", bordered),
    ):
        yield Case("copies", name, pixels, "jpeg", quality, case.grid, "grey")


def low_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield heavy compression of pictures made smooth, where few coefficients are left."""
    smooth = Image.fromarray(grey)
    size = smooth.size
    smooth = smooth.resize((size[0] // 3, size[1] // 3), Image.Resampling.BOX).resize(size)
    for quality in (10, 20, 30):
        decoded = saved(np.asarray(smooth), quality)
        yield jpeg_case("low", f"smooth, quality {quality}", decoded, rng, quality=quality, sampling="grey")


def double_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield two compressions whose grids differ."""
    for first, second in SHIFTED:
        y, x = divmod(int(rng.integers(1, 64)), 8)
        decoded = saved(np.ascontiguousarray(saved(grey, first)[y:, x:]), second)
        name = f"shifted {first} → {second}"
        told = {"quality": second, "sampling": "grey", "double": True, "shift": (y, x)}
        yield jpeg_case("double", name, decoded, rng, **told)


def aligned_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield two compressions on one grid."""
    for first, second in ALIGNED:
        decoded = saved(saved(grey, first), second)
        name = f"aligned {first} → {second}"
        yield jpeg_case("aligned", name, decoded, rng, quality=second, sampling="grey", double=True)


def resampled_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield JPEGs that were resampled, and other codecs."""
    for scale in SCALES:
        quality = int(rng.choice(QUALITIES_BEFORE_RESAMPLING))
        pixels = cut(resampled(saved(grey, quality), scale), SIDE, rng)[0]
        yield Case("resampled", f"JPEG ×{scale}", pixels, "uncertain", quality)
    for angle in ANGLES:
        quality = int(rng.choice(QUALITIES_BEFORE_RESAMPLING))
        pixels = cut(resampled(saved(grey, quality), angle=angle), SIDE, rng)[0]
        yield Case("resampled", f"JPEG turned by {angle:g}°", pixels, "uncertain", quality)
    for quality in (20, 60):
        pixels = cut(saved(region, quality, "WEBP"), SIDE, rng)[0]
        yield Case("resampled", f"WebP, quality {quality}", pixels, "uncertain", quality)
    small = cut(grey, SIDE, rng)[0]
    for codec in ("jpeg2000", "avif"):
        quality = int(rng.choice(RATES_OF_OTHERS))
        _, file = encode_to_size(small, codec, len(jpeg_encode(small, quality)))
        pixels = CODECS[codec].decode(file, grey=True)
        yield Case("resampled", f"{codec}, as large as JPEG of quality 10–30", pixels, "uncertain")


def smeared_cases(region: Picture, grey: Picture, rng: np.random.Generator) -> Iterator[Case]:
    """Yield JPEGs that were changed a little since, on their grid still."""
    (rng,) = rng.spawn(1)  # the other groups stay what they are without this one
    quality = int(rng.choice(QUALITIES_BEFORE_SMEARING))
    small = cut(saved(grey, quality), SIDE, rng)[0]
    smears = {
        "noise of 1 level": np.rint(small + rng.normal(0, 1, small.shape)).clip(0, 255),
        "noise of 2 levels": np.rint(small + rng.normal(0, 2, small.shape)).clip(0, 255),
        "6 bits": small & 0xFC,
        "other tones": np.rint(255 * (small / 255) ** 0.9),
        "WebP, quality 90": saved(small, 90, "WEBP"),
        "sharpened": Image.fromarray(small).filter(ImageFilter.UnsharpMask(1, 50, 0)),
        "blurred a little": Image.fromarray(small).filter(ImageFilter.GaussianBlur(0.5)),
    }
    if region.ndim == 3:
        colour = cut(saved(region, quality), SIDE, rng)[0]
        smears |= {
            f"{name} channel": colour[..., index] for index, name in enumerate(("red", "green", "blue"))
        }
    for name, pixels in smears.items():
        yield Case("smeared", name, np.asarray(pixels).astype(np.uint8), "uncertain", quality)


def trials(folders: list[Path], count: int, groups: list[str], seed: int) -> Iterator[Trial]:
    """Estimate every case of every region."""
    rng = np.random.default_rng(seed)
    for path, region in regions(folders, count, rng):
        # A file that is a JPEG itself is no example of a clean picture.
        possible = [group for group in groups if group != "clean" or path.suffix != ".jpg"]
        for case in cases(region, possible, rng):
            start = time.perf_counter()
            estimate = estimate_jpeg(case.pixels, channel_axis=-1 if case.pixels.ndim == 3 else None)
            yield Trial(case, is_textured(case.pixels), estimate, time.perf_counter() - start)


def percent(flags: Iterable[bool]) -> str:
    """Write a share, right-aligned."""
    flags = list(flags)
    return f"{100 * sum(flags) / len(flags):7.1f}" if flags else "      –"


def by_name(trials: list[Trial], *groups: str) -> Iterator[tuple[str, list[Trial]]]:
    """Group trials, in the order of their making, textured ones first."""
    chosen = [trial for trial in trials if trial.case.group in groups]
    for name in dict.fromkeys(trial.case.name for trial in chosen):
        named = [trial for trial in chosen if trial.case.name == name]
        yield f"{name}, textured", [trial for trial in named if trial.textured]
        yield f"{name}, all", named


def print_jpegs(trials: list[Trial]) -> None:
    """Print how well the last compression is known."""
    print(f"\n{'JPEG on its grid, % right':44}  n   found quality±2  phase sampling double")
    for name, group in by_name(trials, "jpeg", "colour", "copies", "low"):
        found = [trial.estimate.is_jpeg for trial in group]
        quality = [
            trial.estimate.quality is not None and abs(trial.estimate.quality - trial.case.quality) <= 2
            for trial in group
        ]
        phase = [trial.estimate.grid == trial.case.grid for trial in group]
        sampling = [trial.estimate.sampling == trial.case.sampling for trial in group]
        double = [trial.estimate.double for trial in group]
        columns = " ".join(percent(flags) for flags in (found, quality, phase, sampling, double))
        print(f"{name:44}{len(group):4} {columns}")


def print_double(trials: list[Trial]) -> None:
    """Print how often an earlier compression is seen."""
    print(f"\n{'Double compression, %':44}  n   found  double  first grid")
    for name, group in by_name(trials, "double", "aligned"):
        columns = [
            percent(flags)
            for flags in (
                (trial.estimate.is_jpeg for trial in group),
                (trial.estimate.double for trial in group),
                (shift_between_grids(trial.estimate) == trial.case.shift for trial in group),
            )
        ]
        print(f"{name:44}{len(group):4} {' '.join(columns)}")


def shift_between_grids(estimate: JPEGEstimate) -> tuple[int, int] | None:
    """Return rows and columns from a corner of the first grid to the next one of the last."""
    if estimate.grid is None or estimate.first_grid is None:
        return None
    row, column = np.subtract(estimate.grid, estimate.first_grid) % 8
    return int(row), int(column)


def print_histories(trials: list[Trial]) -> None:
    """Print what is said of pictures that are no JPEG on a grid."""
    print(f"\n{'History told, %':44}  n    jpeg    none uncertain")
    rows = list(by_name(trials, "clean", "resampled"))
    for quality in QUALITIES_BEFORE_RESAMPLING:
        same = [t for t in trials if t.case.group == "resampled" and t.case.quality == quality]
        rows.append((f"JPEG of quality {quality}, resampled", [t for t in same if "JPEG" in t.case.name]))
    for name, group in [*rows, *by_name(trials, "low")]:
        columns = [
            percent(t.estimate.history == told for t in group) for told in ("jpeg", "none", "uncertain")
        ]
        print(f"{name:44}{len(group):4} {' '.join(columns)}")


def print_smeared(trials: list[Trial]) -> None:
    """Print what is said of JPEGs that were changed a little, which no answer of ours must be taken for."""
    print(f"\n{'JPEG, then smeared: told, %':44}  n    jpeg    none uncertain restored")
    for name, group in by_name(trials, "smeared"):
        columns = [
            percent(t.estimate.history == told for t in group)
            for told in ("jpeg", "none", "uncertain", "restored")
        ]
        print(f"{name:44}{len(group):4} {' '.join(columns)}")


def print_reliability(trials: list[Trial]) -> None:
    """Print, for ranges of confidence, how often the history was right.

    As in the fit, originals and compressed pictures without a lattice have one half of the weight each.
    """
    trials = [t for t in trials if t.case.name != ENLARGED and t.case.group != "smeared"]
    originals = sum(trial.case.history == "none" for trial in trials)
    compressed = sum(t.case.history != "none" and not t.estimate.is_jpeg for t in trials)
    edges = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.001)
    print(f"\n{'Confidence':44}  n    mean % right (weighted; without enlarged originals)")
    for told, (low, high) in itertools.product(("jpeg", "none", "uncertain"), itertools.pairwise(edges)):
        group = [t for t in trials if t.estimate.history == told and low <= t.estimate.confidence < high]
        if group:
            weights = [compressed / originals if t.case.history == "none" else 1 for t in group]
            mean = np.average([trial.estimate.confidence for trial in group], weights=weights)
            right = np.average([is_right(trial) for trial in group], weights=weights)
            name = f"{told}, {low:.2f} to {min(high, 1):.2f}"
            print(f"{name:44}{len(group):4} {100 * mean:7.1f} {100 * right:7.1f}")


def is_right(trial: Trial) -> bool:
    """Whether the history holds; "uncertain" holds of whatever was compressed."""
    told, was = trial.estimate.history, trial.case.history
    return was != "none" if told == "uncertain" else told == was


def print_times(region: Picture) -> None:
    """Print seconds a picture, the least of three, for sizes that a user has."""
    print("\nSeconds                     JPEG   clean")
    for height, width in ((512, 512), (3000, 4000)):
        repeats = (-(-height // region.shape[0]), -(-width // region.shape[1]))
        for picture in (np.asarray(Image.fromarray(region).convert("L")), region):
            big = np.tile(picture, (*repeats, 1)[: picture.ndim])[:height, :width]
            noisy = (big + np.random.default_rng(0).integers(0, 3, big.shape)).clip(0, 255).astype(np.uint8)
            axis = -1 if big.ndim == 3 else None
            columns = " ".join(f"{seconds(pixels, axis):7.3f}" for pixels in (saved(big, 75), noisy))
            print(f"{height} × {width}, {'RGB' if big.ndim == 3 else 'grey':8} {columns}")


def seconds(pixels: Picture, channel_axis: int | None) -> float:
    """Time one estimate."""
    times = []
    for _ in range(3):
        start = time.process_time()
        estimate_jpeg(pixels, channel_axis=channel_axis)
        times.append(time.process_time() - start)
    return min(times)


def print_fit(folders: list[Path], count: int, seed: int) -> None:
    """Fit and print the constants of `jpeg/calibration.py`."""
    rng = np.random.default_rng(seed)
    lattice = []
    for _, region in regions(folders, count, rng):
        for case in cases(region, ("clean", "jpeg", "low", "resampled"), rng):
            levels = picture_levels(case.pixels, -1 if case.pixels.ndim == 3 else None, None)
            margin = find_grid(levels.luma()).margin
            lattice.append((calibration.lattice_features(margin), case.history == "jpeg"))
    print("_LATTICE =", tuple(fitted(lattice).round(3).tolist()))


def fitted(examples: list[tuple[tuple[float, ...], bool]], ridge: float = 1e-4) -> NDArray[np.float64]:
    """Fit logistic regression by Newton's method, both classes with one half of the weight."""
    features = np.array([example[0] for example in examples])
    target = np.array([example[1] for example in examples], float)
    share = target.mean()
    weight = np.where(target > 0, 0.5 / share, 0.5 / (1 - share))
    penalty = ridge * len(target) * np.r_[0, features[:, 1:].var(axis=0)]
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (weight * (target - probability)) - penalty * weights
        curvature = (features * (weight * probability * (1 - probability))[:, np.newaxis]).T @ features
        weights = weights + np.linalg.solve(curvature + np.diag(penalty + 1e-6), gradient)
    return weights


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--crops", type=int, default=60, help="regions; each makes about 40 crops")
    parser.add_argument("--groups", nargs="+", default=GROUPS, choices=GROUPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", action="store_true", help="print the constants of the calibration")
    options = parser.parse_args()
    if options.fit:
        print_fit(options.folders, options.crops, options.seed)
        return
    measured = list(trials(options.folders, options.crops, options.groups, options.seed))
    print(f"{len(measured)} crops, {np.mean([t.seconds for t in measured]):.3f} s each")
    print_jpegs(measured)
    print_double(measured)
    print_histories(measured)
    print_smeared(measured)
    if {"clean", "resampled"} <= set(options.groups):
        print_reliability(measured)
    rng = np.random.default_rng(options.seed)
    print_times(next(r for _, r in regions(options.folders, options.crops, rng) if r.ndim == 3))


if __name__ == "__main__":
    main()
