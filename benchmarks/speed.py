"""What time goes into, beside the network, as ratios in one run.

``python benchmarks/speed.py end-to-end --megapixels 12`` restores a JPEG file, read to written, and divides
the time by the network's alone on the same tiles, which lie in memory.
``python benchmarks/speed.py precision`` compares bfloat16 with float32: time, PSNR, largest difference.
``python benchmarks/speed.py tiles`` prints the time for an answered pixel, and the memory, by tile size.
``python benchmarks/speed.py compile`` shows what torch.compile is worth.

With ``--cpu-time`` processor time is taken, for machines that are busy with something else.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data

from napari_deartifact import load_model
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.files.read import read_image
from napari_deartifact.files.write import write_image
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.metrics import psnr
from napari_deartifact.models.network import NetworkRestorer
from napari_deartifact.restoration import deartifact
from napari_deartifact.tiling import TileGrid

CROPS = {
    "astronaut": (np.s_[0:320, 100:420], data.astronaut),
    "coffee": (np.s_[40:360, 100:420], data.coffee),
    "chelsea": (np.s_[0:288, 80:400], data.chelsea),
}


class Clock:
    """Adds up what named parts of the work take."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = self.now()
        yield
        self.spent[name] += self.now() - start

    def seconds(self, function: Callable[..., object], *arguments: object) -> float:
        start = self.now()
        function(*arguments)
        return self.now() - start


class Observed:
    """A restorer that remembers its tiles and takes their time."""

    def __init__(self, model: NetworkRestorer, clock: Clock) -> None:
        self.model = model
        self.clock = clock
        self.shapes: list[tuple[int, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def restore(self, tiles: np.ndarray, jpeg: JPEGInfo | None = None) -> np.ndarray:
        self.shapes.append(tiles.shape)
        with self.clock("network and its transfers"):
            return self.model.restore(tiles, jpeg)


def photograph(megapixels: float) -> np.ndarray:
    """Return astronauts side by side, mirrored so that no seam shows, as 4:3."""
    tile = data.astronaut()
    tile = np.block([[[tile], [tile[:, ::-1]]], [[tile[::-1]], [tile[::-1, ::-1]]]])
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(megapixels * 1e6 / height)
    repeats = -(-height // tile.shape[0]), -(-width // tile.shape[1]), 1
    return np.tile(tile, repeats)[:height, :width]


def network_alone(model: NetworkRestorer, shapes: Sequence[tuple[int, ...]]) -> Callable[[], None]:
    tiles = [torch.rand(shape).to(memory_format=torch.channels_last) for shape in shapes]

    def run() -> None:
        enabled = model.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            for tile in tiles:
                model.generator(tile)

    return run


def end_to_end(options: argparse.Namespace) -> None:
    clock, pairs = Clock(options.now), []
    model = load_model(options.model, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jpg", Path(folder) / "out.png"

        def whole(observed: Observed) -> None:
            with clock("reading"):
                image = read_image(source)
            with clock("restoring"):
                restored = deartifact(image.pixels, observed, channel_axis=-1, jpeg=image.jpeg)
            with clock("writing"):
                write_image(target, restored, image)

        for megapixels in (0.1, *[options.megapixels] * options.repeats):
            Image.fromarray(photograph(megapixels)).save(source, quality=options.quality)
            observed = Observed(model, clock)
            ours = clock.seconds(whole, observed)
            pairs.append((ours, clock.seconds(network_alone(model, observed.shapes))))
            if len(pairs) == 1:  # only to load what is loaded once
                clock.spent.clear()
    ratio = statistics.median(ours / network for ours, network in pairs[1:])
    network = statistics.median(network for _, network in pairs[1:])
    other = clock.spent.pop("restoring") - clock.spent["network and its transfers"]
    print(f"{options.model}, {model.precision}, {options.megapixels:g} MP, quality {options.quality}:")
    print(f"end to end {ratio:.3f} × the network alone, which takes {network / options.megapixels:.2f} s/MP")
    for name, seconds in (*clock.spent.items(), ("other work on pixels", other)):
        print(f"  {name:26} {seconds / options.repeats / network:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  the process held at most {peak:.0f} MiB")


def precision(options: argparse.Namespace) -> None:
    clock = Clock(options.now)
    print(
        f"{'model':14} {'quality':>8} {'time':>6} {'PSNR':>8} {'worst PSNR':>11} {'largest difference':>19}"
    )
    for name in options.models:
        models = [load_model(name, "cpu", precision=word) for word in ("float32", "bfloat16")]
        for quality in (10, 40, 90, None):
            ratios, gains, largest = [], [], 0.0
            for original in originals(options.images):
                degraded = jpeg_round_trip(original, quality) if quality else original
                tile = np.ascontiguousarray(np.moveaxis(degraded, -1, 0)[np.newaxis] / np.float32(255))
                answers, times = [], []
                for model in models:
                    model.restore(tile[..., :64, :64])
                    times.append(clock.seconds(lambda model=model: answers.append(model.restore(tile))))  # noqa: B023
                exact, rounded = (np.moveaxis(answer[0] * 255, 0, -1).clip(0, 255) for answer in answers)
                ratios.append(times[1] / times[0])
                gains.append(psnr(original, rounded, data_range=255) - psnr(original, exact, data_range=255))
                largest = max(largest, float(np.abs(rounded - exact).max()))
            print(
                f"{name:14} {quality or 'clean':>8} {statistics.median(ratios):6.2f} "
                f"{statistics.mean(gains):+8.4f} {min(gains):+11.4f} {largest:11.2f} levels",
                flush=True,
            )


def originals(folder: Path | None) -> list[np.ndarray]:
    if folder is None:
        return [load()[crop] for crop, load in CROPS.values()]
    paths = sorted(folder.iterdir())[:6]
    return [middle(np.asarray(Image.open(path).convert("RGB"))) for path in paths]


def middle(picture: np.ndarray) -> np.ndarray:
    """Cut 256 rows and 320 columns, multiples of what every network takes."""
    top, left = (max(length - size, 0) // 2 for length, size in zip(picture.shape, (256, 320), strict=False))
    return picture[top : top + 256, left : left + 320]


def tiles(options: argparse.Namespace) -> None:
    clock = Clock(options.now)
    for name in options.models:
        model = load_model(name, "cpu")
        halo = TileGrid.for_model(model, 3).halo
        reference = None
        for core in (256, 512, 768, 1024):
            side = core + 2 * halo
            run = network_alone(model, [(1, 3, side, side)])
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seconds = statistics.median(clock.seconds(run) for _ in range(options.repeats))
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            answered = seconds / core**2 * 1e6
            reference = reference or answered
            print(
                f"{name:14} {model.precision} tile {core:5}, halo {halo:4}: {answered:6.2f} s/MP answered, "
                f"{answered / reference:.2f} of the first; memory grew by {grown / side**2:4.0f} B a pixel",
                flush=True,
            )


def compiled(options: argparse.Namespace) -> None:
    clock = Clock(options.now)
    for name in options.models:
        model = load_model(name, "cpu")
        run = network_alone(model, [(1, 3, 512, 512)])
        run()
        before = [clock.seconds(run) for _ in range(options.repeats)]
        model.generator.compile()
        first = clock.seconds(run)
        after = [clock.seconds(run) for _ in range(options.repeats)]
        ratio = statistics.median(after) / statistics.median(before)
        print(f"{name:14} compiled takes {ratio:.2f} of the time, and {first:.0f} s to compile", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cpu-time", action="store_const", const=time.process_time, dest="now",
                        default=time.perf_counter)  # fmt: skip
    parser.add_argument("--repeats", type=int, default=3)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("end-to-end")
    command.set_defaults(run=end_to_end)
    command.add_argument("--megapixels", type=float, default=1.0)
    command.add_argument("--quality", type=int, default=75)
    command.add_argument("--model", default="general")
    for name, run in (("precision", precision), ("tiles", tiles), ("compile", compiled)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--models", nargs="+", default=["general", "compact-cnn"])
        command.add_argument("--images", type=Path, help="a folder of originals, of which six are taken")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
