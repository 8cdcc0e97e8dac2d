"""How many files of a folder pass for clean: ``python benchmarks/ground_truth.py FOLDER…``.

On folders of originals it counts false alarms, on folders of JPEGs that were saved as something else
what is missed.  `--quality` compresses the middle of each picture first, with the grid cut off at
random, and so counts misses on any folder.
"""

import argparse
import time

import numpy as np

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.training.data import find_pictures, planes_of_array
from napari_deartifact.training.data_history import CROP, compressed_before
from napari_deartifact.training.data_planes import Planes, opened_planes
from napari_deartifact.training.data_window import Windows


def degraded(planes: Planes, quality: int, draw: np.random.Generator) -> Planes:
    """Compress the middle of the middle plane, and cut off part of its first blocks."""
    number = len(planes) // 2
    pixels = Windows.of(planes).picture(number, planes.read(number)).pixels
    top, left = (max(length - CROP, 0) // 2 for length in pixels.shape[:2])
    pixels = jpeg_round_trip(pixels[top : top + CROP, left : left + CROP], quality)
    y, x = draw.integers(8, size=2)
    return planes_of_array(pixels[y:, x:], rgb=pixels.ndim == 3)


def main() -> None:
    """Print the share of the files that are taken for compressed, and why."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--files", type=int, default=20, help="files of each folder, chosen at random")
    parser.add_argument("--quality", type=int, help="compress them first")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for folder in options.folders:
        draw = np.random.default_rng(options.seed)
        paths = find_pictures(folder)
        chosen = draw.permutation(len(paths))[: options.files]
        found, unreadable, seconds = {}, 0, 0.0
        for index in chosen:
            try:
                with opened_planes(paths[index], 2**28) as planes:
                    looked_at = degraded(planes, options.quality, draw) if options.quality else planes
                    start = time.process_time()
                    reason = compressed_before(looked_at)
                    seconds += time.process_time() - start
            except ValueError:
                unreadable += 1
                continue
            if reason:
                found[paths[index].name] = reason
        count = len(chosen) - unreadable
        print(
            f"{folder}: {len(found)} of {count} ({100 * len(found) / max(count, 1):.1f} %), "
            f"{unreadable} unreadable, {seconds / max(count, 1):.3f} s of CPU a file"
        )
        if not options.quality:
            for name, reason in found.items():
                print(f"  {name}: {reason}")


if __name__ == "__main__":
    main()
