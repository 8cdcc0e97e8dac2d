"""The NoGAN critic: spectral norm, dropout and self-attention, and a logit for every window."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from napari_deartifact.generators.attention import SelfAttention
from napari_deartifact.training.discriminators.base import NEGATIVE_SLOPE, Discriminator

WINDOW = 4


class NoGanCritic(Discriminator):
    """Blocks of a 3×3 convolution and a 4×4 one of stride 2, which doubles the feature maps.

    All convolutions are divided by their largest singular value.  It sees the candidate alone, and has
    a logit for every window of 4×4 places of its last features.

    Parameters
    ----------
    channels : int
        3 for RGB, 1 for luma.
    width : int
        Feature maps of the first layer.  The published 256 make 95 million parameters; an eighth of
        them does for small patches.
    blocks : int
        Doublings after it.
    dropout : float
        Share of feature maps that are left out in training; half of it after the first layer.
    attention : bool
        Whether all places look at each other after the first block.

    References
    ----------
    .. [1] J. Antic, "DeOldify", 2019, on which "Artifact removal GAN" is based: what NoGAN training is,
       and its critic.
    .. [2] T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for Generative
       Adversarial Networks", ICLR 2018, :arxiv:`1802.05957`.

    Examples
    --------
    >>> import torch
    >>> network, patches = NoGanCritic(width=8), torch.rand(2, 3, 64, 80)
    >>> network(patches, patches).shape, network.minimum_size
    (torch.Size([2, 1, 1, 2]), 64)
    """

    architecture: ClassVar[str] = "nogan-critic"

    def __init__(
        self,
        channels: int = 3,
        width: int = 256,
        blocks: int = 3,
        dropout: float = 0.15,
        attention: bool = True,
    ) -> None:
        super().__init__()
        if blocks < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f"blocks is {blocks} and dropout {dropout}; expected at least 1 block, and a share below 1"
            )
        self.channels = channels
        self.width = width
        self.blocks = blocks
        self.dropout = dropout
        self.attention = attention
        self.minimum_size = WINDOW * 2 ** (blocks + 1)
        steps = [_convolution(self.input_channels, width, 4, 2), nn.Dropout2d(dropout / 2)]
        for block in range(blocks):
            before = width * 2**block
            steps += [_convolution(before, before, 3), nn.Dropout2d(dropout)]
            steps.append(_convolution(before, 2 * before, 4, 2))
            if attention and block == 0:
                steps.append(SelfAttention(2 * before))
        last = width * 2**blocks
        steps.append(_convolution(last, last, 3))
        self.layers = nn.Sequential(*steps)
        self.tail: nn.Module = spectral_norm(nn.Conv2d(last, 1, WINDOW, bias=False))

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "width": self.width,
            "blocks": self.blocks,
            "dropout": self.dropout,
            "attention": self.attention,
        }

    def judge(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.tail(self.layers(pictures))
        return logits


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(before, after, size, stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=NEGATIVE_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    # Normalised last, as its first estimate of the singular value is of the weights it finds.
    return nn.Sequential(spectral_norm(layer), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))
