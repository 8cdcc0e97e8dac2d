"""How far a restored batch is from the clean one: each loss under the name that a recipe gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]

CHARBONNIER_EPSILON = 1e-3
PSNR_FLOOR = 3e-5


def l1(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error."""
    return functional.l1_loss(restored, clean)


def l2(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error, which PSNR measures."""
    return functional.mse_loss(restored, clean)


def charbonnier(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error with a rounded corner, √(d² + ε²), ε = 0.001 of the range."""
    return torch.sqrt((restored - clean).square() + CHARBONNIER_EPSILON**2).mean()


def psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean over the batch of minus the PSNR in dB, levelling off towards 45 dB.

    Every picture counts by the ratio of its error before and after, so that high qualities and
    clean pictures weigh as much as low qualities.
    """
    error = (restored - clean).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(error + PSNR_FLOOR).mean()


LOSSES: Mapping[str, Loss] = {"l1": l1, "l2": l2, "charbonnier": charbonnier, "psnr": psnr}


def weighted_sum(restored: Tensor, clean: Tensor, weights: Mapping[str, float]) -> Tensor:
    """Add up losses.

    Parameters
    ----------
    restored, clean : Tensor, shape (N, C, Y, X)
        0 is black, 1 is white.
    weights : mapping of str to float
        Weight of each loss, by the names of `LOSSES`.

    Returns
    -------
    Tensor
        A scalar.

    Examples
    --------
    >>> black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    >>> float(weighted_sum(white, black, {"l1": 0.5, "l2": 2.0}))
    2.5
    """
    total = restored.new_zeros(())
    for name, weight in weights.items():
        total = total + weight * LOSSES[name](restored, clean)
    return total
