"""Examples for the error head: pictures compressed, restored in one of the ways a user may, and compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import channels_first, channels_last
from napari_deartifact.degradation import SUBSAMPLINGS, jpeg_round_trip
from napari_deartifact.generators.error_head import LEVELS
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.progress import run_steps
from napari_deartifact.tiling import restore_in_tiles
from napari_deartifact.training.data import Picture
from napari_deartifact.training.pairs import to_channels, to_grey

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer


LEAST_CONTRAST = 0.1


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained.

    Attributes
    ----------
    examples : int
        Pictures that are compressed and restored.
    example_size : int
        Their edge, in pixels.
    steps, batch_size, patch_size : int
    learning_rate : float
        At its highest; it falls to nothing along a cosine.
    qualities : (int, int)
        Lowest and highest JPEG quality.  Half of the examples are drawn evenly from them, half evenly
        from their logarithms, as errors change most at the low end.
    grey, consistent, rounded, partial, blended, unknown : float
        Shares of the examples that are grey, agree with their file, are rounded to whole levels, have
        a strength below 1, are the mean of two models' answers, and of the patches without tables.
    halved, faded, noisy : float
        Shares of the examples whose original is scaled down by 2, has its contrast lowered, and gets
        Gaussian noise: photographs for training are smoother than what people restore, and micrographs
        may be faint.
    noise : (float, float)
        Least and largest standard deviation of that noise, in levels.  Its logarithm is drawn evenly:
        half a level is as common on a dark ground as five in a bright one, and coarse tables leave
        nothing to tell the two by.
    validation_fraction : float
        Share of each folder's files that is left out.
    held_out : int
        Examples made of these files, for each model, to calibrate the head on and for the figures in
        the card.
    seed : int
    """

    examples: int = 4500
    example_size: int = 192
    steps: int = 5000
    batch_size: int = 8
    patch_size: int = 128
    learning_rate: float = 2e-3
    qualities: tuple[int, int] = (5, 95)
    grey: float = 0.5
    consistent: float = 0.8
    rounded: float = 0.3
    partial: float = 0.1
    blended: float = 0.2
    unknown: float = 0.25
    halved: float = 0.2
    faded: float = 0.17
    noisy: float = 0.27
    noise: tuple[float, float] = (0.25, 8.0)
    validation_fraction: float = 0.15
    held_out: int = 240
    seed: int = 0

    def as_used(self, *, tables: bool) -> HeadRecipe:
        """Return the same with each picture restored by one model as it is by default.

        Pictures are taken as they are; one in five gets noise.

        Parameters
        ----------
        tables : bool
            Whether the file is known, and obeyed.
        """
        return replace(
            self,
            partial=0.0,
            blended=0.0,
            consistent=float(tables),
            halved=0.0,
            faded=0.0,
            noisy=0.2,
        )


@dataclass(frozen=True)
class Example:
    """A picture before and after, in levels of 255, each of shape (C, Y, X); C is 1 or 3.

    Attributes
    ----------
    clean, degraded : ndarray of uint8
    restored : ndarray of float32
    quantization : ndarray of float16
        Logarithm of the standard error that quantization implies.
    even : ndarray of float32, shape (C,)
        The same for evenly filled cells.
    quality : int
    """

    clean: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    restored: NDArray[np.float32]
    quantization: NDArray[np.float16]
    even: NDArray[np.float32]
    quality: int


def make_example(
    pictures: Sequence[Picture], restorers: Sequence[Restorer], recipe: HeadRecipe, rng: np.random.Generator
) -> Example:
    """Draw a picture, compress it and restore it; all choices are drawn from `rng`."""
    areas = np.array([math.prod(picture.pixels.shape[:2]) for picture in pictures], np.float64)
    pixels = pictures[rng.choice(len(pictures), p=areas / areas.sum())].pixels
    size = recipe.example_size + 16
    if rng.random() < recipe.halved and min(pixels.shape[:2]) >= 2 * size:
        clean = _halved(_cut(pixels, 2 * size, rng))
    else:
        clean = _cut(pixels, size, rng)
    if clean.ndim == 3 and rng.random() < recipe.grey:
        clean = to_grey(clean, studio=bool(rng.random() < 0.5))
    if rng.random() < recipe.faded:
        clean = _faded(clean, rng)
    if rng.random() < recipe.noisy:
        least, most = recipe.noise
        noise = rng.normal(0, least * (most / least) ** rng.random(), clean.shape)
        clean = np.clip(np.rint(clean + noise), 0, LEVELS).astype(np.uint8)
    low, high = recipe.qualities
    even = rng.random() < 0.5
    quality = int(
        rng.integers(low, high, endpoint=True) if even else round(low * (high / low) ** rng.random())
    )
    subsampling = str(rng.choice(SUBSAMPLINGS[:4]))  # not 4:1:1, of old video
    degraded = jpeg_round_trip(clean, quality, subsampling=subsampling)
    info = JPEGInfo.from_quality(
        quality,
        height=clean.shape[0],
        width=clean.shape[1],
        subsampling=subsampling if clean.ndim == 3 else None,
    )
    top, left = rng.integers(16, size=2) if rng.random() < 0.5 else (0, 0)
    height, width = (min(recipe.example_size, length - 16) // 2 * 2 for length in clean.shape[:2])
    window = slice(int(top), int(top) + height), slice(int(left), int(left) + width)
    return restored_example(clean[window], degraded[window], info.crop(*window), restorers, recipe, rng)


def restored_example(
    clean: NDArray[np.uint8],
    degraded: NDArray[np.uint8],
    info: JPEGInfo,
    restorers: Sequence[Restorer],
    recipe: HeadRecipe,
    rng: np.random.Generator,
) -> Example:
    """Restore a pair of pictures (Y, X) or (Y, X, 3) in one of the ways that a user may."""
    from napari_deartifact.jpeg.consistency import project
    from napari_deartifact.jpeg.posterior import even_standard_error, quantization_standard_error

    channels = 1 if clean.ndim == 2 else 3
    unit = (to_channels(degraded, channels) / LEVELS).astype(np.float32)
    count = 2 if rng.random() < recipe.blended else 1
    chosen = [restorers[index] for index in rng.choice(len(restorers), min(count, len(restorers)), False)]
    answer = LEVELS * np.mean([_restored(unit, model, info) for model in chosen], axis=0)
    if rng.random() < recipe.consistent:
        answer = channels_first(project(channels_last(answer), degraded.astype(np.float64), info, weigh=True))
    strength = rng.random() if rng.random() < recipe.partial else 1.0
    answer = np.clip(LEVELS * unit + strength * (answer - LEVELS * unit), 0, LEVELS)
    if rng.random() < recipe.rounded:
        answer = np.rint(answer)
    quantization = np.log(quantization_standard_error(degraded, info)).astype(np.float16)
    return Example(
        to_channels(clean, channels),
        to_channels(degraded, channels),
        answer.astype(np.float32),
        channels_first(quantization),
        np.log(even_standard_error(info, channels)).astype(np.float32),
        info.quality,
    )


def _restored(unit: NDArray[np.float32], model: Restorer, info: JPEGInfo) -> NDArray[np.float32]:
    return run_steps(restore_in_tiles(unit, model, tile_size=max(unit.shape[1:]), jpeg=info))


def _cut(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a square, turned and mirrored at random; a smaller picture is continued by reflection."""
    missing = [(0, max(size - length, 0)) for length in pixels.shape[:2]]
    if any(after for _, after in missing):
        pixels = np.pad(pixels, (*missing, *[(0, 0)] * (pixels.ndim - 2)), mode="symmetric")
    top, left = (int(rng.integers(length - size + 1)) for length in pixels.shape[:2])
    square = np.rot90(pixels[top : top + size, left : left + size], int(rng.integers(4)))
    return np.ascontiguousarray(square[:, ::-1] if rng.random() < 0.5 else square)


def _faded(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lower the contrast, and lay what is left between black and white, most often near one of them."""
    contrast = LEAST_CONTRAST ** rng.random()
    black = LEVELS * (1 - contrast) * rng.beta(0.5, 0.5)
    faded: NDArray[np.uint8] = np.rint(black + contrast * pixels).astype(np.uint8)
    return faded


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average 2×2 pixels."""
    quarters = [pixels[row::2, column::2].astype(np.uint16) for row in (0, 1) for column in (0, 1)]
    return ((sum(quarters[1:], quarters[0]) + 2) // 4).astype(np.uint8)
