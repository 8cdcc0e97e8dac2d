"""What the Train widget knows of a recipe: read from its TOML, without torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import napari_deartifact

RECIPES = Path(napari_deartifact.__file__).parent / "training" / "recipes"
COMPARES_FEATURES = "feature"
"""The loss that needs a network of features, as `napari_deartifact.training.losses` names it."""


@dataclass(frozen=True)
class RecipeSummary:
    """What the widget shows of a recipe.

    Attributes
    ----------
    name : str
        Of its file, without the suffix.
    source : str or Path
        What `napari_deartifact.training.train` takes: the name of a recipe that ships, or a file.
    description : str
    architecture : str
        Of the generator.
    arguments : dict
        Of the generator, as far as the recipe names them.
    needs_features : bool
        Whether any phase compares features.
    features : str
        The network of features that the recipe names, or "".
    init : str
        The model that the recipe fine-tunes, or "".
    """

    name: str
    source: str | Path
    description: str = ""
    architecture: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs_features: bool = False
    features: str = ""
    init: str = ""

    def can_start_from(self, architecture: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether a model's weights fit the recipe's generator."""
        return architecture == self.architecture and _agrees(self.arguments, arguments)


def _agrees(stated: Any, whole: Any) -> bool:
    """Whether arguments are what is stated of them; what is not stated may be anything."""
    if isinstance(stated, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _agrees(value, whole[key]) for key, value in stated.items())
    return bool(stated == whole)


def read_summaries() -> list[RecipeSummary]:
    """Read the recipes that come with the package.

    Examples
    --------
    >>> [recipe.architecture for recipe in read_summaries() if recipe.name == "general"]
    ['residual-unet']
    """
    paths = sorted(RECIPES.glob("*.toml"), key=lambda path: path.stem)
    return [_read(path, path.stem) for path in paths]


def read_own_recipe(path: str | Path) -> RecipeSummary:
    """Check a recipe of the user's own, which loads torch, and read it.

    Parameters
    ----------
    path : path
        A TOML file.

    Returns
    -------
    RecipeSummary

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, or a key or value in it is not allowed.
    """
    from napari_deartifact.training.recipe import read_recipe

    path = Path(path).absolute()
    read_recipe(path)
    return _read(path, path)


def _read(path: Path, source: str | Path) -> RecipeSummary:
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    generator = entries.get("generator", {})
    return RecipeSummary(
        path.stem,
        source,
        entries.get("description", ""),
        generator.get("architecture", ""),
        generator.get("arguments", {}),
        any(COMPARES_FEATURES in phase.get("losses", {}) for phase in entries.get("phases", ())),
        entries.get("features", {}).get("network", ""),
        entries.get("init", ""),
    )
