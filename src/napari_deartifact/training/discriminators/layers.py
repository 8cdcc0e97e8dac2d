"""What several discriminators are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from napari_deartifact.training.discriminators.base import NEGATIVE_SLOPE

INITIAL_DEVIATION = 0.02
CONTRAST_GAIN = 4.0


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


def attend_to_contrast(network: nn.Module, channels: int, *, conditional: bool) -> None:
    """Start the first layer on what restored pictures differ in.

    Artifacts are a few per cent of the brightness, and filters that respond to it carry little else: a
    sub-patch discriminator that started with them had not learnt anything after 80 steps.

    Parameters
    ----------
    network : Module
        Its first convolution is changed in place.
    channels : int
        Of the picture; a conditional network sees the degraded one's behind the candidate's.
    conditional : bool
    """
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    kernels = dict(first.named_parameters())
    kernel = kernels.get("parametrizations.weight.original", kernels.get("weight"))
    assert kernel is not None
    with torch.no_grad():
        started = kernel - kernel.mean(dim=(2, 3), keepdim=True)
        if conditional:
            half = len(started) // 2
            started[:half, :channels] = kernel[:half, :channels]
            started[:half, channels:] = -kernel[:half, :channels]
        kernel.copy_(CONTRAST_GAIN * started)


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
