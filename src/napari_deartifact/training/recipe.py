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
from napari_deartifact.training.losses import LOSSES
from napari_deartifact.training.schema import RecipeError, check_choice, check_range, convert

RECIPES = Path(__file__).parent / "recipes"
OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("auto", "float32", "bfloat16")


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
class OptimizerRecipe:
    """The optimiser.

    Attributes
    ----------
    name : {"adam", "adamw"}
    betas : tuple of (float, float)
    weight_decay : float
    """

    name: str = "adamw"
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_choice("phases.optimizer.name", self.name, OPTIMIZERS)
        if len(self.betas) != 2:
            raise RecipeError(f"phases.optimizer.betas is {list(self.betas)}; expected two numbers")
        for beta in self.betas:
            check_range("phases.optimizer.betas", beta, 0, 1)
        check_range("phases.optimizer.weight_decay", self.weight_decay, 0)


@dataclass(frozen=True)
class ScheduleRecipe:
    """The learning rate over a phase.

    Attributes
    ----------
    name : {"constant", "cosine"}
        Cosine falls to `floor` at the phase's end.
    warmup : int
        Steps over which the rate rises from zero.
    floor : float
        Final learning rate as a share of the full one.
    """

    name: str = "cosine"
    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_choice("phases.schedule.name", self.name, SCHEDULES)
        check_range("phases.schedule.warmup", self.warmup, 0)
        check_range("phases.schedule.floor", self.floor, 0, 1)


@dataclass(frozen=True)
class PhaseRecipe:
    """A stretch of the training with one set of losses and one optimiser.

    Attributes
    ----------
    steps : int
        Optimiser steps; when a run is given another total, phases keep their shares of it.
    losses : mapping of str to float
        Weight of each loss.
    learning_rate : float
    optimizer : OptimizerRecipe
    schedule : ScheduleRecipe
    ema_decay : float
        Of the running mean of the weights that is saved as the model; 0 saves the weights.
    gradient_clip : float
        Largest norm of the gradient; 0 does not clip.
    precision : {"auto", "float32", "bfloat16"}
        Auto takes bfloat16 where the processor computes in it.
    """

    steps: int
    losses: Mapping[str, float]
    learning_rate: float = 1e-3
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    ema_decay: float = 0.999
    gradient_clip: float = 0.0
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_range("phases.steps", self.steps, 0, open_low=True)
        if not self.losses:
            raise RecipeError(f"phases.losses is empty; expected weights for any of {', '.join(LOSSES)}")
        for name, weight in self.losses.items():
            check_choice("phases.losses", name, LOSSES)
            check_range(f"phases.losses.{name}", weight, 0, open_low=True)
        check_range("phases.learning_rate", self.learning_rate, 0, open_low=True)
        check_range("phases.ema_decay", self.ema_decay, 0, 1)
        check_range("phases.gradient_clip", self.gradient_clip, 0)
        check_choice("phases.precision", self.precision, PRECISIONS)


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

    def __post_init__(self) -> None:
        if not self.phases:
            raise RecipeError("phases is empty; a recipe needs at least one [[phases]]")

    @property
    def steps(self) -> int:
        """Optimiser steps over all phases."""
        return sum(phase.steps for phase in self.phases)

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
