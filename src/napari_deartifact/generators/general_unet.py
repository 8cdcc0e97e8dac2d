"""A U-Net of plain residual blocks on cells of several pixels, where work is cheap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from napari_deartifact.generators.base import Generator
from napari_deartifact.generators.prelu import PReLU

CELL = 2
BRANCH_GAIN = 0.2
SLOPE = 0.1
"""Of a new PReLU."""
ACTIVATIONS = ("prelu", "relu")


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside an identity, without normalisation.

    Parameters
    ----------
    width : int
        Feature maps.
    activation : {"prelu", "relu"}
        Units of a ReLU may die and never learn again; of a PReLU each learns its own slope below zero.
    """

    CONVOLUTIONS = 2

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width, gain=BRANCH_GAIN)
        self.activation = PReLU(width, SLOPE) if activation == "prelu" else nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (N, `width`, Y, X) to the same shape."""
        change: Tensor = self.second(self.activation(self.first(features)))
        return features + change


class CorrectionUNet(nn.Module):
    """An encoder and a decoder whose levels are added; it finds what to add to some channels of a picture.

    All resampling works on aligned cells, so tiles that start on multiples of `size_multiple` give the
    whole picture's answer.

    Parameters
    ----------
    widths : sequence of int
        Feature maps at each level, from the finest down.
    blocks : sequence of int
        Residual blocks of each level; all but the last level have as many on the way up.
    inputs, outputs : int
        Channels that it sees, and that it corrects.
    cell : int
        Pixels along an edge that the finest level takes as one.
    activation : {"prelu", "relu"}
        As of :class:`ResidualBlock`.

    Attributes
    ----------
    size_multiple, receptive_radius : int
        As of a :class:`~napari_deartifact.generators.base.Generator`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        inputs: int,
        outputs: int,
        *,
        cell: int = CELL,
        activation: str = "prelu",
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or not widths:
            raise ValueError(
                f"widths has {len(widths)} levels and blocks {len(blocks)}; give as many, at least 1"
            )
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}; expected one of {', '.join(ACTIVATIONS)}")
        self.widths = tuple(widths)
        self.blocks = tuple(blocks)
        self.activation = activation
        self.size_multiple = cell * 2 ** (len(widths) - 1)
        self.receptive_radius = _receptive_radius(self.blocks, cell)
        self.unshuffle = nn.PixelUnshuffle(cell)
        self.shuffle = nn.PixelShuffle(cell)
        self.head = _convolution(inputs * cell**2, widths[0])
        self.tail = _convolution(widths[0], outputs * cell**2, gain=0.0)
        self.encoder = nn.ModuleList(
            _level(width, count, activation) for width, count in zip(widths, blocks, strict=True)
        )
        self.decoder = nn.ModuleList(
            _level(width, count, activation) for width, count in zip(widths[:-1], blocks[:-1], strict=True)
        )
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)

    def forward(self, image: Tensor) -> Tensor:
        """Map a batch of shape (N, `inputs`, Y, X) to corrections of shape (N, `outputs`, Y, X)."""
        features = self.head(self.unshuffle(image))
        skips: list[Tensor] = []
        for level, down in zip(self.encoder, self.down, strict=False):
            skips.append(level(features))
            features = down(skips[-1])
        features = self.encoder[-1](features)
        for level, up, skip in zip(reversed(self.decoder), reversed(self.up), reversed(skips), strict=True):
            features = level(up(features) + skip)
        change: Tensor = self.shuffle(self.tail(features))
        return change


class ResidualUNet(CorrectionUNet, Generator):
    """The picture with the correction of one U-Net added, which sees 2×2 pixels as one.

    Parameters
    ----------
    widths, blocks : sequence of int
        As of :class:`CorrectionUNet`.
    channels : int
        Channels of the picture.
    activation : {"prelu", "relu"}
        As of :class:`CorrectionUNet`; by default that of the files that do not state it.

    Examples
    --------
    >>> network = ResidualUNet()
    >>> network.parameter_count, network.size_multiple, network.receptive_radius
    (589612, 8, 67)
    """

    architecture: ClassVar[str] = "residual-unet"

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 96),
        blocks: Sequence[int] = (1, 1, 2),
        channels: int = 3,
        activation: str = "relu",
    ) -> None:
        super().__init__(widths, blocks, channels, channels, activation=activation)
        self.channels = channels

    @property
    def arguments(self) -> dict[str, Any]:
        arguments = {"widths": list(self.widths), "blocks": list(self.blocks), "channels": self.channels}
        # Files from before there was a choice do not state it, and their twins have to agree with them.
        return arguments if self.activation == "relu" else {**arguments, "activation": self.activation}

    def forward(self, image: Tensor) -> Tensor:
        return image + super().forward(image)


def _convolution(before: int, after: int, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight *= gain
    return layer


def _level(width: int, count: int, activation: str) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width, activation) for _ in range(count)))


def _receptive_radius(blocks: Sequence[int], cell: int) -> int:
    """Sum over the deepest path: each 3×3 convolution reaches one cell, and cells are aligned."""
    cells: list[int] = [cell * 2**level for level in range(len(blocks))]
    reach = 2 * cell + cells[-1] - 1
    for level, (edge, count) in enumerate(zip(cells, blocks, strict=True)):
        ways = 1 if level == len(blocks) - 1 else 2
        reach += ways * count * ResidualBlock.CONVOLUTIONS * edge
    return reach
