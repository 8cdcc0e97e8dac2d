"""What several discriminators are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from napari_deartifact.training.discriminators.base import NEGATIVE_SLOPE

INITIAL_DEVIATION = 0.02


def plain_convolution(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return an unpadded convolution and LeakyReLU, without normalisation."""
    layer = nn.Conv2d(before, after, size, stride)
    nn.init.kaiming_normal_(layer.weight, a=NEGATIVE_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(layer, nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))


def strided_convolutions(channels: int, widths: Sequence[int]) -> nn.Sequential:
    """Return 4×4 convolutions of stride 2, with BatchNorm but for the first, and LeakyReLU.

    References
    ----------
    .. [1] A. Radford, L. Metz, S. Chintala, "Unsupervised representation learning with deep
       convolutional generative adversarial networks", ICLR 2016, :arxiv:`1511.06434`: the first layer
       is not normalised, and weights start from a normal distribution of deviation 0.02.
    """
    steps: list[nn.Module] = []
    for before, after in pairwise((channels, *widths)):
        first = not steps
        layer = nn.Conv2d(before, after, 4, 2, 1, bias=first)
        nn.init.normal_(layer.weight, std=INITIAL_DEVIATION)
        steps += [layer] if first else [layer, nn.BatchNorm2d(after)]
        steps.append(nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))
    return nn.Sequential(*steps)


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Return widths as a tuple.

    Raises
    ------
    ValueError
        When there is none, or one that is not positive.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"widths is {list(widths)}; expected at least one layer, each of 1 map or more")
    return tuple(widths)
