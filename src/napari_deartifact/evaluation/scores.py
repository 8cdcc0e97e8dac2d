"""How near pictures are to their originals, and what else was measured of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.metrics import psnr, psnr_b, ssim

_SSIM_WINDOW = 11
_BLOCK = 8


class Measure(Protocol):
    """What is measured beside PSNR, PSNR-B and SSIM, by whatever means."""

    @property
    def key(self) -> str:
        """What its figures are called, in tables and in JSON."""
        ...

    @property
    def name(self) -> str:
        """What measures; it is told beside the figures."""
        ...

    @property
    def needs_original(self) -> bool:
        """Whether it compares with the original, or judges a picture alone, originals too."""
        ...

    def __call__(self, original: NDArray[np.uint8], picture: NDArray[np.uint8], /) -> float:
        """Measure a picture of shape (Y, X) or (Y, X, 3): NaN where it cannot tell."""
        ...


def names_of(measures: Sequence[Measure]) -> dict[str, str]:
    """Return what measures, by key.

    Raises
    ------
    ValueError
        When two of them have the same key.
    """
    names = {measure.key: measure.name for measure in measures}
    if len(names) < len(measures):
        keys = ", ".join(measure.key for measure in measures)
        raise ValueError(f"the measures are {keys}; expected a key of its own for each")
    return names


@dataclass(frozen=True)
class Scores:
    """How near a picture is to its original: `psnr` and `psnr_b` in dB, `ssim` up to 1.

    And `others`, what further measures say, by their keys.
    """

    psnr: float
    psnr_b: float
    ssim: float
    others: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        original: NDArray[np.uint8],
        picture: NDArray[np.uint8],
        *,
        cut: tuple[int, int] = (0, 0),
        measures: Sequence[Measure] = (),
    ) -> Scores:
        """Compare two 8-bit pictures; SSIM is NaN where its window does not fit in.

        `cut` says how many rows and columns the block grid has lost at the top and the left.
        PSNR-B, which looks at block borders, then starts at the first whole block.
        """
        y, x = (-lost % _BLOCK for lost in cut)
        similarity = ssim(original, picture) if min(original.shape[:2]) >= _SSIM_WINDOW else math.nan
        return cls(
            psnr(original, picture),
            psnr_b(original[y:, x:], picture[y:, x:]),
            similarity,
            {measure.key: measure(original, picture) for measure in measures},
        )

    @classmethod
    def mean(cls, scores: Sequence[Scores]) -> Scores:
        """Average over pictures, as published tables do; NaN is left out."""
        return cls(
            _mean([score.psnr for score in scores]),
            _mean([score.psnr_b for score in scores]),
            _mean([score.ssim for score in scores]),
            mean_of([score.others for score in scores]),
        )


def gain(before: float, after: float) -> float:
    """Subtract decibels; equal ones, infinite or not, differ by nothing.

    Examples
    --------
    >>> gain(30.0, 31.5), gain(math.inf, math.inf), gain(math.inf, 50.0)
    (1.5, 0.0, -inf)
    """
    return 0.0 if before == after else after - before


def mean_of(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average figures of several pictures by their keys; NaN is left out.

    Examples
    --------
    >>> mean_of([{"niqe": 3.0}, {"niqe": math.nan}, {"niqe": 5.0}])
    {'niqe': 4.0}
    """
    keys = dict.fromkeys(key for figure in figures for key in figure)
    return {key: _mean([figure[key] for figure in figures if key in figure]) for key in keys}


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return math.fsum(kept) / len(kept) if kept else math.nan
