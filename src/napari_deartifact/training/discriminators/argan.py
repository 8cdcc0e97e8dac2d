"""ARGAN's discriminator: does a picture come from the world, or from the generator?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.discriminators.layers import (
    INITIAL_DEVIATION,
    check_widths,
    strided_convolutions,
)

WINDOW = 4


class ArganDiscriminator(Discriminator):
    """Strided convolutions with BatchNorm, and a last one over the 4×4 places that they leave of 64×64.

    It sees the candidate alone.  The logit of a patch larger than the paper's 64×64 pixels is the mean
    over its windows.

    Parameters
    ----------
    channels : int
        3 for RGB, 1 for luma, which is all that the paper restores.
    widths : sequence of int
        Feature maps after each step down.

    Notes
    -----
    The paper tells that the layers are convolutions with BatchNorm and LeakyReLU, and that the output
    is one number; its table of their sizes is not in the text.  These are the generator's widths.

    References
    ----------
    .. [1] Y. Zhao, K. Wang et al., "ARGAN", EURASIP Journal on Image and Video Processing, 2019.

    Examples
    --------
    >>> import torch
    >>> network, patches = ArganDiscriminator(channels=1), torch.rand(2, 1, 64, 64)
    >>> network(patches, patches).shape, network.minimum_size
    (torch.Size([2, 1]), 64)
    """

    architecture: ClassVar[str] = "argan"

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.channels = channels
        self.widths = check_widths(widths)
        self.minimum_size = WINDOW * 2 ** len(self.widths)
        self.layers = strided_convolutions(self.input_channels, self.widths)
        self.tail = nn.Conv2d(self.widths[-1], 1, WINDOW)
        nn.init.normal_(self.tail.weight, std=INITIAL_DEVIATION)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"channels": self.channels, "widths": list(self.widths)}

    def judge(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.tail(self.layers(pictures)).mean(dim=(2, 3))
        return logits
