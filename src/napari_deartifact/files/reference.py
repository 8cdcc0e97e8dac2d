"""Originals beside a batch: which one belongs to a file, and how much nearer to it the answer is."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.read import ImageFile, read_image
from napari_deartifact.files.sources import may_be_picture, warn_of_folder
from napari_deartifact.files.suffixes import picture_stem

_AT_ONCE = 2**20
_LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})


@dataclass(frozen=True)
class References:
    """Original pictures, by their places in a tree without their suffixes."""

    paths: dict[Path, Path]

    @classmethod
    def below(cls, folder: str | os.PathLike[str]) -> References:
        """Look for the originals in a folder and its subfolders.

        Parameters
        ----------
        folder : path
            It has the tree of the folder to be restored; suffixes may differ.

        Raises
        ------
        NotADirectoryError
            When it is no folder.
        """
        top = Path(folder)
        if not top.is_dir():
            raise NotADirectoryError(f"no folder at {top}; name one that holds the originals")
        found = (
            Path(root) / name
            for root, _, names in os.walk(top, onerror=warn_of_folder)
            for name in sorted(names)
        )
        pictures = [path for path in found if may_be_picture(path)]
        # Of two with the same stem the lossless one is the original.
        pictures.sort(key=lambda path: path.suffix.lower() not in _LOSSY)
        return cls({_key(path.relative_to(top)): path for path in pictures})

    def read(self, place: Path) -> ImageFile | None:
        """Return the original of the file with a place in the tree, if there is one."""
        path = self.paths.get(_key(place))
        return None if path is None else read_image(path)


def _key(place: Path) -> Path:
    return place.with_name(picture_stem(place))


def psnr_pair(original: ImageFile, image: ImageFile, restored: NDArray[Any]) -> tuple[float, float]:
    """Return the PSNR of a file and of its restored pixels against their original.

    Parameters
    ----------
    original, image : ImageFile
        Alpha is left out.
    restored : ndarray
        Of the shape of the image's pixels.

    Returns
    -------
    (float, float)
        In dB, over all planes and colours.  White is the JPEG's, 255 for uint8, or else the range of
        the original; infinite for equal pixels.

    Raises
    ------
    ValueError
        When the original has another shape or dtype.
    """
    clean, before, after = _colors(original), _colors(image), _colors(image, restored)
    if (clean.shape, clean.dtype) != (before.shape, before.dtype):
        raise ValueError(
            f"{original.path} is no original of {image.path}: it has {clean.dtype} pixels of shape "
            f"{clean.shape}, expected {before.dtype} of {before.shape}"
        )
    if image.jpeg is not None or clean.dtype == np.uint8:
        white = 2.0 ** (image.jpeg.precision if image.jpeg else 8) - 1
    else:
        white = float(clean.max()) - float(clean.min())
    first, second = (_psnr(clean, pixels, white) for pixels in (before, after))
    return first, second


def _colors(image: ImageFile, pixels: NDArray[Any] | None = None) -> NDArray[Any]:
    pixels = image.pixels if pixels is None else pixels
    if not image.alpha or image.channel_axis is None:
        return pixels
    kept = np.moveaxis(pixels, image.channel_axis, -1)[..., :-1]
    return kept[..., 0] if kept.shape[-1] == 1 else kept


def _psnr(original: NDArray[Any], picture: NDArray[Any], white: float) -> float:
    """Sum in parts, so that no copy of a large picture in float64 is made."""
    flat, other = original.reshape(-1), picture.reshape(-1)
    total = math.fsum(
        float(np.square(np.subtract(flat[at : at + _AT_ONCE], other[at : at + _AT_ONCE], dtype=float)).sum())
        for at in range(0, flat.size, _AT_ONCE)
    )
    return 10 * math.log10(white**2 * flat.size / total) if total > 0 < white else math.inf
