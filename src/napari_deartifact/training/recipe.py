"""A recipe is data: what to train, on what, how; read from TOML and refused if anything is off."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_deartifact.generators import ARCHITECTURES
from napari_deartifact.messages import nearest_name
from napari_deartifact.training.data_recipe import DataRecipe
from napari_deartifact.training.discriminators import DISCRIMINATORS
from napari_deartifact.training.losses import NEEDS_FEATURES
from napari_deartifact.training.phase_recipe import PhaseRecipe
from napari_deartifact.training.schema import RecipeError, check_choice, check_range, convert

RECIPES = Path(__file__).parent / "recipes"
NEW_WEIGHTS = "new"
"""Given as the model to start from: none, whatever the recipe names."""


@dataclass(frozen=True)
class GeneratorRecipe:
    """The network.

    Attributes
    ----------
    architecture : str
        A key of `napari_deartifact.generators.ARCHITECTURES`.
    arguments : mapping
        Keyword arguments of its class.
    """

    architecture: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("generator.architecture", self.architecture, ARCHITECTURES)


@dataclass(frozen=True)
class DiscriminatorRecipe:
    """The network that judges the generator's pictures.

    Attributes
    ----------
    architecture : str
        A key of `napari_deartifact.training.discriminators.DISCRIMINATORS`.
    arguments : mapping
        Keyword arguments of its class, but for `channels`, which are the generator's.
    label : float
        What it is to say of originals; below 1 is one-sided label smoothing.
    """

    architecture: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: float = 1.0

    def __post_init__(self) -> None:
        check_choice("discriminator.architecture", self.architecture, DISCRIMINATORS)
        check_range("discriminator.label", self.label, 0.5, 1)


@dataclass(frozen=True)
class FeaturesRecipe:
    """The network whose features are compared when the run names no other.

    Attributes
    ----------
    network : str
        As `napari_deartifact.training.features.load_features` takes it.
    layers : tuple of str
        Empty for the network's own.
    """

    network: str
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Everything that makes a model but the pictures, the time and the seed.

    Attributes
    ----------
    name, description : str
    generator : GeneratorRecipe
    data : DataRecipe
    phases : tuple of PhaseRecipe
        In their order.
    discriminator : DiscriminatorRecipe, optional
    features : FeaturesRecipe, optional
    init : str
        The model from which a run begins that names none, for recipes that fine-tune; empty for new weights.

    Examples
    --------
    >>> read_recipe("compact-cnn").generator.architecture
    'compact-cnn'
    """

    name: str
    generator: GeneratorRecipe
    phases: tuple[PhaseRecipe, ...]
    data: DataRecipe = field(default_factory=DataRecipe)
    description: str = ""
    discriminator: DiscriminatorRecipe | None = None
    features: FeaturesRecipe | None = None
    init: str = ""

    def __post_init__(self) -> None:
        if not self.phases:
            raise RecipeError("phases is empty; a recipe needs at least one [[phases]]")
        if self.discriminator is None and any(phase.needs_discriminator for phase in self.phases):
            raise RecipeError(
                "discriminator is missing; phases with turns of a discriminator or an adversarial loss "
                f"need a [discriminator] with an architecture: {', '.join(DISCRIMINATORS)}"
            )

    @property
    def needs_features(self) -> bool:
        """Whether any phase compares features."""
        return any(name in NEEDS_FEATURES for phase in self.phases for name in phase.losses)

    @property
    def steps(self) -> int:
        """Optimiser steps over all phases."""
        return sum(phase.steps for phase in self.phases)

    def start(
        self, init: str | os.PathLike[str] | None, *, other: bool = False
    ) -> str | os.PathLike[str] | None:
        """Return the model that a run begins from: the one asked for, the recipe's own, or none.

        Parameters
        ----------
        init : str or path, optional
            What is asked for; ``"new"`` for new weights whatever the recipe names.
        other : bool
            Whether the run begins from something else unless it is asked for a model.

        Examples
        --------
        >>> recipe = read_recipe("microscopy")
        >>> recipe.start(None), recipe.start("mine.safetensors"), recipe.start("new")
        ('general', 'mine.safetensors', None)
        """
        if init is None:
            return None if other else self.init or None
        return None if init == NEW_WEIGHTS else init

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)


def list_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(source: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    source : str or path
        The name of a recipe of this package, or a TOML file.

    Returns
    -------
    Recipe

    Raises
    ------
    FileNotFoundError
        When it is neither.
    RecipeError
        When the file is not TOML, or a key or value is not allowed.
    """
    path = RECIPES / f"{source}.toml" if str(source) in list_recipes() else Path(source)
    if not path.is_file():
        known = list_recipes()
        raise FileNotFoundError(
            f"no recipe named {str(source)!r} and no such file{nearest_name(str(source), known)}; "
            f"recipes: {', '.join(known)}"
        )
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    try:
        return parse_recipe(entries)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def parse_recipe(entries: Mapping[str, Any]) -> Recipe:
    """Check a recipe given as nested mappings, as TOML and JSON hold it.

    Raises
    ------
    RecipeError
        Naming the key, its value and what is allowed.
    """
    return convert(entries, Recipe)
