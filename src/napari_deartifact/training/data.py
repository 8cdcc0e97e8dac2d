"""Clean pictures in memory, and the pairs that are cut from them: a batch is a function of its number."""

from __future__ import annotations

import glob
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.degradation import DegradationSampler, jpeg_round_trip
from napari_deartifact.training.recipe import DataRecipe

SUFFIXES = frozenset({".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"})
WINDOW = (0.1, 99.9)
"""Percentiles of a picture of more than eight bits that become 0 and 255."""
LUMA = np.array([0.299, 0.587, 0.114])
PREFETCH = 4

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
        reason = f"; the first: {next(iter(skipped.items()))}" if skipped else ""
        raise ValueError(f"none of {len(paths)} files could be read{reason}")
    return PictureSet(tuple(pictures), skipped, left_out)


class PairSource:
    """Cuts batches of pairs from pictures; batch number `step` is the same whenever it is asked for.

    Parameters
    ----------
    pictures : sequence of Picture
    recipe : DataRecipe
    channels : int
        3 for RGB pairs, 1 for grey ones.
    seed : int
    """

    def __init__(self, pictures: Sequence[Picture], recipe: DataRecipe, channels: int, seed: int) -> None:
        if not pictures:
            raise ValueError("no pictures to train on; validation took them all or there were none")
        self.pictures = tuple(pictures)
        self.recipe = recipe
        self.channels = channels
        self.seed = seed
        self.sampler: DegradationSampler = recipe.sampler

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Cut a batch.

        Parameters
        ----------
        step : int

        Returns
        -------
        degraded, clean : Tensor of uint8, shape (N, C, Y, X)
        """
        generator = np.random.default_rng([self.seed, step])
        pairs = [self._pair(generator) for _ in range(self.recipe.batch_size)]
        clean, degraded = (np.stack(side) for side in zip(*pairs, strict=True))
        return torch.from_numpy(degraded), torch.from_numpy(clean)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give batches without end from number `first` on, prepared ahead by a thread."""
        ready: queue.Queue[tuple[Tensor, Tensor] | BaseException] = queue.Queue(PREFETCH)
        stop = threading.Event()

        def put(item: tuple[Tensor, Tensor] | BaseException) -> None:
            while not stop.is_set():
                try:
                    return ready.put(item, timeout=0.1)
                except queue.Full:
                    continue

        def prepare() -> None:
            step = first
            try:
                while not stop.is_set():
                    put(self.batch(step))
                    step += 1
            except BaseException as error:  # noqa: BLE001 (raised again where the batch is taken)
                put(error)

        thread = threading.Thread(target=prepare, name="pairs", daemon=True)
        thread.start()
        try:
            while True:
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()

    def _pair(self, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        degradation = self.sampler.sample(generator)
        pixels = self.pictures[generator.integers(len(self.pictures))].pixels
        patch = _random_crop(pixels, self.recipe.patch_size + degradation.margin, generator)
        patch = np.rot90(patch, int(generator.integers(4)))
        if generator.random() < 0.5:
            patch = patch[:, ::-1]
        if self.channels == 1 or patch.ndim == 2 or generator.random() < self.recipe.grey_fraction:
            patch = to_grey(patch, studio=generator.random() < self.recipe.studio_fraction)
        clean, degraded = degradation.apply(np.ascontiguousarray(patch))
        return to_channels(clean, self.channels), to_channels(degraded, self.channels)


def validation_pairs(
    pictures: Sequence[Picture], quality: int | None, channels: int, size: int = 256
) -> list[tuple[Tensor, Tensor]]:
    """Cut the middle of each picture, every other one in grey.

    Parameters
    ----------
    pictures : sequence of Picture
    quality : int or None
        Of the JPEG; None leaves the pictures clean.
    channels : int
    size : int
        Largest height and width in pixels.

    Returns
    -------
    list of (degraded, clean) : Tensor of uint8, shape (1, C, Y, X)
    """
    pairs = []
    for index, picture in enumerate(pictures):
        pixels = picture.pixels
        height, width = (min(size, length // 16 * 16) or length for length in pixels.shape[:2])
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        clean = pixels[top : top + height, left : left + width]
        if channels == 1 or index % 2 or clean.ndim == 2:
            clean = to_grey(clean)
        degraded = clean if quality is None else jpeg_round_trip(clean, quality)
        both = (to_channels(degraded, channels), to_channels(clean, channels))
        pairs.append((torch.from_numpy(both[0])[None], torch.from_numpy(both[1])[None]))
    return pairs


def to_grey(pixels: NDArray[np.uint8], *, studio: bool = False) -> NDArray[np.uint8]:
    """Return the BT.601 luma of an RGB or grey picture, over 0–255 or, in `studio` range, 16–235."""
    luma = pixels @ LUMA if pixels.ndim == 3 else pixels.astype(float)
    if studio:
        luma = 16 + luma * (219 / 255)
    grey: NDArray[np.uint8] = np.rint(luma).astype(np.uint8)
    return grey


def to_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Move channels to the front; grey is repeated."""
    if pixels.ndim == 2:
        return np.repeat(pixels[None], channels, axis=0)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _random_crop(pixels: NDArray[np.uint8], size: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    missing = [max(size - length, 0) for length in pixels.shape[:2]]
    if any(missing):
        before_after = [(short // 2, short - short // 2) for short in missing]
        pixels = np.pad(pixels, before_after + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    top = generator.integers(pixels.shape[0] - size + 1)
    left = generator.integers(pixels.shape[1] - size + 1)
    return pixels[top : top + size, left : left + size]


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
