"""Weights from those of other models of one architecture: between two, or with what tuning has taught one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_deartifact.messages import check_fraction
from napari_deartifact.models.model_file import ModelCard, read_card, read_model, save_model

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deartifact.generators.base import Generator


def interpolate_models(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    share: float,
    output: str | os.PathLike[str],
) -> ModelCard:
    """Write the model whose weights lie between those of two others.

    It makes sense for models that share a part of their training, such as the ends of two phases of
    one run; weights that were trained apart have nothing between them.

    Parameters
    ----------
    first, second : path
        Model files of the same architecture and arguments.
    share : float
        Of the second model, 0 to 1.
    output : path
        The model file to be written.  Its card is the second model's, and says what was mixed.

    Returns
    -------
    ModelCard
        Of the written file.

    Raises
    ------
    ValueError
        When the share is outside 0 to 1, the architectures differ, or a file is no model file.
    FileNotFoundError
        When a model file is not there.

    References
    ----------
    .. [1] X. Wang et al., "Deep Network Interpolation for Continuous Imagery Effect Transition",
       CVPR 2019.
    """
    generator, card = interpolated(first, second, share)
    save_model(output, generator, card)
    return card


def interpolated(
    first: str | os.PathLike[str], second: str | os.PathLike[str], share: float
) -> tuple[Generator, ModelCard]:
    """Read the model whose weights lie between those of two others, in float32.

    Parameters
    ----------
    first, second, share
        As for :func:`interpolate_models`.

    Returns
    -------
    generator : Generator
        On the CPU, in evaluation mode.  At 0 it has the first model's weights to the last bit, at 1 the
        second's.
    card : ModelCard
        The second model's, without its results; it says what was mixed.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`interpolate_models`.
    """
    share = check_fraction("share", share)
    check_alike(first, second)
    one, one_card = read_model(first)
    other, other_card = read_model(second)
    start = one.state_dict()
    other.load_state_dict(
        {key: _between(start[key], value, share) for key, value in other.state_dict().items()}
    )
    mixed = {"share": share, "first": one_card.recipe.get("run"), "second": other_card.recipe.get("run")}
    return other, replace(other_card, recipe={**other_card.recipe, "interpolated": mixed}, results=[])


def transfer_tuning(
    tuned: str | os.PathLike[str],
    start: str | os.PathLike[str],
    later: str | os.PathLike[str],
    output: str | os.PathLike[str],
    share: float = 1.0,
) -> ModelCard:
    """Write what fine-tuning has taught a model onto later weights of the one that it started from.

    To every weight of `later` is added what fine-tuning has added to that of `start` [1]_, so that a model
    of one's own gains from a better general one without being trained again.  It makes sense where `later`
    is `start` trained on; measure the answer as any other model.  What is no weight, such as the statistics
    of BatchNorm, stays that of the tuned model.

    Parameters
    ----------
    tuned, start, later : path
        Model files of the same architecture and arguments.
    output : path
        The model file to be written.  Its card is the tuned model's, and says what was added to what.
    share : float
        Of what was learnt, 0 to 1.

    Returns
    -------
    ModelCard
        Of the written file.

    Raises
    ------
    ValueError
        When the share is outside 0 to 1, the architectures differ, or a file is no model file.
    FileNotFoundError
        When a model file is not there.

    References
    ----------
    .. [1] G. Ilharco et al., "Editing models with task arithmetic", ICLR 2023.
    """
    share = check_fraction("share", share)
    check_alike(tuned, start)
    check_alike(tuned, later)
    generator, card = read_model(tuned)
    (before, before_card), (after, after_card) = read_model(start), read_model(later)
    origin, better = before.state_dict(), after.state_dict()
    learnt = {
        key: better[key] + share * (value.detach() - origin[key])
        for key, value in generator.named_parameters()
    }
    generator.load_state_dict({**generator.state_dict(), **learnt})
    moved = {"share": share, "from": before_card.recipe.get("run"), "to": after_card.recipe.get("run")}
    data = [*card.data, *(source for source in after_card.data if source not in card.data)]
    card = replace(card, recipe={**card.recipe, "transferred": moved}, data=data, results=[])
    save_model(output, generator, card)
    return card


def check_alike(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> None:
    """Refuse two model files between which there is nothing; only their cards are read.

    Raises
    ------
    ValueError
        When their architectures, arguments or colours differ, or one is no model file.
    FileNotFoundError
        When one is not there.
    """
    cards = read_card(first), read_card(second)
    one, other = ((card.architecture, card.arguments, card.color) for card in cards)
    if one != other:
        raise ValueError(
            f"{os.fspath(first)} is a {_described(cards[0])} and {os.fspath(second)} a "
            f"{_described(cards[1])}; only models of one architecture have anything between them"
        )


def _described(card: ModelCard) -> str:
    return f"{card.architecture} with {card.arguments} for {card.color}"


def _between(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Mix numbers; counts, such as BatchNorm's of its batches, are those of the end."""
    return start.lerp(end, share) if end.is_floating_point() else end
