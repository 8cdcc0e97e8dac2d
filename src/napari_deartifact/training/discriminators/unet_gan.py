"""The discriminator of the U-Net GAN: a classifier of pairs, which strided convolutions make small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.discriminators.layers import check_widths, strided_convolutions


class UNetGanDiscriminator(Discriminator):
    """Strided convolutions with BatchNorm and LeakyReLU on a pair, and one logit from their mean.

    Parameters
    ----------
    channels : int
        3 for RGB, 1 for luma.
    widths : sequence of int
        Feature maps after each step down.

    Notes
    -----
    The source tells the kinds of layers and that one score comes out, not their number or widths.  The
    mean over places lets one network take its patches of 256 and of 512 pixels.

    References
    ----------
    .. [1] "Pixel Perfect: Using U-Net GANs to Remove JPEG Artifacts Better", 2020.

    Examples
    --------
    >>> import torch
    >>> patches = torch.rand(2, 3, 48, 32)
    >>> UNetGanDiscriminator(widths=[8, 16])(patches, patches).shape
    torch.Size([2, 1])
    """

    architecture: ClassVar[str] = "unet-gan"
    conditional: ClassVar[bool] = True

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.channels = channels
        self.widths = check_widths(widths)
        self.minimum_size = 2 ** len(self.widths)
        self.layers = strided_convolutions(self.input_channels, self.widths)
        self.tail = nn.Linear(self.widths[-1], 1)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"channels": self.channels, "widths": list(self.widths)}

    def judge(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.tail(self.layers(pictures).mean(dim=(2, 3)))
        return logits
