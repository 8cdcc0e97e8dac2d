"""Crops of the files kept back, restored and measured against their JPEGs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.training.features import FeatureNetwork, perceptual_distance

Crops = Mapping[int | None, Sequence[tuple[Tensor, Tensor]]]
"""For each quality, None meaning clean: pairs of (degraded, clean), uint8, shape (1, C, Y, X)."""

PERFECT = 100.0
"""PSNR in dB that a perfect answer counts as, so that a mean over pictures exists."""


def validate(
    restore: Callable[[Tensor], Tensor], crops: Crops, features: FeatureNetwork | None = None
) -> dict[str, float]:
    """Measure a network on pairs.

    Parameters
    ----------
    restore : callable
        Gets and gives uint8, shape (1, C, Y, X).
    crops : mapping of quality to list of (degraded, clean)
        As `napari_deartifact.training.pairs.validation_pairs` makes them; None for clean input.
    features : FeatureNetwork, optional
        Also measure by its distance.

    Returns
    -------
    dict of str to float
        Mean gain in PSNR over each JPEG as ``gain_q10`` …, in dB, after rounding to 8 bits;
        with features, the share by which their distance fell as ``perceptual_q10`` …; and
        ``clean_psnr``, the PSNR of restored clean pictures to themselves.  More is better in all.
    """
    measured = {}
    for quality, pairs in crops.items():
        if not pairs:
            continue
        answers = [(degraded, restore(degraded), clean) for degraded, clean in pairs]
        after = [psnr(restored, clean) for _, restored, clean in answers]
        if quality is None:
            measured["clean_psnr"] = sum(after) / len(after)
            continue
        before = [psnr(degraded, clean) for degraded, _, clean in answers]
        measured[f"gain_q{quality}"] = (sum(after) - sum(before)) / len(after)
        if features is not None:
            first = sum(_distance(degraded, clean, features) for degraded, _, clean in answers)
            last = sum(_distance(restored, clean, features) for _, restored, clean in answers)
            measured[f"perceptual_q{quality}"] = 1 - last / first if first else 0.0
    return measured


def preview(
    restore: Callable[[Tensor], Tensor], pairs: Sequence[tuple[Tensor, Tensor]]
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]:
    """Restore a few pairs to look at.

    Returns
    -------
    list of (degraded, restored, clean) : ndarray of uint8, shape (Y, X, 3)
    """
    return [(_shown(degraded), _shown(restore(degraded)), _shown(clean)) for degraded, clean in pairs]


def psnr(first: Tensor, second: Tensor) -> float:
    """Return the PSNR of two batches of uint8 in dB, at most `PERFECT`."""
    error = float((first.double() - second.double()).square().mean())
    return min(10 * math.log10(255**2 / error), PERFECT) if error else PERFECT


@torch.no_grad()
def _distance(picture: Tensor, clean: Tensor, features: FeatureNetwork) -> float:
    place = next(features.parameters()).device
    return float(perceptual_distance(picture.to(place) / 255, clean.to(place) / 255, features).sum())


def _shown(picture: Tensor) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = picture[0].expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    return pixels
