"""Muon, for networks of convolutions: every filter bank moves as far along each of its directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from napari_deartifact.devices import has_fast_bfloat16

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Takes singular values between 0 and 1 to about 1 when it is applied `ROUNDS` times."""
ROUNDS = 5
LIKE_ADAM = 0.2
"""Root mean square of a change by Adam, in learning rates: recipes keep theirs when the optimiser changes."""
SMALLEST = 1e-8
"""Added to what is divided by."""


class Muon(torch.optim.Optimizer):
    """Momentum whose change of each filter bank is made orthogonal; biases and slopes move by AdamW.

    A filter bank is taken as a matrix with one row for each index of its first axis.
    Adam scales every weight by itself, so that the few directions in which the gradient is large are nearly
    all that a bank learns at first; here all of its directions are as long.

    Parameters
    ----------
    parameters : iterable of Parameter
    betas : tuple of (float, float)
        Decay of the means of gradients and of squared gradients; only the first matters to filter banks.
    weight_decay : float
        Of filter banks, in learning rates a step; biases and slopes do not decay.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
           https://kellerjordan.github.io/posts/muon/.
    .. [2] J. Liu et al., "Muon is scalable for LLM training", 2025, :doi:`10.48550/arXiv.2502.16982`.

    Examples
    --------
    >>> layer = nn.Conv2d(3, 8, 3)
    >>> optimizer = Muon(layer.parameters(), (0.95, 0.999), 0.0)
    >>> images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> layer(images).sigmoid().square().mean().backward()
    >>> before = layer.weight.detach().clone()
    >>> for group in optimizer.param_groups:
    ...     group["lr"] = 0.01
    >>> optimizer.step()
    >>> change = (layer.weight.detach() - before).square().mean().sqrt()
    >>> round(float(change), 3)
    0.002
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float], weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": 0.0, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move = _move_bank if parameter.ndim > 1 else _move_vector
                    move(parameter, parameter.grad, self.state[parameter], group)


def _move_bank(bank: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state["mean"] = torch.zeros_like(bank)
    beta = group["betas"][0]
    state["mean"].lerp_(gradient, 1 - beta)
    ahead = gradient.lerp(state["mean"], beta)  # Nesterov's
    change = orthogonal(ahead.flatten(1))
    bank.mul_(1 - group["lr"] * group["weight_decay"])
    bank.sub_(change.view(bank.shape), alpha=group["lr"] * LIKE_ADAM * max(change.shape) ** 0.5)


def _move_vector(vector: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state |= {"step": 0, "mean": torch.zeros_like(vector), "square": torch.zeros_like(vector)}
    state["step"] += 1
    state["mean"].lerp_(gradient, 1 - group["betas"][0])
    state["square"].lerp_(gradient.square(), 1 - group["betas"][1])
    mean, square = (
        state[name] / (1 - beta ** state["step"])
        for name, beta in zip(("mean", "square"), group["betas"], strict=True)
    )
    vector.addcdiv_(mean, square.sqrt() + SMALLEST, value=-group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """Make the rows of a matrix, or its columns if these are fewer, about orthonormal.

    Parameters
    ----------
    matrix : Tensor, shape (M, N)

    Returns
    -------
    Tensor, same shape and dtype
        With the singular vectors of `matrix`, and singular values of 0.7 to 1.2; those that were below a few
        thousandths of its Frobenius norm come out smaller.

    Notes
    -----
    Computed in bfloat16 where the device multiplies that fast; the error is far below the spread of the
    singular values.

    Examples
    --------
    >>> matrix = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    >>> values = torch.linalg.svdvals(orthogonal(matrix))
    >>> bool(values.min() > 0.6), bool(values.max() < 1.3)
    (True, True)
    """
    tall = matrix.shape[0] > matrix.shape[1]
    precision = torch.bfloat16 if has_fast_bfloat16(str(matrix.device)) else torch.float32
    wide = (matrix.T if tall else matrix).to(precision)
    wide = wide / (wide.norm() + SMALLEST)
    first, third, fifth = QUINTIC
    for _ in range(ROUNDS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=third, alpha=fifth), wide, beta=first)
    answer: Tensor = wide.T if tall else wide
    return answer.to(matrix.dtype)
