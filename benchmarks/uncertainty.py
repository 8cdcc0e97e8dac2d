"""Measure whether standard errors hold: ``python benchmarks/uncertainty.py FOLDER… --model M``.

Each picture is compressed, restored as floats, and compared with the original before any rounding.
Printed are the shares of the errors within one and two standard errors, over all pixels and in the
lowest and highest of ten classes of equal size by standard error, and Spearman's correlation of the
standard error with the absolute error.

Pixels that were decoded as black or white are left out and their share is printed: there the error is
often exactly zero, because intensities end, and any interval holds it.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from napari_deartifact import JPEGInfo, load_model, restore_with_uncertainty
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.models.restorer import Restorer
from napari_deartifact.training.data import find_pictures, read_pictures

QUALITIES = (10, 20, 40, 75, 90)
CLASSES = 10
RANKED = 200_000


def originals(folder: Path, crop: int) -> list[np.ndarray]:
    """Read a folder's pictures, or their middles, as 8-bit ones; every plane of a stack is a picture."""
    found = (read_pictures(path) for path in find_pictures(folder))
    return [_middle(picture.pixels, crop) for pictures in found for picture in pictures]


def _middle(picture: np.ndarray, size: int) -> np.ndarray:
    top, left = (max(length - size, 0) // 2 for length in picture.shape[:2])
    return picture[top : top + size, left : left + size]


def compared(
    clean: np.ndarray, quality: int, model: Restorer, options: argparse.Namespace
) -> tuple[np.ndarray, ...]:
    """Return the errors and the standard errors of the pixels that count, and the share that does not."""
    color = clean.ndim == 3
    decoded = jpeg_round_trip(clean, quality)
    height, width = clean.shape[:2]
    info = JPEGInfo.from_quality(quality, height=height, width=width, subsampling="4:2:0" if color else None)
    answer = restore_with_uncertainty(
        decoded.astype(np.float32),
        model,
        channel_axis=-1 if color else None,
        data_range=255,
        jpeg=None if options.estimate else info,
        source=options.source,
        device=options.device,
    )
    counts = (decoded > 0) & (decoded < 255)
    error = np.abs(answer.image - clean)[counts]
    return error, answer.standard_error[counts], 1 - counts.mean()


def row(errors: np.ndarray, sigmas: np.ndarray, clipped: float) -> str:
    """Describe how the errors lie in their intervals."""
    order = np.argsort(sigmas, kind="stable")
    ratio = (errors / sigmas)[order]
    cells = []
    for count in (1, 2):
        shares = [100 * np.mean(part <= count) for part in np.array_split(ratio, CLASSES)]
        cells += [100 * np.mean(ratio <= count), min(shares), max(shares)]
    step = max(len(errors) // RANKED, 1)
    rank = spearmanr(sigmas[::step], errors[::step]).statistic
    return (
        "{:5.1f} ({:4.1f}–{:4.1f})  {:5.1f} ({:4.1f}–{:4.1f})".format(*cells)
        + f"  {rank:5.2f}  {np.median(sigmas):8.2f}  {100 * clipped:7.1f}"
    )


def main() -> None:
    """Print a table a folder, and one of all folders together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="general")
    parser.add_argument("--qualities", nargs="+", type=int, default=QUALITIES)
    parser.add_argument("--source", default="both", choices=("both", "quantization", "network"))
    parser.add_argument("--estimate", action="store_true", help="estimate the tables from the pixels")
    parser.add_argument("--crop", type=int, default=10**6, help="take the middle N×N pixels of each picture")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    model = load_model(options.model, options.device)
    groups = {folder.name: originals(folder, options.crop) for folder in options.folders}
    tables = "estimated" if options.estimate else "given"
    print(f"{model.name}, source {options.source}, tables {tables}; in %")
    print(
        f"{'folder':24} {'QF':>3}  {'±1σ (least–most)':18}  {'±2σ (least–most)':18}   rank  median σ  clipped"
    )
    pooled: dict[int, list[tuple[np.ndarray, ...]]] = {quality: [] for quality in options.qualities}
    for name, pictures in groups.items():
        for quality in options.qualities:
            measured = [compared(picture, quality, model, options) for picture in pictures]
            pooled[quality] += measured
            print(f"{name:24} {quality:3}  {_row(measured)}", flush=True)
    if len(groups) > 1:
        for quality, measured in pooled.items():
            print(f"{'all':24} {quality:3}  {_row(measured)}")


def _row(measured: list[tuple[np.ndarray, ...]]) -> str:
    errors, sigmas, clipped = zip(*measured, strict=True)
    return row(np.concatenate(errors), np.concatenate(sigmas), float(np.mean(clipped)))


if __name__ == "__main__":
    main()
