"""How near pictures are to their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.metrics import psnr, psnr_b, ssim

_SSIM_WINDOW = 11
_BLOCK = 8


@dataclass(frozen=True)
class Scores:
    """How near a picture is to its original: `psnr` and `psnr_b` in dB, `ssim` up to 1."""

    psnr: float
    psnr_b: float
    ssim: float

    @classmethod
    def of(
        cls, original: NDArray[np.uint8], picture: NDArray[np.uint8], *, cut: tuple[int, int] = (0, 0)
    ) -> Scores:
        """Compare two 8-bit pictures; SSIM is NaN where its window does not fit in.

        `cut` says how many rows and columns the block grid has lost at the top and the left.
        PSNR-B, which looks at block borders, then starts at the first whole block.
        """
        y, x = (-lost % _BLOCK for lost in cut)
        similarity = ssim(original, picture) if min(original.shape[:2]) >= _SSIM_WINDOW else math.nan
        return cls(psnr(original, picture), psnr_b(original[y:, x:], picture[y:, x:]), similarity)

    @classmethod
    def mean(cls, scores: Sequence[Scores]) -> Scores:
        """Average over pictures, as published tables do; NaN is left out."""
        columns = [[getattr(score, name) for score in scores] for name in ("psnr", "psnr_b", "ssim")]
        kept = [[value for value in column if not math.isnan(value)] for column in columns]
        return cls(*(math.fsum(column) / len(column) if column else math.nan for column in kept))


def gain(before: float, after: float) -> float:
    """Subtract decibels; equal ones, infinite or not, differ by nothing.

    Examples
    --------
    >>> gain(30.0, 31.5), gain(math.inf, math.inf), gain(math.inf, 50.0)
    (1.5, 0.0, -inf)
    """
    return 0.0 if before == after else after - before
