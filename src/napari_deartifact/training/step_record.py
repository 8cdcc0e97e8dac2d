"""What the loop tells of each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


class TrainingDivergedError(ArithmeticError):
    """A loss or a gradient stopped being a number; the averaged weights before it are kept."""


@dataclass(frozen=True)
class StepRecord:
    """What one optimiser step did.

    Attributes
    ----------
    step : int
        Steps done, this one included.
    phase : int
        Index of the phase.
    fraction : float
        How much of the run is done, 0 to 1.
    loss, learning_rate : float
        Of the network that took the step.
    seconds : float
        Spent on this run so far, also before it was resumed.
    player : {"generator", "discriminator"}
        Which network that was.
    losses : dict of str to float
        The parts of the loss before they were weighted.
    validation : dict of str to float
        Empty, or what was measured after this step: see
        `napari_deartifact.training.validation.validate`.
    """

    step: int
    phase: int
    fraction: float
    loss: float
    learning_rate: float
    seconds: float
    player: Literal["generator", "discriminator"] = "generator"
    losses: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
