"""The pictures that an evaluation starts from."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.read import SUFFIXES, read_image
from napari_deartifact.history import CLEAN_QUALITY
from napari_deartifact.metrics import full_range_luma, studio_range_luma

Luma = Literal["full", "studio"]
LUMAS = {"full": full_range_luma, "studio": studio_range_luma}


def find_images(images: str | os.PathLike[str]) -> list[Path]:
    """List the pictures of a folder, without its subfolders, or the one file.

    Raises
    ------
    FileNotFoundError
        When there is neither.
    ValueError
        When the folder holds no pictures.
    """
    path = Path(images)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"no folder at {path}; check the name")
    found = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"folder {path} holds no pictures; expected files such as *.png, *.bmp or *.tif")
    return found


def read_original(
    path: str | os.PathLike[str], *, luma: Luma = "full", color: bool = False
) -> NDArray[np.uint8]:
    """Read an original for an evaluation.

    Parameters
    ----------
    path : path
        A single 8-bit picture; alpha is left out.
    luma : {"full", "studio"}
        What a colour picture becomes; grey ones are taken as they are.
    color : bool
        Keep RGB instead.

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    ValueError
        For other pictures, and for grey ones when `color` is set.

    Warns
    -----
    UserWarning
        For a JPEG of low quality, which is no original.
    """
    image = read_image(path)
    if image.jpeg is not None and image.jpeg.quality < CLEAN_QUALITY:
        warnings.warn(
            f"{path} is a JPEG of quality {image.jpeg.quality} itself: whoever keeps its artifacts measures "
            "best; give what it was made from",
            UserWarning,
            stacklevel=3,
        )
    pixels = image.pixels
    if pixels.dtype != np.uint8:
        raise ValueError(f"{path} has {pixels.dtype} pixels; JPEG evaluations need 8 bits")
    if image.channel_axis is not None:
        pixels = np.moveaxis(pixels, image.channel_axis, -1)
        pixels = pixels[..., :3] if image.rgb else pixels[..., 0] if image.alpha else pixels
    if pixels.ndim == 3 and image.rgb:
        return pixels if color else LUMAS[luma](pixels).round().astype(np.uint8)
    if pixels.ndim != 2:
        raise ValueError(f"{path} holds an array of shape {pixels.shape}; expected a single picture")
    if color:
        raise ValueError(f"{path} is grey; evaluate it without color")
    return pixels
