"""How sure to be: log odds that were fitted once, on pictures of known history.

``python benchmarks/estimation.py FOLDER… --fit`` prints the constants of the lattice, and without ``--fit``
how well all odds hold.  They are those of a mix of histories, with one half of the weight on originals.
"""

from __future__ import annotations

import math

import numpy as np

from napari_deartifact.jpeg.trace_network import log_odds
from napari_deartifact.jpeg.traces import Traces

_LATTICE = (-2.454, 1.4)
"""Constant, and weight of the log of the lattice's nats."""
_LEAST_SUPPORT = 100
"""Coefficients without which the absence of a lattice says nothing."""
_MOST_CONTRAST, _MOST_HALVED_CONTRAST = 14.0, 8.0
"""Contrasts beyond which a grid says nothing more."""
_PLAIN_CONTRAST, _PROBABLE_BY_CONTRAST = 12.0, 0.92
"""A grid that 1 to 4 % of the originals trained on show, and 10 to 46 % of what was compressed and moved,
tells by itself, whatever speaks against it."""
_MOST_FLATNESS = 0.6
"""Share of equal neighbours beyond which a picture is too flat to tell."""


def lattice_features(margin: float) -> tuple[float, ...]:
    """Return what `_LATTICE` weighs: the nats by which the best grid wins."""
    return (1.0, math.log1p(max(margin, 0.0)))


def trace_features(traces: Traces) -> dict[str, float]:
    """Return what is weighed beside the positions, by name."""
    return {
        "grid": min(traces.grid, _MOST_CONTRAST),
        "halved_grid": min(max(traces.halved_grid, 0.0), _MOST_HALVED_CONTRAST),
        "quiet_noise": traces.quiet_noise,
        "noise": traces.noise,
        "fineness": traces.fineness,
        "flatness": min(traces.flatness, _MOST_FLATNESS),
    }


def tells_enough(traces: Traces, support: int) -> bool:
    """Whether the absence of traces says something: there are details, and coefficients of them."""
    return support >= _LEAST_SUPPORT and traces.flatness <= _MOST_FLATNESS


def probability_of_jpeg(margin: float) -> float:
    """Return the probability of a JPEG on the grid that wins by so many nats."""
    return _logistic(
        sum(weight * value for weight, value in zip(_LATTICE, lattice_features(margin), strict=True))
    )


def probability_of_compression(traces: Traces) -> float:
    """Return the probability that a picture without a lattice was ever compressed by a lossy codec."""
    probability = _logistic(log_odds(traces.positions, np.array(list(trace_features(traces).values()))))
    return max(probability, _PROBABLE_BY_CONTRAST) if traces.grid > _PLAIN_CONTRAST else probability


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))
