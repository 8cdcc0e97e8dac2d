"""What a training that goes on has told before: the curves that the table beside its model holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Point = tuple[float, float]
MOST_LOSSES = 300
"""Points of the loss; more are joined to their means."""


@dataclass(frozen=True)
class Past:
    """Curves by step.

    Attributes
    ----------
    loss : list of (step, loss)
        Of the generator, in the phase in hand: another phase may have other losses.
    gain : list of (step, gain in dB)
        Where it was measured, from the first phase on.
    """

    loss: list[Point]
    gain: list[Point]


def read_past(table: Path, step: int, phase: int) -> Past:
    """Read the curves of a run up to the step of its checkpoint.

    Parameters
    ----------
    table : Path
        The run's CSV; later lines, from before the program broke off, do not count.
    step : int
        Steps done.
    phase : int
        The phase in hand.
    """
    from napari_deartifact.training.reporting import table_rows

    rows = [row for row in table_rows(table) if 0 < int(row["step"]) <= step]
    losses = [
        (float(row["step"]), float(row["loss"]))
        for row in rows
        if (row["player"], row["phase"]) == ("generator", str(phase))
    ]
    gains = [(float(row["step"]), gain) for row in rows if (gain := mean_gain(_measured(row))) is not None]
    return Past(_thinned(losses), gains)


def _measured(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if name.startswith("gain_") and value}


def _thinned(points: list[Point]) -> list[Point]:
    if not points:
        return []
    parts = np.array_split(np.array(points), min(MOST_LOSSES, len(points)))
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]


def mean_gain(validation: Mapping[str, float]) -> float | None:
    """Return the mean of the gains over the JPEGs of all qualities, or None when none was measured.

    Examples
    --------
    >>> mean_gain({"gain_q10": 1.5, "gain_q40": 0.5, "clean_psnr": 50.0})
    1.0
    """
    gains = [value for name, value in validation.items() if name.startswith("gain_")]
    return sum(gains) / len(gains) if gains else None
