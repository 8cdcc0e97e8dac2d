"""Write pictures of any depth as 8-bit PNGs, by the windows that training maps them by.

``python benchmarks/windowed.py FOLDER -o FOLDER [--planes 2]`` takes so many planes of each channel, evenly
chosen.  What it writes is for ``deartifact evaluate --images``, which wants 8 bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from napari_deartifact.evaluation.originals import find_images
from napari_deartifact.training.data_planes import opened_planes
from napari_deartifact.training.data_window import Windows


def chosen(channels: tuple[int, ...], most: int) -> list[int]:
    """Return the numbers of at most so many planes of each channel, evenly chosen."""
    numbers = np.arange(len(channels))
    found = []
    for channel in sorted(set(channels)):
        own = numbers[np.asarray(channels) == channel]
        found += own[np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)].tolist()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--planes", type=int, default=2, help="of each channel of a file, at most")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in find_images(options.images):
        with opened_planes(path, 2**32) as planes:
            windows = Windows.of(planes)
            for number in chosen(tuple(planes.channels), options.planes):
                picture = windows.picture(number, planes.read(number))
                Image.fromarray(picture.pixels).save(options.output / f"{path.stem}_{number:03d}.png")


if __name__ == "__main__":
    main()
