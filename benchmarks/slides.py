"""Memory and time of whole slides of growing size, in one run: ``python benchmarks/slides.py``.

The slides are made of a few JPEG tiles of a photograph, over and over, as 4:2:0 of quality 60.  By default
a model that does nothing stands in for a network, so that reading, cutting, writing and the pyramid are what
is measured; ``--model NAME`` takes a real one and ``--tables`` projects onto the tables of each tile.  Each
slide has a process of its own, whose largest resident set is printed as it was before the slide, with all
modules and the model loaded, and above that.

``--check FILE --model NAME`` restores the busiest 512×512 pixels of a real slide with its tables and without,
and prints what share of the coefficients lies in the cells that the tiles' tables name, and how much
neighbouring pixels differ across the borders of tiles, of blocks, and within blocks.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from skimage.data import astronaut

from napari_deartifact.files.slides import restore_slide
from napari_deartifact.files.slides_base import Slide, Window
from napari_deartifact.files.slides_history import busiest, levels_of
from napari_deartifact.files.slides_open import open_slide
from napari_deartifact.files.slides_region import RegionRestorer
from napari_deartifact.jpeg.consistency import consistency_report
from napari_deartifact.models.registry import DEFAULT_MODEL, load_model
from napari_deartifact.progress import run_steps

TILE = 256
GIBIBYTE = 2**20  # in KiB, in which Linux counts


class Nothing:
    """A restorer that looks 32 pixels around itself and leaves everything as it is."""

    name, color, size_multiple, halo, fixed_tile, needs_tables = "nothing", "any", 8, 32, None, False

    def restore(self, tiles: np.ndarray, jpeg: object) -> np.ndarray:
        return tiles


def write_slide(path: Path, gigapixels: float) -> tuple[int, int]:
    """Write a tiled TIFF of so many pixels, four to three."""
    width = int((gigapixels * 1e9 * 4 / 3) ** 0.5) // 16 * 16
    shape = int(gigapixels * 1e9 / width), width
    picture = astronaut()
    tiles = []
    for top, left in itertools.product(range(0, 512, TILE), repeat=2):
        stream = io.BytesIO()
        tile = Image.fromarray(picture[top : top + TILE, left : left + TILE])
        tile.save(stream, "JPEG", quality=60, subsampling="4:2:0")
        tiles.append(stream.getvalue())
    count = -(-shape[0] // TILE) * -(-shape[1] // TILE)
    tifffile.imwrite(
        path,
        itertools.islice(itertools.cycle(tiles), count),
        shape=(*shape, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="jpeg",
        photometric="ycbcr",
        subsampling=(2, 2),
        bigtiff=True,
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )
    return shape


def measure(source: Path, target: Path, model: str | None, *, tables: bool) -> None:
    """Restore a slide and print what it took, as JSON."""
    warnings.simplefilter("ignore")
    import torch  # noqa: F401  (what any network needs)

    loaded = load_model(model) if model else Nothing()
    before, start = peak(), time.perf_counter()
    used = time.process_time()
    for _ in restore_slide(source, target, loaded, consistency=tables):
        pass
    took = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - used}
    print(json.dumps({"before": before, "peak": peak(), **took}))


def peak() -> int:
    """Return the largest resident set of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(gigapixels: float, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source = Path(folder, "slide.tif")
        shape = write_slide(source, gigapixels)
        command = [sys.executable, __file__, "--measure", source, Path(folder, f"slide.ome.{options.format}")]
        command += ["--model", options.model] if options.model else []
        command += ["--tables"] if options.tables else []
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        told = json.loads(done.stdout.splitlines()[-1])
    above = (told["peak"] - told["before"]) / GIBIBYTE
    print(
        f"{gigapixels:5.2f} Gpx  {shape[0]}×{shape[1]}  before {told['before'] / GIBIBYTE:.2f} GiB, "
        f"above it {above:.2f} GiB, {told['seconds']:.0f} s ({told['cpu']:.0f} s of CPU)",
        flush=True,
    )


def check(path: Path, model: str) -> None:
    """Print how the busiest part of a real slide agrees with its tiles' tables, and whether seams show."""
    slide = open_slide(path)
    _, (rows, columns) = busiest(slide)[0]
    window = slice(rows.start, rows.start + 512), slice(columns.start, columns.start + 512)
    decoded = slide.read(0, window)[0]
    scale, loaded = levels_of(slide), load_model(model, "cpu")
    print(f"{path.name}: {slide.format}, tiles of {slide.tile_shape[0]}×{slide.tile_shape[1]}, {window}")
    print_agreement("as it is", slide, window, decoded)
    for name, tables in (("without tables", False), ("with tables", True)):
        restorer = RegionRestorer(slide, loaded, scale, 1.0, 512, tables)
        print_agreement(name, slide, window, run_steps(restorer.steps(window)).pixels)


def print_agreement(name: str, slide: Slide, window: Window, pixels: np.ndarray) -> None:
    """Print the share of coefficients in their cells and the differences across borders."""
    inside = []
    for row, column, place in slide.tiles_in(window):
        record = slide.record(0, row, column)
        if record is None:
            continue
        part = [
            slice(-(-max(seen.start - side.start, 0) // unit) * unit, (seen.stop - side.start) // unit * unit)
            for side, seen, unit in zip(place, window, record.mcu, strict=True)
        ]
        part = [
            slice(side.start, min(side.stop, size)) for side, size in zip(part, record.shape, strict=True)
        ]
        seen = [
            slice(side.start + own.start - at.start, side.stop + own.start - at.start)
            for side, own, at in zip(part, place, window, strict=True)
        ]
        decoded = slide.read(0, window)[0]
        images = (np.moveaxis(image[:, *seen], 0, -1).squeeze() for image in (pixels, decoded))
        if min(side.stop - side.start for side in part) >= max(record.mcu):
            answer, read = images
            inside.append(consistency_report(answer, record.crop(*part), read).inside)
    shares = f"{100 * np.mean(inside):.2f} % inside" if inside else "nothing to check"
    print(f"  {name:15s} {shares}, {len(inside)} tiles; differences {differences(slide, window, pixels)}")


def differences(slide: Slide, window: Window, pixels: np.ndarray) -> str:
    """Average the steps between neighbours by where they are."""
    steps: dict[str, list[float]] = {"tile borders": [], "block borders": [], "within": []}
    for axis, (side, size) in enumerate(zip(window, slide.tile_shape, strict=True)):
        across = np.abs(np.diff(pixels.astype(float), axis=axis + 1)).mean(axis=(0, 2 - axis))
        places = (side.start + 1 + np.arange(len(across))) % size
        for place, step in zip(places, across, strict=True):
            kind = "tile borders" if place == 0 else "block borders" if place % 8 == 0 else "within"
            steps[kind].append(step)
    return ", ".join(f"{kind} {np.mean(found):.2f}" for kind, found in steps.items() if found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigapixels", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument("--format", choices=["zarr", "tif"], default="zarr")
    parser.add_argument("--model", help="a model to load; by default one that does nothing")
    parser.add_argument("--tables", action="store_true", help="project onto the tables of each tile")
    parser.add_argument("--folder", help="where the slides and answers are made")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--check", type=Path, metavar="FILE", help="a real slide, for --model")
    options = parser.parse_args()
    if options.check:
        check(options.check, options.model or DEFAULT_MODEL)
        return
    if options.measure:
        measure(*options.measure, options.model, tables=options.tables)
        return
    for gigapixels in options.gigapixels:
        run(gigapixels, options)


if __name__ == "__main__":
    main()
