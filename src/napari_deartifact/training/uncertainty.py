"""Training of the error head: pictures are compressed, restored by several models, and compared."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.devices import has_fast_bfloat16
from napari_deartifact.generators.error_head import LEVELS, ErrorHead
from napari_deartifact.models.model_file import ModelCard, save_model
from napari_deartifact.training.data import Picture, find_pictures, load_pictures
from napari_deartifact.training.error_coverage import (
    INNER,
    calibrate,
    coverage,
    coverage_loss,
    repeat_channels,
)
from napari_deartifact.training.error_examples import Example, HeadRecipe, make_example

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

Progress = Callable[[str, int, int, float], object]


def train_head(
    folders: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    restorers: Sequence[Restorer],
    recipe: HeadRecipe | None = None,
    *,
    sources: Sequence[dict[str, str]] = (),
    progress: Progress | None = None,
) -> ErrorHead:
    """Train a head on clean pictures, calibrate it on others that it has not seen, and write its file.

    Parameters
    ----------
    folders : sequence of path
        Clean pictures: folders or patterns; each counts alike.
    output : path
        The file to be written, which names the models in its card, and the shares of held-out errors
        within one and two standard errors, in per cent.
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
    training, held_out = part_pictures(folders, recipe)
    examples = _examples(training, recipe.examples, restorers, recipe, recipe.seed, progress)
    fitted = fit_head(examples, recipe, progress=progress)
    del examples, training
    head, coverages = with_calibrations(fitted, held_out, restorers, recipe, progress=progress)
    results = {
        "command": "napari_deartifact.training.uncertainty.train_head",
        "set": "held-out pictures",
        "files": sorted({_file_name(picture) for group in held_out for picture in group}),
        "coverage": coverages,
    }
    card = ModelCard(
        name="error-head",
        architecture=head.architecture,
        arguments=head.arguments,
        description="Standard error of restored pictures, for restore_with_uncertainty.",
        recipe={**asdict(recipe), "restorers": [model.name for model in restorers]},
        data=list(sources),
        results=[results] if coverages else [],
    )
    save_model(output, copy.deepcopy(head).half(), card)
    return head


def part_pictures(
    folders: Sequence[str | os.PathLike[str]], recipe: HeadRecipe, held_out: Collection[str] = ()
) -> tuple[list[list[Picture]], list[list[Picture]]]:
    """Load clean pictures, and part those that a head is trained on from those that judge it.

    Parameters
    ----------
    folders : sequence of path
        As for `train_head`.  A folder that is there several times is read once.
    recipe : HeadRecipe
    held_out : collection of str, optional
        Names of the files that judge, as a head's card has them.  By default the recipe's share of
        each folder is drawn, which other files in a folder change.

    Returns
    -------
    training, judging : list of list of Picture
        Both with a list for each folder.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_pictures` and `load_pictures`.
    """
    parted = {}
    for folder in dict.fromkeys(folders):
        loaded = load_pictures(find_pictures(folder))
        if held_out:
            training = [picture for picture in loaded.pictures if _file_name(picture) not in held_out]
            judging = [picture for picture in loaded.pictures if _file_name(picture) in held_out]
        else:
            training, judging = map(list, loaded.split(recipe.validation_fraction, recipe.seed))
        parted[folder] = training, judging
    return [parted[folder][0] for folder in folders], [parted[folder][1] for folder in folders]


def with_calibrations(
    head: ErrorHead,
    pictures: Sequence[Sequence[Picture]],
    restorers: Sequence[Restorer],
    recipe: HeadRecipe,
    *,
    progress: Progress | None = None,
) -> tuple[ErrorHead, dict[str, dict[str, float]]]:
    """Calibrate a head for each of some models, and for any other one.

    Parameters
    ----------
    head : ErrorHead
    pictures, restorers, recipe, progress
        As for `held_out_examples`.

    Returns
    -------
    ErrorHead
        One of the same weights.
    dict of str to dict
        What :func:`~napari_deartifact.training.error_coverage.coverage` tells of each model, by name, and of
        all of them as "any"; empty without pictures.
    """
    models = {model.name: model for model in restorers}
    answer = ErrorHead(**{**head.arguments, "models": list(models)})
    weights = {name: value for name, value in head.state_dict().items() if name != "calibration"}
    answer.load_state_dict(weights, strict=False)
    answer.eval().requires_grad_(False)
    coverages: dict[str, dict[str, float]] = {}
    every: tuple[list[Example], list[Example]] = [], []
    for name, model in models.items():
        with_tables, without = (
            held_out_examples(pictures, [model], recipe, tables=tables, progress=progress)
            for tables in (True, False)
        )
        if with_tables:
            calibrate(answer, with_tables, without, model=name)
            coverages[name] = coverage(answer, with_tables, model=name)
            every[0].extend(with_tables)
            every[1].extend(without)
    if coverages:
        calibrate(answer, *every)
        coverages["any"] = coverage(answer, every[0])
    return answer, coverages


def held_out_examples(
    pictures: Sequence[Sequence[Picture]],
    restorers: Sequence[Restorer],
    recipe: HeadRecipe,
    *,
    tables: bool = True,
    progress: Progress | None = None,
) -> list[Example]:
    """Make the examples that `train_head` calibrates a head on and tells its coverage on.

    Parameters
    ----------
    pictures : sequence of sequence of Picture
        The second list of `part_pictures`.
    restorers : sequence of Restorer
    recipe : HeadRecipe
        Says how many.
    tables : bool
        As for :meth:`HeadRecipe.as_used`.
    progress : callable, optional
        As for `train_head`.

    Returns
    -------
    list of Example
        The same ones for the same pictures, restorers and recipe; none without pictures.
    """
    used = recipe.as_used(tables=tables)
    return _examples(pictures, recipe.held_out, restorers, used, ~recipe.seed, progress)


def _examples(
    groups: Sequence[Sequence[Picture]],
    count: int,
    restorers: Sequence[Restorer],
    recipe: HeadRecipe,
    seed: int,
    progress: Progress | None,
) -> list[Example]:
    groups = [group for group in groups if group]
    rng = np.random.default_rng(seed % 2**32)
    examples = []
    for index in range(count if groups else 0):
        examples.append(make_example(groups[index % len(groups)], restorers, recipe, rng))
        if progress is not None:
            progress("examples", index + 1, count, 0.0)
    return examples


def _file_name(picture: Picture) -> str:
    return os.path.basename(picture.file)


def fit_head(
    examples: Sequence[Example],
    recipe: HeadRecipe,
    *,
    progress: Progress | None = None,
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
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16("cpu")):
            answer = head(restored / LEVELS, degraded / LEVELS, quantization, even)
        loss = coverage_loss(answer.float()[INNER], (restored - clean).abs()[INNER])
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
        torch.from_numpy(np.stack([repeat_channels(part) for part in parts]))
        for parts in zip(*patches, strict=True)
    ]
