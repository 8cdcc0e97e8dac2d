"""What data costs a training step: ``python benchmarks/training.py``.

Seconds for a step of the recipe's network on patches that are there already, and for a batch of pairs
made by libjpeg in this thread, and by the simulation on the device that trains.  On a GPU the simulation
is what the command ``train`` uses.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from skimage.data import astronaut, camera, coffee

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.devices import resolve_device
from napari_deartifact.generators import build
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.simulation import simulate_jpeg
from napari_deartifact.metrics import psnr
from napari_deartifact.training import read_recipe
from napari_deartifact.training.data import Picture
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.loop import Trainer
from napari_deartifact.training.pairs import PairSource

REPEATS = 7


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time once, to the end of what the device has queued."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def agreement(image: np.ndarray, quality: int, subsampling: str | None) -> str:
    """Compare the simulation with libjpeg."""
    height, width = image.shape[:2]
    info = JPEGInfo.from_quality(quality, height=height, width=width, subsampling=subsampling)
    tables = [torch.tensor(table, dtype=torch.float32).reshape(8, 8) for table in info.tables]
    tables = [tables[min(index, len(tables) - 1)] for index in range(len(info.sampling))]
    batch = torch.from_numpy(image.reshape(1, height, width, -1)).permute(0, 3, 1, 2).float()
    ours = simulate_jpeg(batch, tables, info.sampling)[0].permute(1, 2, 0).numpy().reshape(image.shape)
    theirs = jpeg_round_trip(image, quality, subsampling=subsampling or "4:2:0").astype(float)
    near = 100 * np.mean(np.abs(ours - theirs) <= 1)
    return f"{near:7.2f} {np.mean(ours - theirs):+8.4f} {psnr(image, ours) - psnr(image, theirs):+8.4f}"


def main() -> None:
    """Print the agreement with libjpeg, then the shares of a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="general")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    print("picture           QF   ±1 level %   mean  PSNR, dB, simulation minus libjpeg")
    for name, image, subsampling in (("grey", camera(), None), ("4:2:0", astronaut(), "4:2:0")):
        for quality in (5, 10, 30, 50, 75, 90, 95):
            print(f"{name:16} {quality:3}  {agreement(image, quality, subsampling)}")
    recipe, device = read_recipe(options.recipe), torch.device(resolve_device(options.device))
    pictures = [Picture("astronaut", astronaut()), Picture("coffee", coffee())]
    generator = build(recipe.generator.architecture, recipe.generator.arguments)
    libjpeg = PairSource(pictures, recipe.data, generator.channels, 0)
    simulated = DevicePairSource(pictures, recipe.data, generator.channels, 0, device)
    trainer = Trainer(recipe, generator, simulated, steps=10**6, device=device)
    batch = simulated.batch(0)
    trainer.descend(*batch)
    rows = [
        [
            seconds(lambda: trainer.descend(*batch), device),
            seconds(lambda number=number: libjpeg.batch(number), device),
            seconds(lambda number=number: simulated.batch(number), device),
        ]
        for number in range(REPEATS)
    ]
    step = statistics.median(row[0] for row in rows)
    size = f"{recipe.data.batch_size} × {recipe.data.patch_size}²"
    print(f"{recipe.name} on {device}, {size}: {step:.4f} s a step without data")
    for column, name in ((1, "libjpeg in one thread"), (2, "simulation")):
        share = statistics.median(row[column] / row[0] for row in rows)
        print(f"  {name:22} {100 * share:6.1f} % of a step")


if __name__ == "__main__":
    main()
