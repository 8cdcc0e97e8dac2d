"""What a recipe says of a phase: who learns, in turns, from which losses, how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from napari_deartifact.training.losses import LOSSES, NEEDS_DISCRIMINATOR
from napari_deartifact.training.schema import RecipeError, check_choice, check_range

OPTIMIZERS = ("adam", "adamw", "muon")
SCHEDULES = ("constant", "cosine", "one-cycle")
COLORS = ("all", "luma", "chroma")
PRECISIONS = ("auto", "float32", "bfloat16")
MOST_BETA = 0.9999999
"""A mean with a decay of 1 would never move."""
MEASURES = ("gain", "perceptual")
MEASURED_QUALITIES = (10, 20, 40, 75, 90)


@dataclass(frozen=True)
class OptimizerRecipe:
    """The optimiser.

    Attributes
    ----------
    name : {"adam", "adamw", "muon"}
        The last, :class:`~napari_deartifact.training.muon.Muon`, takes the learning rates of Adam, and learns
        faster.
    betas : tuple of (float, float)
    weight_decay : float
    """

    name: str = "adamw"
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_choice("optimizer.name", self.name, OPTIMIZERS)
        if len(self.betas) != 2:
            raise RecipeError(f"optimizer.betas is {list(self.betas)}; expected two numbers")
        for beta in self.betas:
            check_range("optimizer.betas", beta, 0, MOST_BETA)
        check_range("optimizer.weight_decay", self.weight_decay, 0)


@dataclass(frozen=True)
class ScheduleRecipe:
    """The learning rate over a phase.

    Attributes
    ----------
    name : {"constant", "cosine", "one-cycle"}
        Cosine falls to `floor` at the phase's end; one cycle rises from a twenty-fifth over the
        first three tenths and then falls likewise.
    warmup : int
        Steps over which the rate rises from zero.
    floor : float
        Final learning rate as a share of the full one.
    """

    name: str = "cosine"
    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_choice("schedule.name", self.name, SCHEDULES)
        check_range("schedule.warmup", self.warmup, 0)
        check_range("schedule.floor", self.floor, 0, 1)


@dataclass(frozen=True)
class CriticRecipe:
    """How the discriminator learns in a phase.

    Attributes
    ----------
    learning_rate : float
    optimizer : OptimizerRecipe
    schedule : ScheduleRecipe
    gradient_clip : float
        Largest norm of the gradient; 0 does not clip.
    """

    learning_rate: float = 1e-4
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=lambda: ScheduleRecipe("constant"))
    gradient_clip: float = 0.0

    def __post_init__(self) -> None:
        check_range("phases.critic.learning_rate", self.learning_rate, 0, open_low=True)
        check_range("phases.critic.gradient_clip", self.gradient_clip, 0)


@dataclass(frozen=True)
class TurnsRecipe:
    """Who takes how many steps before it is the other's turn; the discriminator begins.

    Attributes
    ----------
    discriminator, generator : int
    """

    discriminator: int = 0
    generator: int = 1

    def __post_init__(self) -> None:
        check_range("phases.turns.discriminator", self.discriminator, 0)
        check_range("phases.turns.generator", self.generator, 0)
        check_range("phases.turns", self.discriminator + self.generator, 0, open_low=True)


@dataclass(frozen=True)
class PhaseRecipe:
    """A stretch of the training with one set of losses and optimisers.

    Attributes
    ----------
    steps : int
        Optimiser steps, the discriminator's included; when a run is given another total, phases
        keep their shares of it.
    losses : mapping of str to float
        Weight of each of the generator's losses; empty only where it takes no turns.
    learning_rate : float
        Of the generator, as are the optimiser, the schedule and the clip.
    optimizer : OptimizerRecipe
    schedule : ScheduleRecipe
    ema_decay : float
        Of the running mean of the weights that is saved as the model; 0 saves the weights.
    gradient_clip : float
        Largest norm of the gradient; 0 does not clip.
    colors : {"all", "luma", "chroma"}
        What the losses compare: all colours; luma alone, which is then all that the networks see; or Cb and
        Cr alone.
    precision : {"auto", "float32", "bfloat16"}
        Auto takes bfloat16 where the processor computes in it.
    freeze : tuple of str
        Parts of the generator that stay as they are: beginnings of its parameters' names.
    turns : TurnsRecipe
    critic : CriticRecipe
    measure_every : int
        Steps between measurements; 0 leaves that to the run.
    keep_best : str
        The measure by which the best weights of the phase are kept and, at its end, taken back:
        ``gain_q20`` or ``perceptual_q20``, say.  Empty keeps the last ones.
    patience : int
        Measurements without a better one after which the phase ends; 0 never ends it early.
    """

    steps: int
    losses: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 1e-3
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    ema_decay: float = 0.999
    gradient_clip: float = 0.0
    colors: str = "all"
    precision: str = "auto"
    freeze: tuple[str, ...] = ()
    turns: TurnsRecipe = field(default_factory=TurnsRecipe)
    critic: CriticRecipe = field(default_factory=CriticRecipe)
    measure_every: int = 0
    keep_best: str = ""
    patience: int = 0

    def __post_init__(self) -> None:
        check_range("phases.steps", self.steps, 0, open_low=True)
        if not self.losses and self.turns.generator:
            raise RecipeError(f"phases.losses is empty; expected weights for any of {', '.join(LOSSES)}")
        for name, weight in self.losses.items():
            check_choice("phases.losses", name, LOSSES)
            check_range(f"phases.losses.{name}", weight, 0, open_low=True)
        check_range("phases.learning_rate", self.learning_rate, 0, open_low=True)
        check_range("phases.ema_decay", self.ema_decay, 0, 1)
        check_range("phases.gradient_clip", self.gradient_clip, 0)
        check_choice("phases.colors", self.colors, COLORS)
        check_choice("phases.precision", self.precision, PRECISIONS)
        check_range("phases.measure_every", self.measure_every, 0)
        if self.keep_best:
            known = [f"{measure}_q{quality}" for measure in MEASURES for quality in MEASURED_QUALITIES]
            check_choice("phases.keep_best", self.keep_best, known)
        check_range("phases.patience", self.patience, 0)
        if self.patience and not self.keep_best:
            raise RecipeError(f"phases.patience is {self.patience}; it needs phases.keep_best, the measure")

    @property
    def needs_discriminator(self) -> bool:
        """Whether a discriminator learns or judges here."""
        return self.turns.discriminator > 0 or any(name in NEEDS_DISCRIMINATOR for name in self.losses)

    def player(self, step: int) -> Literal["generator", "discriminator"]:
        """Whose turn it is at a step of the phase."""
        place = step % (self.turns.discriminator + self.turns.generator)
        return "discriminator" if place < self.turns.discriminator else "generator"
