"""Fine-tune the general model on a folder of micrographs, and measure the gain on fields that it never saw.

``python examples/train_on_micrographs.py FOLDER --minutes 10`` takes clean pictures of your own, of which a
fifth of the files is held out.  Without FOLDER it cuts micrographs that come with scikit-image into fields.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.data import cell, immunohistochemistry

from napari_deartifact import JPEGInfo, deartifact
from napari_deartifact.degradation import jpeg_decode, jpeg_encode
from napari_deartifact.metrics import psnr
from napari_deartifact.training import read_recipe, train
from napari_deartifact.training.data import Picture, find_pictures, load_pictures

QUALITIES = (10, 30, 75)
SHOWN = 30
HELD_OUT = 0.2
FIELD = 128
LARGEST = 512
MOST_MEASURED = 12


def cut_fields(folder: Path) -> Path:
    """Write fields of two micrographs, each a file; the second, once a JPEG, is averaged over 2×2 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    stained = immunohistochemistry().astype(np.float64)
    halved = sum(stained[row::2, column::2] for row in (0, 1) for column in (0, 1)) / 4
    for name, pixels in (("cell", cell()), ("stained", np.rint(halved).astype(np.uint8))):
        for top in range(0, pixels.shape[0] - FIELD + 1, FIELD):
            for left in range(0, pixels.shape[1] - FIELD + 1, FIELD):
                field = pixels[top : top + FIELD, left : left + FIELD]
                Image.fromarray(field).save(folder / f"{name}_{top}_{left}.png")
    return folder


def middle(picture: Picture) -> NDArray[np.uint8]:
    """Cut the middle of a held-out picture, that measuring takes no longer than training."""
    top, left = (max(length - LARGEST, 0) // 2 for length in picture.pixels.shape[:2])
    return np.ascontiguousarray(picture.pixels[top : top + LARGEST, left : left + LARGEST])


def restored(field: NDArray[np.uint8], quality: int, model: str) -> tuple[NDArray[np.uint8], ...]:
    """Compress and restore."""
    data = jpeg_encode(field, quality)
    decoded = jpeg_decode(data)
    axis = -1 if field.ndim == 3 else None
    return decoded, deartifact(decoded, model, channel_axis=axis, jpeg=JPEGInfo.from_bytes(data))


def gain(fields: list[NDArray[np.uint8]], quality: int, model: str) -> float:
    """Return the mean gain in PSNR over the JPEG, in dB."""
    gains = []
    for field in fields:
        decoded, answer = restored(field, quality, model)
        gains.append(psnr(field, answer) - psnr(field, decoded))
    return float(np.mean(gains))


def side_by_side(fields: list[NDArray[np.uint8]], models: list[str]) -> NDArray[np.uint8]:
    """Put JPEG, answers and original of the field with most contrast beside each other, twice as large."""
    field = max(fields, key=lambda pixels: float(pixels.std()))
    answers = [restored(field, SHOWN, model) for model in models]
    row = np.hstack([answers[0][0], *(answer for _, answer in answers), field])
    return row.repeat(2, axis=0).repeat(2, axis=1)


def main() -> None:
    """Train, then print the gains and write a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="clean micrographs of yours")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training (10)")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for model and picture")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    folder = arguments.folder or cut_fields(arguments.output / "fields")
    recipe = read_recipe("microscopy")
    if arguments.folder is None:
        recipe = replace(recipe, data=replace(recipe.data, patch_size=FIELD))
    try:
        found = load_pictures(find_pictures(folder), patch_size=recipe.data.patch_size)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    print(found.summary())
    pictures, held_out = found.split(HELD_OUT, seed=0)
    fields = [middle(picture) for picture in held_out[:: -(-len(held_out) // MOST_MEASURED)]]

    before = {quality: gain(fields, quality, "general") for quality in QUALITIES}
    model = arguments.output / "micrographs.safetensors"
    result = train(
        recipe,
        pictures,
        model,
        init="general",
        minutes=arguments.minutes,
        resume=False,
        progress=sys.stderr.isatty(),
    )
    print(f"{result.steps} steps in {result.seconds / 60:.1f} minutes on {len(pictures)} pictures")
    print(f"gain over the JPEG on {len(fields)} held-out fields, dB")
    print("quality  general  fine-tuned")
    for quality in QUALITIES:
        print(f"{quality:7}  {before[quality]:+7.2f}  {gain(fields, quality, str(model)):+10.2f}")

    picture = arguments.output / "micrographs_compared.png"
    Image.fromarray(side_by_side(fields, ["general", str(model)])).save(picture)
    print(f"wrote {picture}: JPEG of quality {SHOWN}, general, fine-tuned, original; and {model}")


if __name__ == "__main__":
    main()
