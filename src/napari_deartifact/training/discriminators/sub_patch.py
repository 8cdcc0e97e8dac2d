"""Galteri's discriminator: each 16×16 sub-patch, beside its compressed version, is judged for itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.discriminators.layers import plain_convolution

SUB_PATCH = 16
DOUBLINGS = (1, 1, 2, 2, 4, 4, 8)


class SubPatchDiscriminator(Discriminator):
    """Unpadded convolutions of stride 1 that shrink 16×16 pixels to one logit.

    A larger patch is cut into all its sub-patches, which do not overlap, and has a logit for each.

    Parameters
    ----------
    channels : int
        3 for RGB or YCbCr, 1 for luma.
    width : int
        Filters of the first two layers; they double every two layers.

    Notes
    -----
    Seven 3×3 convolutions leave 2×2 of 16×16 pixels, so the eighth and last is 2×2.  The number of
    filters is drawn in the paper's third figure but not told in its text; 64 are the generator's.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep Generative Adversarial Compression
       Artifact Removal", ICCV 2017, :arxiv:`1704.02518`, section 3.3.1.

    Examples
    --------
    >>> import torch
    >>> patches = torch.rand(2, 3, 64, 32)
    >>> SubPatchDiscriminator(width=4)(patches, patches).shape
    torch.Size([2, 1, 4, 2])
    """

    architecture: ClassVar[str] = "sub-patch"
    conditional: ClassVar[bool] = True

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.width = width
        self.minimum_size = self.size_multiple = SUB_PATCH
        widths = [width * factor for factor in DOUBLINGS]
        self.layers = nn.Sequential(
            *(plain_convolution(before, after) for before, after in pairwise((self.input_channels, *widths)))
        )
        self.tail = nn.Conv2d(widths[-1], 1, SUB_PATCH - 2 * len(widths))

    @property
    def arguments(self) -> dict[str, Any]:
        return {"channels": self.channels, "width": self.width}

    def judge(self, pictures: Tensor) -> Tensor:
        number, channels, height, width = pictures.shape
        rows, columns = height // SUB_PATCH, width // SUB_PATCH
        cut = pictures.reshape(number, channels, rows, SUB_PATCH, columns, SUB_PATCH)
        parts = cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, SUB_PATCH, SUB_PATCH)
        logits: Tensor = self.tail(self.layers(parts))
        return logits.reshape(number, 1, rows, columns)
