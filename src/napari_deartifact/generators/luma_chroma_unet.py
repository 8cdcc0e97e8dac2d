"""Luma first, then chroma in its light: two U-Nets, of which grey needs only the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from napari_deartifact.generators.base import Generator
from napari_deartifact.generators.general_unet import CorrectionUNet
from napari_deartifact.jpeg import ycbcr

CHROMA_CELL = 4
"""Pixels along an edge that the chroma net takes as one: a JPEG keeps little of chroma below that."""
MIDDLE = 0.5
"""Taken off luma: beside chroma, which lies around 0, it would drive most units of a new net to one side."""
Shape = Mapping[str, Any]
LUMA: Shape = {"widths": (32, 64, 96), "blocks": (1, 1, 2)}
CHROMA: Shape = {"widths": (48, 96), "blocks": (1, 2)}


class LumaChromaUNet(Generator):
    """Restores Y as a picture of its own, and Cb and Cr by what the restored Y shows.

    JPEG codes the three apart and chroma far more coarsely, so that its errors are large, smooth and
    bounded by edges that luma still has.  Pictures of one channel are restored by the first net alone.

    Parameters
    ----------
    luma, chroma : mapping
        ``widths``, ``blocks`` and ``activation`` of each, as of
        :class:`~napari_deartifact.generators.general_unet.CorrectionUNet`.

    Examples
    --------
    >>> network = LumaChromaUNet()
    >>> network.parameter_count, network.size_multiple, network.receptive_radius
    (1072612, 8, 130)
    >>> network(torch.zeros(1, 1, 8, 8)).shape, network(torch.zeros(1, 3, 8, 8)).shape
    (torch.Size([1, 1, 8, 8]), torch.Size([1, 3, 8, 8]))
    """

    architecture: ClassVar[str] = "luma-chroma-unet"

    def __init__(self, luma: Shape | None = None, chroma: Shape | None = None) -> None:
        super().__init__()
        luma = LUMA if luma is None else luma
        chroma = CHROMA if chroma is None else chroma
        for name, shape in (("luma", luma), ("chroma", chroma)):
            if unknown := set(shape) - {"widths", "blocks", "activation"}:
                raise TypeError(f"{name} has {min(unknown)!r}; expected widths, blocks and activation alone")
        self.luma = CorrectionUNet(**luma, inputs=1, outputs=1)
        self.chroma = CorrectionUNet(**chroma, inputs=3, outputs=2, cell=CHROMA_CELL)
        self.size_multiple = max(self.luma.size_multiple, self.chroma.size_multiple)
        self.grey_radius = self.luma.receptive_radius
        self.receptive_radius = self.grey_radius + self.chroma.receptive_radius

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            name: {"widths": list(net.widths), "blocks": list(net.blocks), "activation": net.activation}
            for name, net in (("luma", self.luma), ("chroma", self.chroma))
        }

    def forward(self, image: Tensor) -> Tensor:
        """Restore a batch of shape (N, 1, Y, X) or (N, 3, Y, X)."""
        if image.shape[1] == 1:
            grey: Tensor = image + self.luma(image)
            return grey
        luma = ycbcr.luma(image)
        change = self.luma(luma).to(image.dtype)
        # Detached: what chroma loses must not train luma.
        seen = torch.cat([luma + change.detach() - MIDDLE, ycbcr.chroma(image)], dim=1)
        restored: Tensor = image + ycbcr.joined(change, self.chroma(seen).to(image.dtype))
        return restored
