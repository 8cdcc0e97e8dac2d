"""The loop is a generator of step records; it knows phases, losses and schedules, and no model by name."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from napari_deartifact.generators.base import Generator
from napari_deartifact.training.checkpoint import read_checkpoint, write_checkpoint
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.losses import weighted_sum
from napari_deartifact.training.optimization import build_optimizer, memory_format, schedule, use_bfloat16
from napari_deartifact.training.pairs import PairSource
from napari_deartifact.training.recipe import PhaseRecipe, Recipe


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
    seconds : float
        Spent on this run so far, also before it was resumed.
    validation : dict of str to float
        Empty, or what :meth:`Trainer.validate` measured after this step.
    """

    step: int
    phase: int
    fraction: float
    loss: float
    learning_rate: float
    seconds: float
    validation: dict[str, float] = field(default_factory=dict)


class Trainer:
    """A network on its way through a recipe.

    The run's length is counted in steps, in minutes, or in both; the share that is done is then
    the larger of the two shares.  Phases and learning rates follow that share, so a run that is
    limited by time still ends its schedule.

    Parameters
    ----------
    recipe : Recipe
    generator : Generator
        Trained in place.
    pairs : PairSource or DevicePairSource
    steps : int, optional
        Length of the run; the recipe's own when neither this nor `minutes` is given.
    minutes : float, optional
        Length of the run in wall time.
    device : torch.device

    Attributes
    ----------
    average : Generator
        The running mean of the weights: the model.
    step : int
        Steps done.
    seconds : float
        Wall time spent in :meth:`steps`.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: Generator,
        pairs: PairSource | DevicePairSource,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        device: torch.device | None = None,
    ) -> None:
        for name, value in (("steps", steps), ("minutes", minutes)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}; expected more than 0")
        self.recipe = recipe
        self.pairs = pairs
        self.total_steps = recipe.steps if steps is None and minutes is None else steps
        self.total_seconds = None if minutes is None else 60 * minutes
        self.device = device or torch.device("cpu")
        self.memory_format = memory_format(generator, self.device)
        self.generator = generator.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        self.step = 0
        self.seconds = 0.0
        self._enter_phase(0)

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        by_steps = self.step / self.total_steps if self.total_steps else 0.0
        by_time = self.seconds / self.total_seconds if self.total_seconds else 0.0
        return min(max(by_steps, by_time), 1.0)

    def steps(self) -> Iterator[StepRecord]:
        """Train until the run is done; to stop earlier, stop iterating.

        Yields
        ------
        StepRecord
            After each optimiser step.

        Raises
        ------
        TrainingDivergedError
            When the loss or the gradient is not finite.
        """
        batches = self.pairs.batches(self.step)
        try:
            before = time.monotonic()
            while self.fraction < 1:
                degraded, clean = next(batches)
                index, local = self._locate(self.fraction)
                if index != self.phase_index:
                    self._enter_phase(index)
                learning_rate = self._set_learning_rate(local)
                loss = self.descend(degraded, clean)
                self.step += 1
                # What the caller did since the last step, such as measuring, is part of the time.
                now = time.monotonic()
                self.seconds += now - before
                before = now
                yield StepRecord(self.step, index, self.fraction, loss, learning_rate, self.seconds)
        finally:
            batches.close()  # type: ignore[attr-defined]
        self._update_average()

    def validate(self, pairs: Mapping[int | None, Sequence[tuple[Tensor, Tensor]]]) -> dict[str, float]:
        """Measure the averaged weights.

        Parameters
        ----------
        pairs : mapping of quality to list of (degraded, clean)
            As `napari_deartifact.training.data.validation_pairs` makes them; None for clean input.

        Returns
        -------
        dict of str to float
            Mean gain in PSNR over each JPEG as ``gain_q10`` …, in dB, after rounding to 8 bits,
            and ``clean_psnr``, the PSNR of restored clean pictures to themselves.
        """
        measured = {}
        for quality, group in pairs.items():
            if not group:
                continue
            values = []
            for degraded, clean in group:
                restored = self._restore(degraded)
                before = math.inf if quality is None else _psnr(degraded, clean)
                after = _psnr(restored, clean)
                values.append(after if quality is None else after - before)
            measured["clean_psnr" if quality is None else f"gain_q{quality}"] = sum(values) / len(values)
        return measured

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write everything that the run needs to go on exactly as if it had not stopped."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "phase": self.phase_index,
            "phase_start": self.phase_start,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        write_checkpoint(path, state, self.recipe.to_dict(), self.pairs.seed)

    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        ValueError
            When the file is no checkpoint, or one of another recipe or seed.
        """
        state = read_checkpoint(path, self.recipe.to_dict(), self.pairs.seed, self.device)
        self._enter_phase(state["phase"])
        self.step, self.seconds, self.phase_start = state["step"], state["seconds"], state["phase_start"]
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"].cpu())

    def _locate(self, fraction: float) -> tuple[int, float]:
        """Return the phase at a fraction of the run, and the fraction of that phase."""
        done = fraction * self.recipe.steps
        for index, phase in enumerate(self.recipe.phases):
            if done < phase.steps or index == len(self.recipe.phases) - 1:
                return index, min(done / phase.steps, 1.0)
            done -= phase.steps
        raise AssertionError("a recipe has at least one phase")

    def _enter_phase(self, index: int) -> None:
        self.phase_index = index
        self.phase_start = self.step
        self.phase: PhaseRecipe = self.recipe.phases[index]
        self.optimizer = build_optimizer(self.phase.optimizer, self.generator)
        self.bfloat16 = use_bfloat16(self.phase.precision, self.device)

    def _set_learning_rate(self, local: float) -> float:
        rate = self.phase.learning_rate * schedule(self.phase.schedule, local, self.step - self.phase_start)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def descend(self, degraded: Tensor, clean: Tensor) -> float:
        """Take one optimiser step on a batch of uint8, shape (N, C, Y, X), and return the loss."""
        self.generator.train()
        source, target = self._to_float(degraded), self._to_float(clean)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            restored = self.generator(source)
        loss = weighted_sum(restored.float(), target, self.phase.losses)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self.phase.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.generator.parameters(), limit)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise TrainingDivergedError(
                f"the loss is {value} and the gradient's norm {float(norm)} at step {self.step + 1}; the "
                "weights from before are kept; lower phases.learning_rate or set phases.gradient_clip"
            )
        # These weights have just given a finite loss; those after the step have proved nothing yet.
        self._update_average()
        self.optimizer.step()
        return value

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.phase.ema_decay, (1 + self.step) / (10 + self.step)) if self.phase.ema_decay else 0.0
        for mean, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)
        for copied, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            copied.copy_(buffer)

    @torch.no_grad()
    def _restore(self, degraded: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            restored: Tensor = self.average(self._to_float(degraded))
        return (restored.float() * 255).round().clamp(0, 255).to("cpu", torch.uint8)

    def _to_float(self, pixels: Tensor) -> Tensor:
        moved = pixels.to(self.device, memory_format=self.memory_format, non_blocking=True)
        return moved.float() / 255


def _psnr(first: Tensor, second: Tensor) -> float:
    error = float((first.double() - second.double()).square().mean())
    # A perfect answer counts as 100 dB, so that a mean over pictures exists.
    return min(10 * math.log10(255**2 / error), 100.0) if error else 100.0
