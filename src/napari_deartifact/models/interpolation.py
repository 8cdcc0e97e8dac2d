"""Weights between those of two models of one architecture: a dial from the one's behaviour to the other's."""

from __future__ import annotations

import os
from dataclasses import replace

from napari_deartifact.models.model_file import ModelCard, read_model, save_model


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
        When the share is outside 0 to 1, or the architectures differ.
    FileNotFoundError
        When a model file is not there.

    References
    ----------
    .. [1] X. Wang et al., "Deep Network Interpolation for Continuous Imagery Effect Transition",
       CVPR 2019.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected 0 (the first model) to 1 (the second)")
    one, one_card = read_model(first)
    other, other_card = read_model(second)
    if (one_card.architecture, one_card.arguments) != (other_card.architecture, other_card.arguments):
        raise ValueError(
            f"{os.fspath(first)} is a {one_card.architecture} with {one_card.arguments} and "
            f"{os.fspath(second)} a {other_card.architecture} with {other_card.arguments}; "
            "only models of one architecture have anything between them"
        )
    start = one.state_dict()
    other.load_state_dict({key: start[key].lerp(value, share) for key, value in other.state_dict().items()})
    mixed = {"share": share, "first": one_card.recipe.get("run"), "second": other_card.recipe.get("run")}
    card = replace(other_card, recipe={**other_card.recipe, "interpolated": mixed}, results=[])
    save_model(output, other, card)
    return card
