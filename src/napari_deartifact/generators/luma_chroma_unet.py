"""Luma first, then chroma in its light: two U-Nets, of which grey needs only the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from napari_deartifact.generators.base import Generator
from napari_deartifact.generators.general_unet import CorrectionUNet
from napari_deartifact.jpeg.color import LUMA_WEIGHTS
from napari_deartifact.jpeg.dct import luma

CHROMA_CELL = 4
"""Pixels along an edge that the chroma net takes as one: a JPEG keeps little of chroma below that."""
MIDDLE = 0.5
"""Taken off luma: beside chroma, which lies around 0, it would drive most units of a new net to one side."""
RED, GREEN, BLUE = LUMA_WEIGHTS
CR_TO_RED, CB_TO_BLUE = 2 * (1 - RED), 2 * (1 - BLUE)

Shape = Mapping[str, Any]


class LumaChromaUNet(Generator):
    """Restores Y as a picture of its own, and Cb and Cr by what the restored Y shows.

    JPEG codes the three apart and chroma far more coarsely, so that its errors are large, smooth and
    bounded by edges that luma still has.  Pictures of one channel are restored by the first net alone.

    Parameters
    ----------
    luma, chroma : mapping
        ``widths`` and ``blocks`` of each, as of
        :class:`~napari_deartifact.generators.general_unet.CorrectionUNet`.

    Examples
    --------
    >>> network = LumaChromaUNet()
    >>> network.parameter_count, network.size_multiple, network.receptive_radius
    (1071940, 16, 130)
    >>> network(torch.zeros(1, 1, 16, 16)).shape, network(torch.zeros(1, 3, 16, 16)).shape
    (torch.Size([1, 1, 16, 16]), torch.Size([1, 3, 16, 16]))
    """

    architecture: ClassVar[str] = "luma-chroma-unet"

    def __init__(self, luma: Shape | None = None, chroma: Shape | None = None) -> None:
        super().__init__()
        luma = luma or {"widths": (32, 64, 96), "blocks": (1, 1, 2)}
        chroma = chroma or {"widths": (48, 96), "blocks": (1, 2)}
        self.luma = CorrectionUNet(**luma, inputs=1, outputs=1)
        self.chroma = CorrectionUNet(**chroma, inputs=3, outputs=2, cell=CHROMA_CELL)
        self.size_multiple = max(self.luma.size_multiple, self.chroma.size_multiple)
        self.grey_radius = self.luma.receptive_radius
        self.receptive_radius = self.grey_radius + self.chroma.receptive_radius

    @property
    def arguments(self) -> dict[str, Any]:
        nets = {"luma": self.luma, "chroma": self.chroma}
        return {name: {"widths": list(net.widths), "blocks": list(net.blocks)} for name, net in nets.items()}

    def forward(self, image: Tensor) -> Tensor:
        """Restore a batch of shape (N, 1, Y, X) or (N, 3, Y, X)."""
        if image.shape[1] == 1:
            grey: Tensor = image + self.luma(image)
            return grey
        y = luma(image)
        cb, cr = (image[:, 2:] - y) / CB_TO_BLUE, (image[:, :1] - y) / CR_TO_RED
        change = self.luma(y).to(image.dtype)
        # What chroma needs of luma is what luma is: it does not bend it to its needs.
        chroma = self.chroma(torch.cat([y + change.detach() - MIDDLE, cb, cr], dim=1)).to(image.dtype)
        blue, red = CB_TO_BLUE * chroma[:, :1], CR_TO_RED * chroma[:, 1:]
        green = -(RED * red + BLUE * blue) / GREEN
        restored: Tensor = image + change + torch.cat([red, green, blue], dim=1)
        return restored
