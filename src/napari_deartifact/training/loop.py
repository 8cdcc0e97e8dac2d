"""The loop is a generator of step records; it knows phases, turns and losses, and no model by name."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from napari_deartifact.generators.base import Generator
from napari_deartifact.jpeg.ycbcr import luma
from napari_deartifact.training.best import Best
from napari_deartifact.training.chance import seeded_rng
from napari_deartifact.training.checkpoint import identify, read_checkpoint, write_checkpoint
from napari_deartifact.training.clock import Clock
from napari_deartifact.training.compiling import compile_network
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.features import FeatureNetwork
from napari_deartifact.training.objective import Objective, judgement
from napari_deartifact.training.optimization import memory_format, move_average, settle, use_bfloat16
from napari_deartifact.training.pairs import PairSource
from napari_deartifact.training.phase_check import check_phase
from napari_deartifact.training.player import Player, frozen_names
from napari_deartifact.training.ranks import Ranks
from napari_deartifact.training.recipe import Recipe
from napari_deartifact.training.step_record import StepRecord, TrainingDivergedError
from napari_deartifact.training.validation import Crops, validate


class Trainer:
    """A network on its way through a recipe.

    Phases and learning rates follow the share of the run that is done, so a run that is limited by time
    still ends its schedule.

    Parameters
    ----------
    recipe : Recipe
    generator : Generator
        Trained in place.
    pairs : PairSource or DevicePairSource
    discriminator : Discriminator, optional
        Trained in place; needed by recipes with a ``[discriminator]``.
    features : FeatureNetwork, optional
        Needed by losses that compare features.
    steps : int, optional
        Length of the run; the recipe's own when neither this nor `minutes` is given.
    minutes : float, optional
        Length of the run in wall time.
    device : torch.device
    compiled : bool
        As of :func:`napari_deartifact.training.train`.
    ranks : Ranks
        The processes that train together.

    Attributes
    ----------
    average : Generator
        The running mean of the weights: the model.
    clock : Clock
        How far the run is.
    compiled : bool
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: Generator,
        pairs: PairSource | DevicePairSource,
        *,
        discriminator: Discriminator | None = None,
        features: FeatureNetwork | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        device: torch.device | None = None,
        compiled: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        self.recipe = recipe
        self.pairs = pairs
        self.clock = Clock(recipe, steps=steps, minutes=minutes)
        self.device = device or torch.device("cpu")
        self.ranks = ranks or Ranks()
        self.memory_format = memory_format(generator, self.device)
        self.generator = generator.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        self.discriminator = None if discriminator is None else discriminator.to(self.device)
        self.features = None if features is None else features.to(self.device)
        self.compiled = compiled
        self._behind = False
        self._stopping = False
        self._networks = {"generator": self.generator, "average": self.average}
        if self.discriminator is not None:
            self._networks["discriminator"] = self.discriminator
        self._players: dict[str, Player] = {}
        for phase in recipe.phases:
            check_phase(phase, recipe.data.patch_size, self.generator, self.discriminator, self.features)
        self._enter_phase(0)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.clock.step

    @property
    def seconds(self) -> float:
        """Wall time spent in :meth:`steps`."""
        return self.clock.seconds

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        return self.clock.fraction

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
            while not self._ends():
                degraded, clean = next(batches)
                index, local = self.clock.locate()
                if index != self.phase_index:
                    self._leave_phase()
                    self._enter_phase(index)
                player = self._whose_turn()
                rate = self._players[player].set_rate(local, self.step - self.phase_start)
                loss, parts = self.descend(degraded, clean)
                self.clock.step += 1
                # What the caller did since the last step, such as measuring, is part of the time.
                now = time.monotonic()
                self.clock.seconds += now - before
                before = now
                yield StepRecord(self.step, index, self.fraction, loss, rate, self.seconds, player, parts)
        finally:
            batches.close()  # type: ignore[attr-defined]
        if self.fraction >= 1:
            self._leave_phase()

    def stop(self) -> None:
        """End :meth:`steps` before its next step, in all processes that train together."""
        self._stopping = True

    def validate(self, crops: Crops) -> dict[str, float]:
        """Measure the averaged weights: see `napari_deartifact.training.validation.validate`."""
        return validate(self.restore, crops, self.features)

    def judge(self, validation: dict[str, float]) -> None:
        """Remember the weights if a measurement of them is the phase's best, and end a phase that got worse.

        Parameters
        ----------
        validation : dict of str to float
            What :meth:`validate` returned for the weights as they are.

        Raises
        ------
        ValueError
            When it lacks the measure that the phase goes by.
        """
        if self._best.see(validation):
            self.clock.skip_to_end_of(self.phase_index)

    def save_checkpoint(self, path: str | os.PathLike[str], origin: Mapping[str, Any] | None = None) -> None:
        """Write everything that the run needs to go on exactly as if it had not stopped, and its `origin`."""
        state = {
            "origin": dict(origin or {}),
            "clock": self.clock.state_dict(),
            "phase": self.phase_index,
            "phase_start": self.phase_start,
            "behind": self._behind,
            "best": self._best.state_dict(),
            # All networks: one that has no part in this phase may have learnt in an earlier one.
            "networks": {name: network.state_dict() for name, network in self._networks.items()},
            "optimizers": {name: player.optimizer.state_dict() for name, player in self._players.items()},
        }
        write_checkpoint(path, state, identify(self.recipe, self.pairs.seed, self.pairs.pictures))

    def load_checkpoint(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Go on from a checkpoint.

        Returns
        -------
        dict
            The origin that it was saved with.

        Raises
        ------
        ValueError
            When the file is no checkpoint, or one of another recipe, seed or set of pictures.
        """
        state = read_checkpoint(
            path, identify(self.recipe, self.pairs.seed, self.pairs.pictures), self.device
        )
        self._enter_phase(state["phase"])
        self.clock.load_state_dict(state["clock"])
        self.phase_start, self._behind = state["phase_start"], state["behind"]
        self._best.load_state_dict(state["best"])
        for name, network in self._networks.items():
            network.load_state_dict(state["networks"][name])
        for name, player in self._players.items():
            player.optimizer.load_state_dict(state["optimizers"][name])
        return dict(state.get("origin", {}))

    def descend(self, degraded: Tensor, clean: Tensor) -> tuple[float, dict[str, float]]:
        """Take one optimiser step, of the network whose turn it is.

        Parameters
        ----------
        degraded, clean : Tensor of uint8, shape (N, C, Y, X)

        Returns
        -------
        loss : float
        parts : dict of str to float
        """
        name = self._whose_turn()
        player = self._players[name]
        for other, its in self._players.items():
            its.learn(other == name)
            its.train()
        source, target = self._to_float(degraded), self._to_float(clean)
        if self.phase.colors == "luma" and source.shape[1] == 3:
            source, target = luma(source), luma(target)
        step = self._generator_loss if name == "generator" else self._discriminator_loss
        with seeded_rng(self.pairs.seed, self.step, self.ranks.rank, self.device):
            loss, parts = step(source, target)
        norm = player.gradient_norm(loss)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise TrainingDivergedError(
                f"the loss of the {name} is {value} and the gradient's norm {norm} at step {self.step + 1}; "
                "the weights from before are kept; lower phases.learning_rate or set phases.gradient_clip"
            )
        if name == "generator":
            # These weights have just given a finite loss; those after the step have proved nothing yet.
            self._update_average()
            self._behind = True
        player.optimizer.step()
        return value, parts

    @torch.no_grad()
    def restore(self, degraded: Tensor) -> Tensor:
        """Restore a batch of uint8, shape (N, C, Y, X), by the averaged weights."""
        with self._autocast(degraded):
            restored: Tensor = self.average(self._to_float(degraded))
        return (restored.float() * 255).round().clamp(0, 255).to("cpu", torch.uint8)

    def _generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
        with self._autocast(source):
            restored = self._players["generator"].forward(source).float()
            return self.objective(restored, target, source)

    def _discriminator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
        assert self.recipe.discriminator is not None
        judge = self._players["discriminator"].forward
        with self._autocast(source):
            with torch.no_grad():
                restored = self.generator(source).float()
            return judgement(judge, target, restored, source, self.recipe.discriminator.label)

    def _ends(self) -> bool:
        """Bring the processes that train together to one time and to what the first one judged."""
        self._stopping = self.clock.agree(self.ranks, self._stopping)
        return self._stopping or self.fraction >= 1

    def _leave_phase(self) -> None:
        # Once for each step: a finished run that is asked to go on has nothing to add.
        if self._behind:
            self._update_average()
            self._behind = False
        self._best.take_back()

    def _enter_phase(self, index: int) -> None:
        """Make what the phase needs; players that share also take the first process's weights."""
        self.phase_index = index
        self.phase_start = self.step
        self.phase = phase = self.recipe.phases[index]
        self._best = Best(phase, {"generator": self.generator, "average": self.average})
        settle(self.generator, self.average, frozen_names(self.generator, phase.freeze))
        learner = Player(self.generator, phase, self.ranks, self.device, phase.freeze)
        if self.compiled:
            learner.forward = compile_network(learner.forward, self.device)
        self._players = {"generator": learner}
        if phase.needs_discriminator:
            assert self.discriminator is not None, "Recipe asks for one"
            self._players["discriminator"] = Player(self.discriminator, phase.critic, self.ranks, self.device)
        self.objective = Objective(
            phase.losses, self.features, self.discriminator, self.device, colors=phase.colors
        )
        self.bfloat16 = use_bfloat16(phase.precision, self.device)

    def _whose_turn(self) -> Literal["generator", "discriminator"]:
        return self.phase.player(self.step - self.phase_start)

    def _autocast(self, image: Tensor) -> torch.autocast:
        wanted = self.bfloat16 and not self.generator.is_narrow(image)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def _update_average(self) -> None:
        decay = min(self.phase.ema_decay, (1 + self.step) / (10 + self.step)) if self.phase.ema_decay else 0.0
        move_average(self.average, self.generator, decay)

    def _to_float(self, pixels: Tensor) -> Tensor:
        moved = pixels.to(self.device, memory_format=self.memory_format, non_blocking=True)
        return moved.float() / 255
