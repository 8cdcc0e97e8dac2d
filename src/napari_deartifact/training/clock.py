"""How far a run is: in steps or in time, and in which of its phases."""

from __future__ import annotations

from typing import Any

from napari_deartifact.training.ranks import Ranks
from napari_deartifact.training.recipe import Recipe


class Clock:
    """Counts a run's steps and seconds.

    The run's length is counted in steps, in minutes, or in both; the share that is done is then the
    larger of the two shares.

    Parameters
    ----------
    recipe : Recipe
        Its phases part the run in proportion to their steps.
    steps : int, optional
        Length of the run; the recipe's own when neither this nor `minutes` is given.
    minutes : float, optional
        Length of the run in wall time.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Wall time spent.

    Raises
    ------
    ValueError
        For a length that is not above 0.

    Examples
    --------
    >>> from napari_deartifact.training.recipe import read_recipe
    >>> clock = Clock(read_recipe("compact-cnn"), steps=100)
    >>> clock.step = 40
    >>> clock.fraction, clock.locate()
    (0.4, (1, 0.5555555555555556))
    """

    def __init__(self, recipe: Recipe, *, steps: int | None = None, minutes: float | None = None) -> None:
        for name, value in (("steps", steps), ("minutes", minutes)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}; expected more than 0")
        self._phases = [phase.steps for phase in recipe.phases]
        self._total_steps = recipe.steps if steps is None and minutes is None else steps
        self._total_seconds = None if minutes is None else 60 * minutes
        self._skipped = 0.0
        self.step = 0
        self.seconds = 0.0

    @property
    def fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        by_steps = self.step / self._total_steps if self._total_steps else 0.0
        by_time = self.seconds / self._total_seconds if self._total_seconds else 0.0
        return min(max(by_steps, by_time) + self._skipped, 1.0)

    def locate(self) -> tuple[int, float]:
        """Return the phase, and how much of it is done, 0 to 1."""
        done = self.fraction * sum(self._phases)
        for index, steps in enumerate(self._phases[:-1]):
            # A phase that was cut short ends within rounding.
            if done < steps * (1 - 1e-9):
                return index, done / steps
            done = max(done - steps, 0.0)
        return len(self._phases) - 1, min(done / self._phases[-1], 1.0)

    def skip_to_end_of(self, phase: int) -> None:
        """Leave out what is left of a phase."""
        end = sum(self._phases[: phase + 1]) / sum(self._phases)
        self._skipped += max(end - self.fraction, 0.0)

    def agree(self, ranks: Ranks, stopping: bool) -> bool:
        """Set the clocks of processes that train together alike, and return whether any is to stop."""
        self.seconds, self._skipped, any_stopping = ranks.largest(
            self.seconds, self._skipped, float(stopping)
        )
        return bool(any_stopping)

    def state_dict(self) -> dict[str, Any]:
        """What going on needs."""
        return {"step": self.step, "seconds": self.seconds, "skipped": self._skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step, self.seconds, self._skipped = state["step"], state["seconds"], state["skipped"]
