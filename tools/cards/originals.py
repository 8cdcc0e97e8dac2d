"""The originals on which the cards of the models show failures: from scikit-image's wheel, or made here.

None may be a JPEG itself, so those of the wheel that were one are made smaller, or are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIZE = 256
FIELD_SIZE = 384
SPOTS = 160
PHOTONS_PER_LEVEL = 2
EOSIN_FOR_DAB = 0.45
PANGRAM = "The quick brown fox jumps over 13 lazy dogs (p < 0.05). "
INKS = ("black", "#333333", "#1f4fa0", "#b02020", "#107040")
HALF, QUARTER = 2, 4


@dataclass(frozen=True)
class Picture:
    """An original that may be given away.

    Attributes
    ----------
    name : str
    source : str
        Where it is from, or how it is made; and its licence.
    make : callable
        Gives it, (Y, X) or (Y, X, 3).
    """

    name: str
    source: str
    make: Callable[[], Pixels]


def from_wheel(name: str, smaller: int = 1) -> Callable[[], Pixels]:
    """Name a picture of scikit-image's wheel, of which blocks of pixels may be averaged."""

    def make() -> Pixels:
        from skimage import data

        pixels: Pixels = getattr(data, name)()
        if smaller == 1:
            return pixels
        height, width = (size // smaller for size in pixels.shape[:2])
        blocks = pixels[: height * smaller, : width * smaller].reshape(height, smaller, width, smaller, -1)
        means: Pixels = blocks.mean(axis=(1, 3)).round().squeeze().astype(np.uint8)
        return means

    return make


def grey_ramp() -> Pixels:
    """Draw a ramp of half a level a pixel and less."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.asarray(40 + 0.45 * x + 0.22 * y).round().astype(np.uint8)


def color_ramp() -> Pixels:
    """Draw ramps of other directions in red, green and blue."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    return np.stack([60 + 120 * x, 90 + 60 * y, 200 - 110 * x * y], axis=-1).round().astype(np.uint8)


def defocused_field() -> Pixels:
    """Draw Gaussian spots of many widths, and count photons."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:FIELD_SIZE, :FIELD_SIZE]
    field = np.full((FIELD_SIZE, FIELD_SIZE), 6.0)
    for _ in range(SPOTS):
        width, height = rng.uniform(2, 14), rng.uniform(15, 120)
        top, left = rng.uniform(0, FIELD_SIZE, 2)
        field += height * np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * width**2))
    counts = rng.poisson(field * PHOTONS_PER_LEVEL) / PHOTONS_PER_LEVEL
    return counts.round().clip(0, 255).astype(np.uint8)


def hematoxylin_eosin() -> Pixels:
    """Give the colour of eosin to the DAB of a stained section."""
    from skimage.color import hed2rgb, rgb2hed

    hematoxylin, _, dab = np.moveaxis(rgb2hed(from_wheel("immunohistochemistry", HALF)()), -1, 0)
    stains = np.stack([hematoxylin.clip(0), EOSIN_FOR_DAB * dab.clip(0), np.zeros_like(dab)], axis=-1)
    return np.asarray(hed2rgb(stains) * 255).round().astype(np.uint8)


def letters() -> Pixels:
    """Write lines of small letters in several colours."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("RGB", (FIELD_SIZE, SIZE), "white")
    draw = ImageDraw.Draw(canvas)
    top = 2
    for number in range(SIZE // 9):
        size = 9 + number % 6
        draw.text((3, top), 2 * PANGRAM, fill=INKS[number % len(INKS)], font=ImageFont.load_default(size))
        top += size + 3
    return np.asarray(canvas)


def plot() -> Pixels:
    """Draw thin curves and axes on white."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (FIELD_SIZE, SIZE), "white")
    draw = ImageDraw.Draw(canvas)
    left, top, right, bottom = 30, 12, FIELD_SIZE - 8, SIZE - 12
    draw.line([(left, top), (left, bottom), (right, bottom)], fill="black")
    x = np.arange(right - left)
    for ink, period, phase in zip(INKS[2:], (23, 31, 47), (0, 1, 2), strict=True):
        y = (top + bottom) / 2 + (bottom - top) / 3 * np.sin(x / period + phase) * np.exp(-x / 300)
        draw.line(list(zip((left + x).tolist(), y.tolist(), strict=True)), fill=ink)
    return np.asarray(canvas)


PICTURES = {
    picture.name: picture
    for picture in (
        Picture("scanned text", "`skimage.data.text`, public domain", from_wheel("text")),
        Picture("letters", "written by the script, in the font that Pillow has", letters),
        Picture("grey ramp", "computed by the script", grey_ramp),
        Picture("colour ramp", "computed by the script", color_ramp),
        Picture("gravel", "`skimage.data.gravel`, CC0", from_wheel("gravel")),
        Picture(
            "grass",
            "`skimage.data.grass`, CC0; halved, as it was a JPEG",
            from_wheel("grass", HALF),
        ),
        Picture(
            "defocused spots",
            "computed by the script: Gaussian spots of 2 to 14 pixels, shot noise; no microscope saw it",
            defocused_field,
        ),
        Picture(
            "section in H&E colours",
            "made by the script from the section below: its DAB in the colour of eosin, "
            "as the wheel has no H&E",
            hematoxylin_eosin,
        ),
        Picture(
            "section, DAB",
            "`skimage.data.immunohistochemistry`, no known copyright; halved, as it was a JPEG",
            from_wheel("immunohistochemistry", HALF),
        ),
        Picture("plot", "drawn by the script", plot),
        Picture("brick", "`skimage.data.brick`, CC0", from_wheel("brick")),
        Picture("cameraman", "`skimage.data.camera`, CC0", from_wheel("camera")),
        Picture("astronaut", "`skimage.data.astronaut`, public domain", from_wheel("astronaut")),
        Picture("coffee", "`skimage.data.coffee`, CC0", from_wheel("coffee")),
        Picture("cell, phase", "`skimage.data.cell`, CC0", from_wheel("cell")),
        Picture("moved clock", "`skimage.data.clock`, public domain", from_wheel("clock")),
        Picture("microaneurysms", "`skimage.data.microaneurysms`, CC0", from_wheel("microaneurysms")),
        Picture(
            "retina",
            "`skimage.data.retina`, CC0; a quarter of its size, as it was a JPEG",
            from_wheel("retina", QUARTER),
        ),
    )
}

CASES = {
    "Text": ("scanned text", "letters"),
    "Flat gradients": ("grey ramp", "colour ramp"),
    "Dense texture": ("gravel", "grass"),
    "Out-of-focus fluorescence": ("defocused spots",),
    "H&E": ("section in H&E colours",),
    "Immunohistochemistry": ("section, DAB",),
}
"""Cases that are always shown, and the pictures among which a crop is looked for."""
OTHERS = "Other pictures"
