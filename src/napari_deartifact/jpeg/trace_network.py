"""From the traces in a picture to the log odds that a lossy codec has seen it: templates, and a few neurons.

``python tools/make_trace_network.py`` fits them to pictures of known history.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("trace_network.npz")

_TAMED = 2.0
"""Standard errors: of stronger signs the logarithm counts."""


def log_odds(positions: NDArray[np.float32], features: NDArray[np.float64]) -> float:
    """Weigh what a picture shows.

    Parameters
    ----------
    positions : ndarray of float32, shape (14, 8, 8)
        As :func:`~napari_deartifact.jpeg.positions.position_maps` returns them.
    features : ndarray, shape (6,)
        Traces of other kinds: see :func:`~napari_deartifact.jpeg.calibration.trace_features`.

    Returns
    -------
    float

    Notes
    -----
    Templates of 8×8 places are laid on the maps at all 64 shifts, as nobody knows where a lattice begins.
    """
    weights = _weights()
    fits = shifts(tamed(positions)) @ weights["templates"] + weights["template_bias"]
    best = fits.max(axis=0)
    pooled = np.log(np.exp(fits - best).sum(axis=0)) + best
    spread = np.sqrt(np.square(fits).mean(axis=0) + 1e-3)
    seen = np.concatenate([pooled, spread, (features - weights["mean"]) / weights["scale"]])
    hidden = np.maximum(seen @ weights["hidden"] + weights["hidden_bias"], 0)
    return float(hidden @ weights["last"] + weights["last_bias"])


def tamed(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep the few strong signs from drowning the many faint ones."""
    signed: NDArray[np.float32] = np.sign(positions) * np.log1p(np.abs(positions) / _TAMED)
    return signed


def shifts(maps: NDArray[Any]) -> NDArray[Any]:
    """Turn maps of shape (F, 8, 8) round by all 64 shifts, shape (64, F · 64)."""
    rows, columns = maps.shape[1:]
    turned = [
        np.roll(maps, (-down, -across), axis=(1, 2)) for down in range(rows) for across in range(columns)
    ]
    return np.stack(turned).reshape(rows * columns, -1)


@lru_cache(maxsize=1)
def _weights() -> dict[str, NDArray[np.float32]]:
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files if name != "card"}
