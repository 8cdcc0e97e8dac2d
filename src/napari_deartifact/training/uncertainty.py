"""Training of the error head: pictures are compressed, restored by several models, and compared.

The loss asks for coverage, not for the likelihood of any one distribution: errors have heavier tails
than a Gaussian, and one that is fitted to their variance holds more than 68 % of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.generators.error_head import CHANNELS, LEVELS, ErrorHead
from napari_deartifact.models.model_file import ModelCard, save_model
from napari_deartifact.training.data import Picture, find_pictures, load_pictures
from napari_deartifact.training.error_examples import Example, HeadRecipe, make_example
from napari_deartifact.uncertainty import SMALLEST_ERROR

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

COVERAGE = (0.683, 0.954)
"""Shares of the errors that one and two standard errors are to hold."""
WEIGHTS = (3.0, 5.0)
"""A miss of 3 % at two standard errors weighs as much as one of 5 % at one."""
MARGIN = 16
"""Pixels along the edge of a patch in which the head lacks a part of its view, and which do not count."""
TIE = 1e-3
"""In levels: errors below are ties, and lie within any standard error."""
LARGEST_SHIFT = 0.4
"""Of the logarithm of the standard error, at the end."""
CLASSES = 10


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
    logarithm = magnitude.clamp(min=TIE).log()
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
    """Train a head on clean pictures, scale it by pictures that it has not seen, and write its file.

    Parameters
    ----------
    folders : sequence of path
        Clean pictures: folders or patterns; each counts alike.
    output : path
        The file to be written, which names the models in its card, the last factor, and the shares of
        held-out errors within one and two standard errors, in per cent.
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
    splits = [
        load_pictures(find_pictures(folder)).split(recipe.validation_fraction, recipe.seed)
        for folder in folders
    ]
    training, held_out = zip(*splits, strict=True)
    told = progress or _tell_nobody
    examples = list(_examples(training, recipe.examples, restorers, recipe, recipe.seed, told))
    head = fit_head(examples, recipe, progress=progress)
    del examples
    groups = [group for group in held_out if group]
    judges = list(_examples(groups, recipe.held_out, restorers, recipe.as_used, ~recipe.seed, told))
    scale = rescale(head, judges)
    results = {"command": "napari_deartifact.training.uncertainty.train_head", "set": "held-out pictures"}
    card = ModelCard(
        name="error-head",
        architecture=head.architecture,
        arguments=head.arguments,
        description="Standard error of restored pictures, for restore_with_uncertainty.",
        recipe={**asdict(recipe), "restorers": [model.name for model in restorers]},
        data=list(sources),
        results=[{**results, "scaled_by": scale, "coverage": coverage(head, judges)}] if judges else [],
    )
    save_model(output, head, card)
    return head


def _examples(
    groups: Sequence[Sequence[Picture]],
    count: int,
    restorers: Sequence[Restorer],
    recipe: HeadRecipe,
    seed: int,
    progress: Callable[[str, int, int, float], object],
) -> Iterator[Example]:
    rng = np.random.default_rng(seed % 2**32)
    for index in range(count if groups else 0):
        yield make_example(groups[index % len(groups)], restorers, recipe, rng)
        progress("examples", index + 1, count, 0.0)


def _tell_nobody(*_: object) -> None:
    pass


def rescale(head: ErrorHead, examples: Sequence[Example]) -> float:
    """Multiply the standard errors of a head by the factor that examples it has not seen ask for.

    Parameters
    ----------
    head : ErrorHead
        Changed in place.
    examples : sequence of Example

    Returns
    -------
    float
        The factor, 1 when there are no examples.
    """
    if not examples:
        return 1.0
    log_error, magnitude = _told_and_true(head, examples)
    shifts = np.linspace(-LARGEST_SHIFT, LARGEST_SHIFT, 81)
    losses = [float(coverage_loss(log_error + shift, magnitude)) for shift in shifts]
    shift = float(shifts[int(np.argmin(losses))])
    with torch.no_grad():
        cast("Tensor", head.last.bias).add_(shift)
    return float(np.exp(shift))


def coverage(head: ErrorHead, examples: Sequence[Example]) -> dict[str, float]:
    """Return the shares of the errors within one and two standard errors, in per cent.

    Parameters
    ----------
    head : ErrorHead
    examples : sequence of Example

    Returns
    -------
    dict of str to float
        ``one`` and ``two`` over all pixels, and ``one_least``, ``one_most``, ``two_least`` and
        ``two_most`` among ten classes of equal size by standard error.
    """
    log_error, magnitude = _told_and_true(head, examples)
    order = log_error.argsort(stable=True)
    ratio = (magnitude / log_error.exp().clamp(min=SMALLEST_ERROR))[order]
    shares: dict[str, float] = {}
    for count, name in enumerate(("one", "two"), start=1):
        inside = (ratio <= count).double()
        classes = [float(part.mean()) for part in inside.tensor_split(CLASSES)]
        shares |= {name: float(inside.mean()), f"{name}_least": min(classes), f"{name}_most": max(classes)}
    return {name: round(100 * share, 2) for name, share in shares.items()}


@torch.no_grad()
def _told_and_true(head: ErrorHead, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Return the logarithm of the standard error and the absolute error of all inner pixels, with tables."""
    told, true = [], []
    inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    for example in examples:
        parts = (example.restored, example.degraded, example.quantization, example.even)
        restored, degraded, quantization, even = (torch.from_numpy(_repeated(part))[None] for part in parts)
        log_error = head(restored / LEVELS, degraded / LEVELS, quantization, even)[0, : len(example.clean)]
        free = torch.from_numpy((example.degraded > 0) & (example.degraded < LEVELS))[inner]
        error = torch.from_numpy(np.abs(example.restored - example.clean))[inner]
        told.append(log_error[inner][free])
        true.append(error[free])
    return torch.cat(told), torch.cat(true)


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
