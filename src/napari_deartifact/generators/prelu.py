"""A PReLU that trains as fast as the rest of its network on CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PReLU(nn.PReLU):
    """PyTorch's, with the same weights and answers, and a gradient that takes less time on CPUs.

    PyTorch's kernel goes through the values one by one there, in bfloat16 above all; here each operation is
    one that works on many at once.

    Parameters
    ----------
    width : int
        Channels, each with a slope of its own below zero.
    slope : float
        What all of them begin with.

    Examples
    --------
    >>> layer = PReLU(2, 0.1)
    >>> layer(torch.tensor([[-1.0, 1.0]])).tolist()
    [[-0.10000000149011612, 1.0]]
    """

    def __init__(self, width: int, slope: float) -> None:
        super().__init__(width, slope)

    def forward(self, features: Tensor) -> Tensor:
        """Scale what is below zero, of features with channels at axis 1."""
        learns = torch.is_grad_enabled() and (features.requires_grad or self.weight.requires_grad)
        if learns and features.device.type == "cpu" and not torch.compiler.is_compiling():
            answer: Tensor = _Slopes.apply(features, self.weight)  # type: ignore[no-untyped-call]
            return answer
        return super().forward(features)


class _Slopes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(features, slopes)
        return torch.prelu(features, slopes.to(features.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        features, slopes = ctx.saved_tensors
        (gradient,) = gradients
        above = torch.ops.aten.threshold_backward(gradient, features, 0)
        below = gradient - above
        other_axes = [axis for axis in range(features.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(features.ndim)]
        return (
            torch.addcmul(above, below, slopes.to(gradient.dtype).view(shape)),
            (below * features).sum(other_axes).to(slopes.dtype),
        )
