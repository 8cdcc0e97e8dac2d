"""On which grids to restore a JPEG that was cut out of another: ``python benchmarks/double_jpeg.py FOLDER``.

Every picture is compressed, cut off its grid and compressed again.  The first table is the PSNR of the
JPEG and of restorations on the last grid, on the first one, and on both in every order, each time from what
came of the time before; the second how many errors one and two standard errors hold, with the last tables
and as `restore_with_uncertainty` tells them, which leaves these out.
"""

import argparse
from itertools import product

import numpy as np

from napari_deartifact import JPEGInfo, deartifact, load_model, restore_with_uncertainty
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.evaluation.originals import find_images, read_original
from napari_deartifact.metrics import psnr
from napari_deartifact.models.restorer import Restorer

CASES = (
    (10, 30, (4, 4)), (30, 50, (4, 4)), (50, 75, (3, 2)),
    (30, 75, (5, 6)), (75, 90, (5, 6)), (75, 75, (4, 1)),
)  # fmt: skip
ORDERS = ("L", "F", "LL", "LF", "FL", "FLF", "LFL")
"""L is the last grid, F the first one."""
TWICE = ((10, 30), (30, 50), (50, 75), (75, 90), (20, 90))
SHIFTS = ((4, 3), (0, 0))
MIDDLE = slice(100, 324)


def twice(
    original: np.ndarray, first: int, last: int, shift: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture that is left of an original, and what two compressions made of it."""
    top, left = shift
    once = jpeg_round_trip(original, first)[top:, left:]
    return original[top:, left:], jpeg_round_trip(np.ascontiguousarray(once), last)


def laid(pixels: np.ndarray, place: tuple[int, int], last: int, model: Restorer) -> np.ndarray:
    """Restore a picture whose first pixel lies at a place of its block."""
    (height, width), (top, left) = pixels.shape, place
    whole = JPEGInfo.from_quality(last, height=height + top, width=width + left)
    info = whole.crop(slice(top, None), slice(left, None))
    return deartifact(pixels.astype(float), model, data_range=255, jpeg=info, consistency=False).clip(0, 255)


def orders(original: np.ndarray, case: tuple[int, int, tuple[int, int]], model: Restorer) -> list[float]:
    """Return the PSNR of the JPEG and of each order."""
    first, last, shift = case
    clean, degraded = twice(original, first, last, shift)
    answers = {"": degraded.astype(float)}
    for order in ORDERS:
        for count in range(1, len(order) + 1):
            done = order[:count]
            if done not in answers:
                place = shift if done[-1] == "F" else (0, 0)
                answers[done] = laid(answers[done[:-1]], place, last, model)
    return [psnr(clean.astype(float), answers[order], data_range=255) for order in ("", *ORDERS)]


def held(original: np.ndarray, first: int, last: int, shift: tuple[int, int], model: Restorer) -> list[float]:
    """Return the shares within one and two standard errors, with the last tables and as they are told."""
    clean, degraded = twice(original[MIDDLE, MIDDLE], first, last, shift)
    info = JPEGInfo.from_quality(last, height=degraded.shape[0], width=degraded.shape[1])
    told = restore_with_uncertainty(degraded.astype(np.float32), model, data_range=255)
    tables = restore_with_uncertainty(
        degraded.astype(np.float32), model, data_range=255, jpeg=info, consistency=False
    )
    return [
        100 * float(np.mean(np.abs(answer.image - clean) <= count * answer.standard_error))
        for answer, count in product((tables, told), (1, 2))
    ]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--model", default="general")
    parser.add_argument("--every", type=int, default=6, help="take each N-th picture")
    options = parser.parse_args()
    model = load_model(options.model, "cpu")
    originals = [read_original(path, luma="studio") for path in find_images(options.folder)[:: options.every]]
    print(f"{options.model}, {len(originals)} pictures; PSNR in dB")
    print("qualities (shift)    " + "".join(f"{name:>7}" for name in ("JPEG", *ORDERS)))
    for case in CASES:
        means = np.mean([orders(original, case, model) for original in originals], axis=0)
        print(
            f"{case[0]:3}, {case[1]:3} {case[2]!s:12}" + "".join(f"{mean:7.2f}" for mean in means), flush=True
        )
    print("\nheld, %              with the last tables ±1σ ±2σ, as told ±1σ ±2σ")
    for (first, last), shift in product(TWICE, SHIFTS):
        shares = np.mean([held(original, first, last, shift, model) for original in originals], axis=0)
        print(f"{first:3}, {last:3} {shift!s:12}" + "".join(f"{share:7.1f}" for share in shares), flush=True)


if __name__ == "__main__":
    main()
