"""Weights between those of two models of one architecture: a dial from the one's behaviour to the other's."""

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
