"""Count the units of a network that answer to nothing: ``python benchmarks/dead_units.py IMAGES MODEL…``.

A unit of a ReLU whose sum stays below zero on every picture gives nothing and learns nothing any more;
one of a PReLU has a slope of its own there, and goes on.  Each picture, at most 512×512 pixels of its
middle, is seen at the qualities 10, 40 and 90.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.evaluation.originals import find_images
from napari_deartifact.generators.base import Generator
from napari_deartifact.jpeg.ycbcr import luma
from napari_deartifact.models.model_file import read_model
from napari_deartifact.models.registry import find_model
from napari_deartifact.training.data import read_picture

QUALITIES = (10, 40, 90)
EDGE = 512


def pictures(folder: Path, generator: Generator) -> Iterator[Tensor]:
    """Give batches of one, as the generator takes them."""
    for path in find_images(folder):
        pixels = read_picture(path)
        rows, columns = (
            slice((length - side) // 2, (length - side) // 2 + side)
            for length in pixels.shape[:2]
            for side in [min(EDGE, length) // generator.size_multiple * generator.size_multiple]
        )
        for quality in QUALITIES:
            degraded = jpeg_round_trip(pixels[rows, columns], quality)
            colors = degraded if degraded.ndim == 3 else np.repeat(degraded[..., np.newaxis], 3, axis=-1)
            batch = torch.from_numpy(colors.transpose(2, 0, 1)[np.newaxis]).float() / 255
            yield batch if generator.channels == 3 else luma(batch)


def largest_sums(generator: Generator, folder: Path) -> dict[str, Tensor]:
    """Return, for the input of each activation, the largest value of each of its units."""
    largest: dict[str, Tensor] = {}
    for name, module in generator.named_modules():
        if isinstance(module, nn.ReLU | nn.PReLU):

            def look(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                here = inputs[0].amax(dim=(0, 2, 3))
                largest[name] = torch.maximum(largest.get(name, here), here)

            module.register_forward_pre_hook(look)
    with torch.inference_mode():
        for batch in pictures(folder, generator):
            generator(batch)
    return largest


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names, or files")
    options = parser.parse_args()
    for model in options.models:
        path = find_model(model)
        if path is None:
            parser.error(f"{model} has no network")
        generator, _ = read_model(path)
        sums = largest_sums(generator, options.images)
        silent = {name: int((values <= 0).sum()) for name, values in sums.items()}
        units = sum(len(values) for values in sums.values())
        print(f"{model}: {sum(silent.values())} of {units} units never above zero")
        for name, count in silent.items():
            slope = getattr(generator.get_submodule(name), "weight", None)
            told = "" if slope is None else f", slopes {slope.min():.2f} to {slope.max():.2f}"
            print(f"  {name:28} {count:4} of {len(sums[name])}{told}")


if __name__ == "__main__":
    main()
