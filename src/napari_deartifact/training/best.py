"""The best weights of a phase, by a measurement of what was kept back, and when it has seen enough."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

from napari_deartifact.training.phase_recipe import PhaseRecipe


class Best:
    """Remembers the networks at their best.

    Parameters
    ----------
    phase : PhaseRecipe
        With the measure to go by, if any, and the patience.
    networks : mapping of str to Module
    """

    def __init__(self, phase: PhaseRecipe, networks: Mapping[str, nn.Module]) -> None:
        self._phase = phase
        self._networks = networks
        self._value: float | None = None
        self._states: dict[str, Any] = {}
        self._worse = 0

    def see(self, measured: Mapping[str, float]) -> bool:
        """Look at a measurement of the networks as they are.

        Returns
        -------
        bool
            Whether the phase should end.

        Raises
        ------
        ValueError
            When the measurement lacks the measure that the phase goes by.
        """
        measure = self._phase.keep_best
        if not measure:
            return False
        if measure not in measured:
            raise ValueError(
                f"phases.keep_best is {measure!r}, but measured were {', '.join(measured) or 'no pictures'}; "
                "keep files for validation, and give features for perceptual measures"
            )
        if self._value is None or measured[measure] > self._value:
            self._value, self._worse = measured[measure], 0
            self._states = {
                name: copy.deepcopy(network.state_dict()) for name, network in self._networks.items()
            }
            return False
        self._worse += 1
        return bool(self._phase.patience) and self._worse >= self._phase.patience

    def take_back(self) -> None:
        """Give the networks the weights that measured best, if any did."""
        for name, state in self._states.items():
            self._networks[name].load_state_dict(state)

    def state_dict(self) -> dict[str, Any]:
        """What going on needs."""
        return {"value": self._value, "worse": self._worse, "states": self._states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._value, self._worse, self._states = state["value"], state["worse"], state["states"]
