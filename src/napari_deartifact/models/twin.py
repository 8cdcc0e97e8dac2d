"""From faithful to perceptual: a model, its perceptual twin in the file beside it, and what lies between."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deartifact.messages import check_fraction
from napari_deartifact.models.interpolation import check_alike, interpolated
from napari_deartifact.models.model_file import ModelCard, faithful_file, read_card, twin_file
from napari_deartifact.models.registry import find_model, list_models

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator
    from napari_deartifact.models.restorer import Restorer


def find_twin(model: str | os.PathLike[str], perceptual: float = 1.0) -> Path:
    """Return the file of a model's perceptual twin, ``NAME-perceptual.safetensors`` beside its own.

    Parameters
    ----------
    model : str or path
    perceptual : float
        For messages: the share that was asked for.

    Raises
    ------
    ValueError
        When it has none, or one of another architecture, or one that is no model file; also for an
        unknown name.
    FileNotFoundError
        For a path where there is no file.
    """
    path, faithful = find_model(model), faithful_model(model)
    if path is not None and twin_file(path).is_file():
        check_alike(path, twin_file(path))
        return twin_file(path)
    if faithful is not None:
        advice = (
            f": it is that of {Path(faithful).stem!r}; name model {faithful!r} with perceptual={perceptual:g}"
        )
    else:
        names = [summary.name for summary in list_models() if summary.twin]
        lack = "it has no weights" if path is None else f"there is no file {twin_file(path).name} beside it"
        advice = (
            f"; models that have one: {', '.join(names) or 'none'}; with perceptual=0 none is needed ({lack})"
        )
    raise ValueError(f"model {str(model)!r} has no perceptual twin{advice}")


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
    find_twin(model, perceptual)


def share_of(model: str | os.PathLike[str] | Restorer, perceptual: float = 0.0) -> float:
    """Say how far an answer goes towards a perceptual twin, however the model was named.

    Parameters
    ----------
    model : str, path or restorer
    perceptual : float
        As it was asked for beside the model.

    Returns
    -------
    float
        0 is faithful; 1 also for the twin under its own name.

    Raises
    ------
    ValueError
        For an unknown name.
    FileNotFoundError
        For a path where there is no file.

    Examples
    --------
    >>> share_of("general"), share_of("general", 0.5), share_of("general-perceptual")
    (0.0, 0.5, 1.0)
    """
    if faithful_model(model) is not None:
        return 1.0
    return float(perceptual or getattr(model, "perceptual", 0.0))


def faithful_model(model: str | os.PathLike[str] | Restorer) -> str | None:
    """Return how to name the model of which this one is the perceptual twin; None where it is none.

    Raises
    ------
    ValueError
        For an unknown name.
    FileNotFoundError
        For a path where there is no file.

    Examples
    --------
    >>> faithful_model("general-perceptual")
    'general'
    """
    path = find_model(model) if isinstance(model, str | os.PathLike) else getattr(model, "path", None)
    faithful = None if path is None else faithful_file(path)
    if path is None or faithful is None:
        return None
    by_path = isinstance(model, str | os.PathLike) and str(model) != path.stem
    return str(faithful) if by_path else faithful.stem


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


def check_faithful(model: str | os.PathLike[str] | Restorer, perceptual: float) -> None:
    """Refuse a model whose answers may hold invented detail, of which no standard error is known.

    Raises
    ------
    ValueError
        Also for a `perceptual` that is no number from 0 to 1, and an unknown model.
    FileNotFoundError
        For a model file that is not there.
    """
    check_fraction("perceptual", perceptual)
    if share_of(model, perceptual) > 0:
        faithful = faithful_model(model)
        instead = (
            "the model without its perceptual twin (perceptual=0)" if faithful is None else repr(faithful)
        )
        raise ValueError(
            "the standard errors were learnt from faithful answers and do not hold for perceptual ones; "
            f"leave the standard error out, or use {instead}"
        )
