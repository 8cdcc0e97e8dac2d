"""Files from which a run goes on, each bound to the recipe and the seed that it belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from napari_deartifact.atomic import replacing

CHECKPOINT_FORMAT = 2


def write_checkpoint(
    path: str | os.PathLike[str], state: Mapping[str, Any], recipe: Mapping[str, Any], seed: int
) -> None:
    """Write a state, with the recipe and the seed of its run; the file appears whole or not at all."""
    with replacing(path) as temporary:
        torch.save({**state, "format": CHECKPOINT_FORMAT, "recipe": recipe, "seed": seed}, temporary)


def read_checkpoint(
    path: str | os.PathLike[str], recipe: Mapping[str, Any], seed: int, device: torch.device
) -> dict[str, Any]:
    """Read a state.

    Parameters
    ----------
    path : path
    recipe : dict
        Of the run that is to go on.
    seed : int
        Of the same.
    device : torch.device
        Where its tensors go.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        When the file is no checkpoint, or one of another recipe or seed.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        if state["format"] != CHECKPOINT_FORMAT:
            raise ValueError(f"format {state['format']}")
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint of this version ({error}); delete it") from error
    difference = _first_difference(state["recipe"], recipe)
    if state["seed"] != seed:
        difference = difference or f"seed is {state['seed']} there and {seed} here"
    if difference:
        raise ValueError(
            f"{path} belongs to another run: {difference}; delete it, choose another output, or "
            "pass resume=False"
        )
    return state


def _first_difference(there: Any, here: Any, key: str = "") -> str:
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in sorted({*there, *here}):
            found = _first_difference(there.get(name), here.get(name), f"{key}.{name}" if key else name)
            if found:
                return found
        return ""
    if isinstance(there, (list, tuple)) and isinstance(here, (list, tuple)) and len(there) == len(here):
        pairs = enumerate(zip(there, here, strict=True))
        return next(
            (text for index, (a, b) in pairs if (text := _first_difference(a, b, f"{key}[{index}]"))), ""
        )
    return "" if there == here else f"{key} is {there!r} there and {here!r} here"
