"""How near pictures are to their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.metrics import psnr, psnr_b, ssim

_SSIM_WINDOW = 11
_BLOCK = 8


class PictureDistance(Protocol):
    """How far two pictures are apart to a viewer, by whatever measure."""

    @property
    def name(self) -> str:
        """What measures; it is told beside the figures."""
        ...

    def __call__(self, original: NDArray[np.uint8], picture: NDArray[np.uint8], /) -> float:
        """Compare pictures of shape (Y, X) or (Y, X, 3): 0 for equal ones, NaN where it cannot tell."""
        ...


@dataclass(frozen=True)
class Scores:
    """How near a picture is to its original: `psnr` and `psnr_b` in dB, `ssim` up to 1.

    And `perceptual`, from 0 for equal pictures, where a :class:`PictureDistance` was given.
    """

    psnr: float
    psnr_b: float
    ssim: float
    perceptual: float | None = None

    @classmethod
    def of(
        cls,
        original: NDArray[np.uint8],
        picture: NDArray[np.uint8],
        *,
        cut: tuple[int, int] = (0, 0),
        distance: PictureDistance | None = None,
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
            None if distance is None else distance(original, picture),
        )

    @classmethod
    def mean(cls, scores: Sequence[Scores]) -> Scores:
        """Average over pictures, as published tables do; NaN is left out."""
        distances = [score.perceptual for score in scores if score.perceptual is not None]
        return cls(
            _mean([score.psnr for score in scores]),
            _mean([score.psnr_b for score in scores]),
            _mean([score.ssim for score in scores]),
            _mean(distances) if distances else None,
        )


def gain(before: float, after: float) -> float:
    """Subtract decibels; equal ones, infinite or not, differ by nothing.

    Examples
    --------
    >>> gain(30.0, 31.5), gain(math.inf, math.inf), gain(math.inf, 50.0)
    (1.5, 0.0, -inf)
    """
    return 0.0 if before == after else after - before


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return math.fsum(kept) / len(kept) if kept else math.nan
