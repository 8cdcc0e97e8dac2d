"""Fifteen residual blocks at half size: the generator of Galteri et al."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from napari_deartifact.generators.base import Generator

NEGATIVE_SLOPE = 0.2
# The paper starts from an untrained network without normalisation; smaller branches keep 15 of them apart.
BRANCH_GAIN = 0.1


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside an identity, a LeakyReLU after each.

    Parameters
    ----------
    width : int
        Feature maps.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)
        with torch.no_grad():
            self.second.weight *= BRANCH_GAIN

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (N, `width`, Y, X) to the same shape."""
        change: Tensor = self.activation(self.second(self.activation(self.first(features))))
        return features + change


class ResidualGenerator(Generator):
    """A convolution of stride 2, residual blocks, nearest-neighbour upsampling, tanh.

    It makes the picture itself, not what to add to it.  All borders are continued by repetition.

    Parameters
    ----------
    channels : int
        3 for RGB or YCbCr, 1 for luma.
    width : int
        Feature maps of all layers.
    blocks : int
        Residual blocks.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep Generative Adversarial Compression
       Artifact Removal", ICCV 2017, :arxiv:`1704.02518`.

    Examples
    --------
    >>> network = ResidualGenerator()
    >>> network.parameter_count, network.size_multiple, network.receptive_radius
    (1148291, 2, 66)
    """

    architecture: ClassVar[str] = "residual"

    def __init__(self, channels: int = 3, width: int = 64, blocks: int = 15) -> None:
        super().__init__()
        self.channels = channels
        self.width = width
        self.size_multiple = 2
        # At half size each convolution reaches 2 pixels; at full size the first and the last two reach 1.
        self.receptive_radius = 2 * (2 * blocks) + 1 + 2 + 3
        self.head = _convolution(channels, width, stride=2)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.smooth = _convolution(width, width)
        self.tail = _convolution(width, channels)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"channels": self.channels, "width": self.width, "blocks": len(self.blocks)}

    def forward(self, image: Tensor) -> Tensor:
        features = self.blocks(self.activation(self.head(2 * image - 1)))
        features = self.activation(self.smooth(self.enlarge(features)))
        return self.to_image(self.tail, features)


def _convolution(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 3, stride=stride, padding=1, padding_mode="replicate")
    nn.init.kaiming_normal_(layer.weight, a=NEGATIVE_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
