"""Training of the error head: pictures are compressed, restored by several models, and compared.

The loss asks for coverage, not for the likelihood of any one distribution: errors have heavier tails
than a Gaussian, and one that is fitted to their variance holds more than 68 % of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.degradation import SUBSAMPLINGS, jpeg_round_trip
from napari_deartifact.generators.error_head import CHANNELS, LEVELS, ErrorHead
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.models.model_file import ModelCard, save_model
from napari_deartifact.tiling import restore_in_tiles
from napari_deartifact.training.data import Picture, find_pictures, load_pictures
from napari_deartifact.training.pairs import to_channels, to_grey

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

COVERAGE = (0.683, 0.954)
"""Shares of the errors that one and two standard errors are to hold."""
WEIGHTS = (3.0, 5.0)
"""A miss of 3 % at two standard errors weighs as much as one of 5 % at one."""
MARGIN = 16
"""Pixels along the edge of a patch in which the head lacks a part of its view, and which do not count."""
SMALLEST_ERROR = 1e-3
"""In levels: errors below are ties, and lie within any standard error."""


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
    validation_fraction : float
        Share of each folder's files that is left out.
    seed : int
    """

    examples: int = 2000
    example_size: int = 192
    steps: int = 8000
    batch_size: int = 8
    patch_size: int = 128
    learning_rate: float = 2e-3
    qualities: tuple[int, int] = (5, 95)
    grey: float = 0.5
    consistent: float = 0.5
    rounded: float = 0.3
    partial: float = 0.1
    blended: float = 0.2
    unknown: float = 0.25
    validation_fraction: float = 0.15
    seed: int = 0


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


def coverage_loss(log_error: Tensor, magnitude: Tensor) -> Tensor:
    """Return the mean distance of the standard errors from those with the coverage that is asked for.

    Parameters
    ----------
    log_error : Tensor
        Logarithm of the standard error.
    magnitude : Tensor, same shape
        Absolute value of the true error, in the same units.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    The sum of the quantile losses of log |error| at one and two standard errors.  Each is least where
    the share of errors below is the one asked for, wherever the picture looks the same to the head; a
    loss of logarithms weighs small errors as much as large ones.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978,
           :doi:`10.2307/1913643`.

    Examples
    --------
    >>> errors = torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs()
    >>> trials = [float(coverage_loss(torch.tensor(trial).log(), errors)) for trial in (0.9, 1.0, 1.1)]
    >>> trials.index(min(trials))
    1
    """
    logarithm = magnitude.clamp(min=SMALLEST_ERROR).log()
    total = log_error.new_zeros(())
    for count, (share, weight) in enumerate(zip(COVERAGE, WEIGHTS, strict=True), start=1):
        excess = logarithm - log_error - np.log(count)
        total = total + weight * torch.maximum(share * excess, (share - 1) * excess).mean()
    return total


def train_head(
    folders: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    restorers: Sequence[Restorer],
    recipe: HeadRecipe | None = None,
    *,
    sources: Sequence[dict[str, str]] = (),
    progress: Callable[[str, int, int, float], object] | None = None,
) -> ErrorHead:
    """Train a head on clean pictures and write its file.

    Parameters
    ----------
    folders : sequence of path
        Clean pictures: folders or patterns; each counts alike.
    output : path
        The file to be written, which names the models in its card.
    restorers : sequence of Restorer
        Whose errors it learns to foretell.
    recipe : HeadRecipe, optional
    sources : sequence of dict
        Names and licences of the pictures, for the card.
    progress : callable, optional
        Gets "examples" or "steps", how many are done and will be, and the last loss.

    Returns
    -------
    ErrorHead

    Examples
    --------
    Run in a script, for a head of the models that ship:

    >>> from napari_deartifact import load_model
    >>> models = [load_model(name, "cpu") for name in ("compact-cnn", "spp")]
    >>> head = train_head(["pictures"], "error-head.safetensors", models)  # doctest: +SKIP
    """
    recipe = recipe or HeadRecipe()
    groups = [
        load_pictures(find_pictures(folder)).split(recipe.validation_fraction, recipe.seed)[0]
        for folder in folders
    ]
    rng = np.random.default_rng(recipe.seed)
    examples = []
    for index in range(recipe.examples):
        examples.append(make_example(groups[index % len(groups)], restorers, recipe, rng))
        if progress is not None:
            progress("examples", index + 1, recipe.examples, 0.0)
    head = fit_head(examples, recipe, progress=progress)
    card = ModelCard(
        name="error-head",
        architecture=head.architecture,
        arguments=head.arguments,
        description="Standard error of restored pictures, for restore_with_uncertainty.",
        recipe={**asdict(recipe), "restorers": [model.name for model in restorers]},
        data=list(sources),
    )
    save_model(output, head, card)
    return head


def make_example(
    pictures: Sequence[Picture], restorers: Sequence[Restorer], recipe: HeadRecipe, rng: np.random.Generator
) -> Example:
    """Draw a picture, compress it and restore it; all choices are drawn from `rng`."""
    areas = np.array([picture.pixels[..., :1].size for picture in pictures], np.float64)
    pixels = pictures[rng.choice(len(pictures), p=areas / areas.sum())].pixels
    clean = _cut(pixels, recipe.example_size + 16, rng)
    if clean.ndim == 3 and rng.random() < recipe.grey:
        clean = to_grey(clean, studio=bool(rng.random() < 0.5))
    low, high = recipe.qualities
    even = rng.random() < 0.5
    quality = int(
        rng.integers(low, high, endpoint=True) if even else round(low * (high / low) ** rng.random())
    )
    subsampling = str(rng.choice(SUBSAMPLINGS))
    degraded = jpeg_round_trip(clean, quality, subsampling=subsampling)
    info = JPEGInfo.from_quality(
        quality,
        height=clean.shape[0],
        width=clean.shape[1],
        subsampling=subsampling if clean.ndim == 3 else None,
    )
    top, left = rng.integers(16, size=2) if rng.random() < 0.5 else (0, 0)
    size = [min(recipe.example_size, length - 16) // 2 * 2 for length in clean.shape[:2]]
    window = slice(int(top), int(top) + size[0]), slice(int(left), int(left) + size[1])
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
        channels_last = answer[0] if channels == 1 else answer.transpose(1, 2, 0)
        projected = project(channels_last, degraded.astype(np.float64), info)
        answer = projected[np.newaxis] if channels == 1 else projected.transpose(2, 0, 1)
    strength = rng.random() if rng.random() < recipe.partial else 1.0
    answer = np.clip(LEVELS * unit + strength * (answer - LEVELS * unit), 0, LEVELS)
    if rng.random() < recipe.rounded:
        answer = np.rint(answer)
    quantization = np.log(quantization_standard_error(degraded, info)).astype(np.float16)
    return Example(
        to_channels(clean, channels),
        to_channels(degraded, channels),
        answer.astype(np.float32),
        quantization[np.newaxis] if channels == 1 else quantization.transpose(2, 0, 1),
        np.log(even_standard_error(info, channels)).astype(np.float32),
        info.quality,
    )


def fit_head(
    examples: Sequence[Example],
    recipe: HeadRecipe,
    *,
    progress: Callable[[str, int, int, float], object] | None = None,
) -> ErrorHead:
    """Fit a head to examples; the same examples and recipe give the same weights.

    Parameters
    ----------
    examples : sequence of Example
    recipe : HeadRecipe
    progress : callable, optional
        As for `train_head`.

    Returns
    -------
    ErrorHead
        In evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        head: ErrorHead = ErrorHead().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(head.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.05
    )
    rng = np.random.default_rng(recipe.seed + 1)
    for step in range(recipe.steps):
        clean, degraded, restored, quantization, even = _batch(examples, recipe, rng)
        answer = head(restored / LEVELS, degraded / LEVELS, quantization, even)
        inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        loss = coverage_loss(answer[inner], (restored - clean).abs()[inner])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress("steps", step + 1, recipe.steps, float(loss.detach()))
    head.eval().requires_grad_(False)
    return head


def _batch(examples: Sequence[Example], recipe: HeadRecipe, rng: np.random.Generator) -> list[Tensor]:
    """Cut patches; grey ones are repeated over the channels."""
    patches: list[tuple[NDArray[Any], ...]] = []
    for index in rng.integers(len(examples), size=recipe.batch_size):
        example = examples[index]
        top, left = (
            2 * int(rng.integers((length - recipe.patch_size) // 2 + 1)) for length in example.clean.shape[1:]
        )
        window = (slice(None), slice(top, top + recipe.patch_size), slice(left, left + recipe.patch_size))
        quantization = example.quantization[window]
        if rng.random() < recipe.unknown:
            quantization = np.full_like(quantization, np.nan)
        parts = example.clean[window], example.degraded[window], example.restored[window]
        patches.append((*parts, quantization, example.even))
    return [
        torch.from_numpy(np.stack([_repeated(part) for part in parts]))
        for parts in zip(*patches, strict=True)
    ]


def _repeated(part: NDArray[Any]) -> NDArray[np.float32]:
    return np.broadcast_to(part, (CHANNELS, *part.shape[1:])).astype(np.float32)


def _restored(unit: NDArray[np.float32], model: Restorer, info: JPEGInfo) -> NDArray[np.float32]:
    steps = restore_in_tiles(unit, model, tile_size=max(unit.shape[1:]), jpeg=info)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: NDArray[np.float32] = end.value
            return answer


def _cut(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a square, turned and mirrored at random; a smaller picture is continued by reflection."""
    missing = [(0, max(size - length, 0)) for length in pixels.shape[:2]]
    if any(after for _, after in missing):
        pixels = np.pad(pixels, (*missing, *[(0, 0)] * (pixels.ndim - 2)), mode="symmetric")
    top, left = (int(rng.integers(length - size + 1)) for length in pixels.shape[:2])
    square = np.rot90(pixels[top : top + size, left : left + size], int(rng.integers(4)))
    return np.ascontiguousarray(square[:, ::-1] if rng.random() < 0.5 else square)
