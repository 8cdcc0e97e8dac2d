"""A recipe is data: what to train, on what, how; read from TOML and refused if anything is off."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_deartifact.degradation import CODECS, SUBSAMPLINGS, DegradationSampler
from napari_deartifact.generators import ARCHITECTURES
from napari_deartifact.messages import nearest_name
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
class QualityRange:
    """Qualities that are drawn with equal chance.

    Attributes
    ----------
    low, high : int
        First and last quality, 1 to 100.
    weight : float
        Of this range among the others.
    """

    low: int
    high: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_range("data.qualities.low", self.low, 1, 100)
        check_range("data.qualities.high", self.high, self.low, 100)
        check_range("data.qualities.weight", self.weight, 0, open_low=True)


@dataclass(frozen=True)
class CodecRange:
    """Qualities of a codec that are drawn with equal chance.

    Attributes
    ----------
    name : str
        A key of `napari_deartifact.degradation.CODECS`.
    low, high : int
        First and last quality, in the codec's own range.
    weight : float
        Of this range among the others, JPEG's included.
    """

    name: str
    low: int
    high: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_choice("data.codecs.name", self.name, CODECS)
        codec = CODECS[self.name]
        check_range("data.codecs.low", self.low, codec.lowest, codec.highest)
        check_range("data.codecs.high", self.high, self.low, codec.highest)
        check_range("data.codecs.weight", self.weight, 0, open_low=True)


@dataclass(frozen=True)
class DataRecipe:
    """The pairs.

    Attributes
    ----------
    patch_size : int
        Height and width of a patch in pixels, a multiple of 16.
    batch_size : int
        Patches a step.
    qualities : tuple of QualityRange
        Of JPEG; may be empty when there are `codecs`.
    subsamplings : tuple of str
        Drawn with equal chance for colour patches.
    double_fraction, clean_fraction : float
        As in `napari_deartifact.degradation.DegradationSampler`.
    grey_fraction : float
        Share of the patches that are made grey and, for an RGB network, repeated.
    studio_fraction : float
        Share of the grey patches that are squeezed into 16 to 235.
    random_phase : bool
        Whether the block grid may start anywhere.
    validation_fraction : float
        Share of the files that are kept for validation.
    codecs : tuple of CodecRange
        What else degrades pictures, beside JPEG.
    """

    patch_size: int = 96
    batch_size: int = 16
    qualities: tuple[QualityRange, ...] = (QualityRange(5, 95),)
    subsamplings: tuple[str, ...] = ("4:2:0",)
    double_fraction: float = 0.0
    clean_fraction: float = 0.0
    grey_fraction: float = 0.0
    studio_fraction: float = 0.0
    random_phase: bool = True
    validation_fraction: float = 0.05
    codecs: tuple[CodecRange, ...] = ()

    def __post_init__(self) -> None:
        check_range("data.patch_size", self.patch_size, 0, open_low=True)
        if self.patch_size % 16:
            raise RecipeError(f"data.patch_size is {self.patch_size}; expected a multiple of 16")
        check_range("data.batch_size", self.batch_size, 0, open_low=True)
        if not (self.qualities or self.codecs) or not self.subsamplings:
            raise RecipeError("data.qualities or data.subsamplings is empty; give at least one entry")
        for name in self.subsamplings:
            check_choice("data.subsamplings", name, SUBSAMPLINGS)
        for key in ("double_fraction", "clean_fraction", "grey_fraction", "studio_fraction"):
            check_range(f"data.{key}", getattr(self, key), 0, 1)
        check_range("data.validation_fraction", self.validation_fraction, 0, 0.5)

    @property
    def sampler(self) -> DegradationSampler:
        """What draws the degradations."""
        return DegradationSampler(
            qualities=tuple((entry.low, entry.high, entry.weight) for entry in self.qualities),
            subsamplings=self.subsamplings,
            double_fraction=self.double_fraction,
            clean_fraction=self.clean_fraction,
            random_phase=self.random_phase,
            codecs=tuple((entry.name, entry.low, entry.high, entry.weight) for entry in self.codecs),
        )


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
