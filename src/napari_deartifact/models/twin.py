"""From faithful to perceptual: a model, its perceptual twin in the file beside it, and what lies between."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deartifact.messages import check_fraction
from napari_deartifact.models.interpolation import check_alike, interpolated
from napari_deartifact.models.model_file import TWIN_MARK, ModelCard, read_card, twin_file
from napari_deartifact.models.registry import find_model, list_models

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator
    from napari_deartifact.models.restorer import Restorer


def find_twin(model: str | os.PathLike[str]) -> Path:
    """Return the file of a model's perceptual twin, ``NAME-perceptual.safetensors`` beside its own.

    Raises
    ------
    ValueError
        When it has none, or one of another architecture, or one that is no model file; also for an
        unknown name.
    FileNotFoundError
        For a path where there is no file.
    """
    path = find_model(model)
    lack = lack_of_twin(path)
    if path is None or lack is not None:
        raise ValueError(f"model {str(model)!r} has no perceptual twin: {lack}; {_advice(str(model), path)}")
    twin = twin_file(path)
    check_alike(path, twin)
    return twin


def lack_of_twin(path: Path | None) -> str | None:
    """Say why a model has no perceptual twin; None when it has one.

    Parameters
    ----------
    path : Path or None
        The model file of a network.

    Examples
    --------
    >>> lack_of_twin(None)
    'it has no weights'
    """
    if path is None:
        return "it has no weights"
    if twin_file(path).is_file():
        return None
    faithful = _faithful_file(path)
    return f"there is no file {twin_file(path)}" if faithful is None else f"it is that of {faithful.stem!r}"


def _advice(model: str, path: Path | None) -> str:
    faithful = None if path is None else _faithful_file(path)
    if faithful is not None:
        return f"name model {model.replace(faithful.stem + TWIN_MARK, faithful.stem)!r} with perceptual=1"
    names = [summary.name for summary in list_models() if summary.twin]
    return f"models that have one: {', '.join(names) or 'none'}; with perceptual=0 none is needed"


def check_perceptual(model: str | os.PathLike[str] | Restorer, perceptual: float) -> None:
    """Refuse what is no share of a model's perceptual twin, before any weights are read.

    Raises
    ------
    ValueError
        For what is no number from 0 to 1; above 0 also for a loaded model, and as :func:`find_twin`.
    FileNotFoundError
        As :func:`find_twin`.
    """
    check_fraction("perceptual", perceptual)
    if perceptual == 0:
        return
    if not isinstance(model, str | os.PathLike):
        raise ValueError(
            f"perceptual is {perceptual:g}, and model {model.name!r} is loaded already; give the number to "
            "load_model, or name the model instead"
        )
    find_twin(model)


def is_perceptual(model: str | os.PathLike[str] | Restorer) -> bool:
    """Say whether a model may invent detail: it is a perceptual twin, or has gone towards one."""
    path = find_model(model) if isinstance(model, str | os.PathLike) else getattr(model, "path", None)
    return getattr(model, "perceptual", 0) > 0 or (path is not None and _faithful_file(path) is not None)


def read_mixed(path: Path, perceptual: float) -> tuple[Generator, ModelCard]:
    """Read a model that has gone towards its perceptual twin.

    Parameters
    ----------
    path : Path
        Of the model; its twin lies beside it.
    perceptual : float
        0 is the model, 1 the twin.

    Returns
    -------
    generator : Generator
        As :func:`~napari_deartifact.models.interpolation.interpolated` says.
    card : ModelCard
        The twin's, under a name that tells the mixture.
    """
    generator, card = interpolated(path, twin_file(path), perceptual)
    return generator, replace(card, name=mixed_name(read_card(path).name, perceptual))


def mixed_name(name: str, perceptual: float) -> str:
    """Call a model by its name and by how far it has gone towards its twin.

    Examples
    --------
    >>> mixed_name("general", 0), mixed_name("general", 0.5)
    ('general', 'general, perceptual 0.5')
    """
    return f"{name}, perceptual {perceptual:g}" if perceptual > 0 else name


def _faithful_file(path: Path) -> Path | None:
    """Return the model of which a file is the perceptual twin; None where it is none."""
    if not path.stem.endswith(TWIN_MARK):
        return None
    faithful = path.with_name(path.stem.removesuffix(TWIN_MARK) + path.suffix)
    return faithful if faithful.is_file() else None
