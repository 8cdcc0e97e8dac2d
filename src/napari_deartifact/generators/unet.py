"""The encoder and decoder of strided convolutions with BatchNorm that image translation began with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from napari_deartifact.generators.base import Generator

NEGATIVE_SLOPE = 0.2
INITIAL_DEVIATION = 0.02
Upsampling = Literal["transposed", "resize"]


class UNet(Generator):
    """Convolutions of stride 2 down, as many up, features of the way down beside those of the way up.

    It makes the picture itself, not what to add to it, by tanh.  The widths and sizes are those of ARGAN
    [1]_, whose picture is luma, ``channels=1``; ``kernel_sizes=(4, 4, 4, 4)`` are those of pix2pix [2]_,
    which the U-Net GAN [3]_ follows, in RGB and with either way of upsampling.

    Parameters
    ----------
    channels : int
        3 for RGB, 1 for luma.
    widths : sequence of int
        Feature maps after each step down.
    kernel_sizes : sequence of int
        3 or 4, of each step down, and of its counterpart on the way up.
    upsampling : {"transposed", "resize"}
        Transposed convolutions, or nearest-neighbour copies and a 3×3 convolution, which leave no
        checkerboard.

    References
    ----------
    .. [1] Y. Zhao, K. Wang et al., "ARGAN", EURASIP Journal on Image and Video Processing, 2019.  The
       paper does not print its layers; these are those of a public re-implementation.
    .. [2] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, "Image-to-Image Translation with Conditional
       Adversarial Networks", CVPR 2017, :arxiv:`1611.07004`.
    .. [3] "Pixel Perfect: Using U-Net GANs to Remove JPEG Artifacts Better", 2020: the kinds of layers.

    Examples
    --------
    >>> network = UNet()
    >>> network.parameter_count, network.size_multiple, network.receptive_radius
    (6168323, 16, 75)
    """

    architecture: ClassVar[str] = "unet"

    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (64, 128, 256, 512),
        kernel_sizes: Sequence[int] = (3, 4, 4, 4),
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        if len(widths) != len(kernel_sizes) or not widths:
            raise ValueError(
                f"widths has {len(widths)} levels and kernel_sizes {len(kernel_sizes)}; "
                "give as many, at least 1"
            )
        if not set(kernel_sizes) <= {3, 4} or upsampling not in ("transposed", "resize"):
            raise ValueError(
                f"kernel_sizes is {list(kernel_sizes)} and upsampling {upsampling!r}; "
                "expected sizes of 3 and 4, and 'transposed' or 'resize'"
            )
        self.channels = channels
        self.widths = tuple(widths)
        self.kernel_sizes = tuple(kernel_sizes)
        self.upsampling: Upsampling = upsampling
        self.size_multiple = 2 ** len(widths)
        self.receptive_radius = _receptive_radius(self.kernel_sizes, upsampling)
        self.down = nn.ModuleList(
            _Step(nn.Conv2d(before, after, size, 2, 1, bias=first), after, normalised=not first)
            for first, (before, after), size in zip(
                [True] + [False] * len(widths), pairwise((channels, *widths)), kernel_sizes, strict=False
            )
        )
        # What comes up is joined by what went down, but for the deepest level.
        inputs = [widths[-1], *(2 * width for width in widths[-2::-1])]
        outputs = [*widths[-2::-1], channels]
        steps = zip(inputs, outputs, kernel_sizes[::-1], strict=True)
        enlargements = [_enlargement(*step, upsampling, bias=step[1] == channels) for step in steps]
        self.up = nn.ModuleList(
            _Step(layer, after, leaky=False) for layer, after in zip(enlargements, outputs[:-1], strict=False)
        )
        self.tail = enlargements[-1]

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "widths": list(self.widths),
            "kernel_sizes": list(self.kernel_sizes),
            "upsampling": self.upsampling,
        }

    def forward(self, image: Tensor) -> Tensor:
        features = 2 * image - 1
        skips: list[Tensor] = []
        for step in self.down:
            features = step(features)
            skips.append(features)
        skips.pop()
        for step in self.up:
            features = torch.cat([step(features), skips.pop()], dim=1)
        return self.to_image(self.tail, features)


class _Step(nn.Module):
    """A convolution, BatchNorm, and LeakyReLU or ReLU."""

    def __init__(self, layer: nn.Module, width: int, *, normalised: bool = True, leaky: bool = True) -> None:
        super().__init__()
        self.layer = layer
        self.norm: nn.Module = nn.BatchNorm2d(width) if normalised else nn.Identity()
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True) if leaky else nn.ReLU(inplace=True)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=INITIAL_DEVIATION)

    def forward(self, features: Tensor) -> Tensor:
        answer: Tensor = self.activation(self.norm(self.layer(features)))
        return answer


def _enlargement(before: int, after: int, size: int, upsampling: Upsampling, *, bias: bool) -> nn.Module:
    if upsampling == "resize":
        copies = nn.Upsample(scale_factor=2, mode="nearest")
        return nn.Sequential(copies, nn.Conv2d(before, after, 3, padding=1, bias=bias))
    return nn.ConvTranspose2d(before, after, size, 2, 1, output_padding=4 - size, bias=bias)


def _receptive_radius(kernel_sizes: Sequence[int], upsampling: Upsampling) -> int:
    """Sum over the deepest path what each layer adds to either side, in pixels."""
    reach = 0
    for level in range(len(kernel_sizes)):
        cell = 2**level
        # Down, a kernel of 3 or 4 looks up to 2 fine cells beyond a coarse one; up, its answer lies
        # within one coarse cell, which is 2 fine ones.
        reach += 2 * cell + (3 if upsampling == "resize" else 2) * cell
    return reach + (1 << len(kernel_sizes)) - 1
