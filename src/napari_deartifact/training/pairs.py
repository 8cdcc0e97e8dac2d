"""Pairs cut from clean pictures and compressed on the way: a pair is a function of its two numbers."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from napari_deartifact.degradation import DegradationSampler, jpeg_round_trip
from napari_deartifact.jpeg.color import LUMA_WEIGHTS
from napari_deartifact.training.data import Picture
from napari_deartifact.training.data_recipe import DataRecipe

_LUMA = np.array(LUMA_WEIGHTS)
PREFETCH = 4
SCALES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""By which patches are shrunk."""
CORES_PER_THREAD = 4
"""One thread that makes pairs keeps pace with about a dozen cores that train a small network."""


class PairSource:
    """Cuts batches of pairs from pictures; batch number `step` is the same whenever it is asked for.

    A picture is drawn as often as it is large, so that all pixels of the same weight count alike.
    Pair `i` of batch `step` depends on the seed and these two numbers alone.  Of several processes
    that train together each makes its own `recipe.batch_size` pairs, and all of them together make
    the batch that a single one would make of ``world * recipe.batch_size`` pairs.

    Parameters
    ----------
    pictures : sequence of Picture
    recipe : DataRecipe
    channels : int
        3 for RGB pairs, 1 for grey ones.
    seed : int
    rank, world : int
        Number of this process, from 0, and how many there are.

    Raises
    ------
    ValueError
        When there are no pictures, or `rank` is not below `world`.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        recipe: DataRecipe,
        channels: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not pictures:
            raise ValueError("no pictures to train on; validation took them all or there were none")
        self.pictures = tuple(pictures)
        self.recipe = recipe
        self.channels = channels
        self.seed = seed
        self.rank = checked_rank(rank, world)
        self.world = world
        self.sampler: DegradationSampler = recipe.sampler
        self._up_to = drawn_up_to(self.pictures)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Cut a batch.

        Parameters
        ----------
        step : int

        Returns
        -------
        degraded, clean : Tensor of uint8, shape (N, C, Y, X)
        """
        first = self.rank * self.recipe.batch_size
        numbers = range(first, first + self.recipe.batch_size)
        pairs = [self._pair(np.random.default_rng([self.seed, step, number])) for number in numbers]
        clean, degraded = (np.stack(side) for side in zip(*pairs, strict=True))
        return torch.from_numpy(degraded), torch.from_numpy(clean)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give batches without end from number `first` on, prepared ahead by threads."""
        threads = min(max((os.cpu_count() or 1) // (CORES_PER_THREAD * self.world), 1), PREFETCH)
        with ThreadPoolExecutor(threads, thread_name_prefix="pairs") as pool:
            ahead = deque(pool.submit(self.batch, step) for step in range(first, first + PREFETCH))
            try:
                for step in count(first + PREFETCH):
                    batch = ahead.popleft().result()
                    ahead.append(pool.submit(self.batch, step))
                    yield batch
            finally:
                for waiting in ahead:
                    waiting.cancel()

    def _pair(self, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        degradation = self.sampler.sample(generator)
        chosen = int(np.searchsorted(self._up_to, generator.random(), side="right"))
        pixels = self.pictures[min(chosen, len(self.pictures) - 1)].pixels
        size = self.recipe.patch_size + degradation.margin
        shrunk = self.recipe.shrunk_fraction
        if shrunk and generator.random() < shrunk:
            patch = _shrunk_crop(pixels, size, SCALES[generator.integers(len(SCALES))], generator)
        else:
            patch = _random_crop(pixels, size, generator)
        patch = np.rot90(patch, int(generator.integers(4)))
        if generator.random() < 0.5:
            patch = patch[:, ::-1]
        if self.channels == 1 or patch.ndim == 2 or generator.random() < self.recipe.grey_fraction:
            patch = to_grey(patch, studio=generator.random() < self.recipe.studio_fraction)
        clean, degraded = degradation.apply(np.ascontiguousarray(patch))
        return to_channels(clean, self.channels), to_channels(degraded, self.channels)


def validation_pairs(
    pictures: Sequence[Picture], quality: int | None, channels: int, size: int = 256, multiple: int = 16
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
    multiple : int
        Height and width are multiples of this where the picture is as large.

    Returns
    -------
    list of (degraded, clean) : Tensor of uint8, shape (1, C, Y, X)
    """
    pairs = []
    for index, picture in enumerate(pictures):
        pixels = picture.pixels
        height, width = (min(size, length // multiple * multiple) or length for length in pixels.shape[:2])
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        clean = pixels[top : top + height, left : left + width]
        if channels == 1 or index % 2 or clean.ndim == 2:
            clean = to_grey(clean)
        degraded = clean if quality is None else jpeg_round_trip(clean, quality)
        both = (to_channels(degraded, channels), to_channels(clean, channels))
        pairs.append((torch.from_numpy(both[0])[None], torch.from_numpy(both[1])[None]))
    return pairs


def drawn_up_to(pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """Return the chance that one of the pictures up to each is drawn: the last is 1."""
    weights = np.array([picture.area * picture.weight for picture in pictures], np.float64)
    up_to: NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    return up_to


def size_before(size: int, scale: float) -> int:
    """Return how large a patch is cut that is shrunk to `size` pixels."""
    return math.ceil(size / scale)


def checked_rank(rank: int, world: int) -> int:
    """Return the number of a process, refusing one that is not among 0 to `world` - 1."""
    if not 0 <= rank < world:
        raise ValueError(f"rank is {rank} of a world of {world}; expected 0 to {world - 1}")
    return rank


def to_grey(pixels: NDArray[np.uint8], *, studio: bool = False) -> NDArray[np.uint8]:
    """Return the BT.601 luma of an RGB or grey picture, over 0–255 or, in `studio` range, 16–235."""
    luma = pixels @ _LUMA if pixels.ndim == 3 else pixels.astype(float)
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


def _shrunk_crop(
    pixels: NDArray[np.uint8], size: int, scale: float, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Cut a larger patch and shrink it to `size`, or where a picture is too small for that, cut it so."""
    larger = size_before(size, scale)
    if min(pixels.shape[:2]) < larger:
        return _random_crop(pixels, size, generator)
    patch = Image.fromarray(np.ascontiguousarray(_random_crop(pixels, larger, generator)))
    return np.asarray(patch.resize((size, size), Image.Resampling.BICUBIC))
