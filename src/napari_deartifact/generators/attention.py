"""Every place of a picture looks at every other: the global part of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

BOTTLENECK = 8


class SelfAttention(nn.Module):
    """Adds to each place a mean over all places, weighted by how well they match.

    The weight of what it adds starts at zero, so that an untrained one returns its input.  Memory
    and work grow with the square of the number of places.

    Parameters
    ----------
    width : int
        Feature maps; queries and keys have an eighth of them.

    References
    ----------
    .. [1] H. Zhang, I. Goodfellow, D. Metaxas, A. Odena, "Self-Attention Generative Adversarial
       Networks", ICML 2019, :arxiv:`1805.08318`.

    Examples
    --------
    >>> features = torch.rand(2, 16, 5, 4)
    >>> torch.equal(SelfAttention(16)(features), features)
    True
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(width // BOTTLENECK, 1)
        self.query = _projection(width, narrow)
        self.key = _projection(width, narrow)
        self.value = _projection(width, width)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (N, `width`, Y, X) to the same shape."""
        # As one head: the fused kernels take only (N, heads, places, maps).
        query, key, value = (
            layer(features).flatten(2).transpose(1, 2).unsqueeze(1)
            for layer in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)
        return features + self.gain * seen.transpose(1, 2).reshape(features.shape)


def _projection(before: int, after: int) -> nn.Module:
    layer: nn.Module = spectral_norm(nn.Conv2d(before, after, 1, bias=False))
    return layer
