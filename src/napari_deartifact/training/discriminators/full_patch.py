"""The sub-patch discriminator's counterpart, which judges a patch as a whole at the same cost a pixel."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.discriminators.layers import plain_convolution


class FullPatchDiscriminator(Discriminator):
    """Pairs of unpadded convolutions, the second of stride 2, and one logit for all that they see.

    Parameters
    ----------
    channels : int
        3 for RGB or YCbCr, 1 for luma.
    width : int
        Filters of the first two layers; they double every two layers.  The default makes it as
        much work as the sub-patch discriminator is with 64, on patches of 128×128 pixels.
    levels : int
        Pairs of layers.

    Notes
    -----
    Galteri et al. compare with a discriminator of the full patch, whose layers they do not tell.  The
    features of the last layer are averaged over their places, so patches of any size have one logit.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep Generative Adversarial Compression
       Artifact Removal", ICCV 2017, :arxiv:`1704.02518`, section 4.4.

    Examples
    --------
    >>> import torch
    >>> network, patches = FullPatchDiscriminator(width=4), torch.rand(2, 3, 64, 80)
    >>> network(patches, patches).shape, network.minimum_size
    (torch.Size([2, 1]), 61)
    """

    architecture: ClassVar[str] = "full-patch"
    conditional: ClassVar[bool] = True

    def __init__(self, channels: int = 3, width: int = 108, levels: int = 4) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels is {levels}; expected at least 1")
        self.channels = channels
        self.width = width
        self.levels = levels
        steps: list[nn.Module] = []
        before = self.input_channels
        for level in range(levels):
            after = width * 2**level
            steps += [plain_convolution(before, after), plain_convolution(after, after, stride=2)]
            before = after
        self.layers = nn.Sequential(*steps)
        self.tail = nn.Linear(before, 1)
        # Backwards from one place: a 3×3 layer of stride 2 and one of stride 1 see 2n + 3 of n.
        self.minimum_size = 1
        for _ in range(levels):
            self.minimum_size = 2 * self.minimum_size + 3

    @property
    def arguments(self) -> dict[str, Any]:
        return {"channels": self.channels, "width": self.width, "levels": self.levels}

    def judge(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.tail(self.layers(pictures).mean(dim=(2, 3)))
        return logits
