"""Files from which a run goes on, each bound to the recipe, the seed and the pictures that it belongs to."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from napari_deartifact.atomic import replacing
from napari_deartifact.training.data_pictures import Picture
from napari_deartifact.training.recipe import Recipe, parse_recipe

CHECKPOINT_FORMAT = 4
_PICTURES = "training pictures"
_SHARES = "weights of the pictures"


def identify(recipe: Recipe, seed: int, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Tell what a run that goes on must share with the one that was stopped.

    With other pictures the split would be another, and those kept for validation had been trained on.
    """
    sizes = repr([(picture.name, *picture.pixels.shape) for picture in pictures])
    told = {"number": len(pictures), "checksum of names and sizes": zlib.crc32(sizes.encode())}
    weights = [picture.weight for picture in pictures]
    told_weights = " ".join(f"{weight:.6g}" for weight in weights)  # alike for shares in any unit
    shared = zlib.crc32(told_weights.encode()) if set(weights) - {1.0} else None
    return {"recipe": recipe.to_dict(), "seed": seed, _PICTURES: told, _SHARES: shared}


def write_checkpoint(
    path: str | os.PathLike[str], state: Mapping[str, Any], identity: Mapping[str, Any]
) -> None:
    """Write a state and the run that it is of; the file appears whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:  # torch refuses some names
        try:
            torch.save({**state, "format": CHECKPOINT_FORMAT, "identity": identity}, stream)
        except RuntimeError as error:  # what torch makes of a full disk
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def another_run(path: str | os.PathLike[str], difference: str) -> str:
    """Say that a checkpoint is not of the run that is asked for, and what to do."""
    return (
        f"{path} belongs to another run: {difference}; give it the same again, "
        "choose another output, delete it, or pass resume=False (--restart)"
    )


def read_checkpoint(
    path: str | os.PathLike[str], identity: Mapping[str, Any], device: torch.device
) -> dict[str, Any]:
    """Read a state.

    Parameters
    ----------
    path : path
    identity : dict
        Of the run that is to go on, from :func:`identify`.
    device : torch.device
        Where its tensors go.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        When the file is no checkpoint, or one of another run; the first difference is named.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        if state["format"] != CHECKPOINT_FORMAT:
            raise ValueError(f"format {state['format']}")
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint of this version ({error}); delete it") from error
    there = {**state["identity"], "recipe": _completed(state["identity"]["recipe"])}
    difference = _first_difference(there, identity)
    if difference.startswith(_PICTURES):
        difference = "it had other pictures"
    if difference.startswith(_SHARES):
        difference = "it had other shares"
    if difference:
        raise ValueError(another_run(path, difference))
    return state


def _completed(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add what an earlier version had no key for, with its default; what it had more differs anyhow."""
    try:
        return parse_recipe(recipe).to_dict()
    except ValueError:
        return recipe


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
