"""A network that learns: with its optimiser, its learning rate, and what of it stays as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_deartifact.training.optimization import build_optimizer, schedule
from napari_deartifact.training.phase_recipe import CriticRecipe, PhaseRecipe
from napari_deartifact.training.ranks import Ranks


class Player:
    """One of the networks of a phase.

    Parameters
    ----------
    network : Module
    recipe : PhaseRecipe or CriticRecipe
        Learning rate, optimiser, schedule, clip.
    ranks : Ranks
    device : torch.device
    freeze : sequence of str
        Beginnings of the names of parameters that do not learn.

    Attributes
    ----------
    forward : Module
        What to call when it learns; it may be replaced by a compiled one.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: PhaseRecipe | CriticRecipe,
        ranks: Ranks,
        device: torch.device,
        freeze: Sequence[str] = (),
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.frozen = frozen_names(network, freeze)
        unknown = [prefix for prefix in freeze if not any(_begins(name, [prefix]) for name in self.frozen)]
        if unknown:
            parts = sorted({name.split(".")[0] for name, _ in network.named_parameters()})
            raise ValueError(
                f"phases.freeze names {', '.join(unknown)}, and no parameter begins so; "
                f"the generator has {', '.join(parts)}"
            )
        self._still = [
            module for name, module in network.named_modules() if name and _begins(f"{name}.", freeze)
        ]
        self.learn(True)
        self.forward = ranks.share(network, device)
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if not learning:
            raise ValueError(f"phases.freeze is {', '.join(freeze)}, which leaves nothing to learn")
        self.optimizer = build_optimizer(recipe.optimizer, learning)

    def learn(self, wanted: bool) -> None:
        """Ask for gradients, or not, of all that is not frozen."""
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(wanted and name not in self.frozen)

    def train(self) -> None:
        """Let layers that differ in training do so, but for the frozen ones."""
        self.network.train()
        for module in self._still:
            module.eval()

    def set_rate(self, local: float, steps: int) -> float:
        """Set and return the learning rate at a share of the phase and after some steps in it."""
        rate = self.recipe.learning_rate * schedule(self.recipe.schedule, local, steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def gradient_norm(self, loss: Tensor) -> float:
        """Find the gradient, clip it, and return the norm that it had."""
        self.network.zero_grad(set_to_none=True)  # what is frozen may still hold those of another phase
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self.recipe.gradient_clip or math.inf
        return float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), limit))


def frozen_names(network: nn.Module, freeze: Sequence[str]) -> list[str]:
    """List the parameters whose names begin with one of some parts."""
    return [name for name, _ in network.named_parameters() if _begins(name, freeze)]


def _begins(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
