"""Image files become clean pictures in memory, each read once, parted by file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SUFFIXES = frozenset({".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"})
WINDOW = (0.1, 99.9)
"""Percentiles of a picture of more than eight bits that become 0 and 255."""

Pictures = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True)
class Picture:
    """A clean picture.

    Attributes
    ----------
    name : str
        The file's name.
    pixels : ndarray of uint8, shape (Y, X) or (Y, X, 3)
    """

    name: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class PictureSet:
    """The pictures that fitted, and what became of the rest.

    Attributes
    ----------
    pictures : tuple of Picture
    skipped : dict of str to str
        Why each path that could not be used was left out.
    left_out : int
        Readable files that did not fit in the memory budget.
    """

    pictures: tuple[Picture, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: int = 0

    def split(self, fraction: float, seed: int) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
        """Part the pictures, by file, into those for training and those for validation.

        Which file goes where depends on the seed and on the files' names, not on their order.

        Parameters
        ----------
        fraction : float
            Share of the files for validation; at least one file when it is above 0 and there
            are two or more.
        seed : int

        Returns
        -------
        training, validation : tuple of Picture
        """
        ordered = sorted(self.pictures, key=lambda picture: picture.name)
        count = round(fraction * len(ordered))
        if fraction > 0 and len(ordered) > 1:
            count = max(count, 1)
        chosen = set(np.random.default_rng(seed).permutation(len(ordered))[:count].tolist())
        training = tuple(picture for index, picture in enumerate(ordered) if index not in chosen)
        validation = tuple(picture for index, picture in enumerate(ordered) if index in chosen)
        return training, validation


def find_pictures(source: Pictures) -> list[Path]:
    """List image files.

    Parameters
    ----------
    source : path, glob pattern, or iterable of these
        A folder is searched with all its subfolders for the suffixes in `SUFFIXES`.

    Returns
    -------
    list of Path
        Sorted, each once.

    Raises
    ------
    FileNotFoundError
        When a path does not exist or a pattern or folder gives no image file.
    """
    entries = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    found: set[Path] = set()
    for entry in entries:
        path = Path(entry)
        if path.is_dir():
            matches = [item for item in path.rglob("*") if item.suffix.lower() in SUFFIXES and item.is_file()]
        elif path.is_file():
            matches = [path]
        else:
            matches = [Path(item) for item in glob.glob(str(entry), recursive=True) if Path(item).is_file()]
        if not matches:
            raise FileNotFoundError(
                f"no image files at {str(entry)!r}; expected a file, a glob pattern or a folder with "
                f"any of {', '.join(sorted(SUFFIXES))}"
            )
        found.update(matches)
    return sorted(found)


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file as 8-bit pixels.

    Eight-bit files come as they are, alpha left out.  Others are mapped so that the percentiles
    `WINDOW` of the whole picture become 0 and 255.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    OSError, ValueError
        When the file cannot be read or is no single grey or RGB picture.
    """
    path = Path(path)
    if path.suffix.lower() in {".tif", ".tiff"}:
        from tifffile import imread

        return _to_uint8(np.asarray(imread(path)))
    from PIL import Image

    with Image.open(path) as image:
        if image.mode.startswith("I") or image.mode == "F":
            return _to_uint8(np.array(image))
        grey = image.mode in {"1", "L", "LA"}
        return np.array(image.convert("L" if grey else "RGB"))


def load_pictures(paths: Sequence[Path], memory: int = 4 * 2**30, seed: int = 0) -> PictureSet:
    """Decode image files into memory.

    Parameters
    ----------
    paths : sequence of Path
    memory : int
        Budget in bytes.  When the pictures need more, those that fit are chosen at random.
    seed : int
        Of that choice.

    Returns
    -------
    PictureSet

    Raises
    ------
    ValueError
        When no file can be read.
    """
    pictures: list[Picture] = []
    skipped: dict[str, str] = {}
    left_out = used = 0
    for index in np.random.default_rng(seed).permutation(len(paths)):
        path = paths[index]
        if used >= memory:
            left_out += 1
            continue
        try:
            pixels = read_picture(path)
        except Exception as error:  # noqa: BLE001 (codecs raise anything; the file is reported and counted)
            skipped[str(path)] = f"{type(error).__name__}: {error}"
            continue
        if used + pixels.nbytes > memory and pictures:
            left_out += 1
            continue
        used += pixels.nbytes
        pictures.append(Picture(path.name, pixels))
    if not pictures:
        reason = "; {}: {}".format(*next(iter(skipped.items()))) if skipped else ""
        raise ValueError(f"none of {len(paths)} files could be read{reason}")
    return PictureSet(tuple(pictures), skipped, left_out)


def _to_uint8(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    pixels = np.squeeze(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = pixels[..., :3]
    if pixels.size == 0 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"shape {pixels.shape}; expected one picture of (Y, X), (Y, X, 3) or (Y, X, 4)")
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels).view(np.uint8)
    values = pixels.astype(np.float64)
    low, high = np.nanpercentile(values, WINDOW)
    scaled = (values - low) * (255 / (high - low if high > low else 1))
    mapped: NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)
    return mapped
