"""What every generator tells the code that feeds it: channels, size multiple, receptive field."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn


class Generator(nn.Module, ABC):
    """A network that maps a degraded picture to a restored one of the same shape.

    The input and the output are float tensors of shape (N, `channels`, Y, X) on a scale where
    0 is black and 1 is white; values outside that interval are legal.  Y and X must be multiples
    of `size_multiple`.

    Attributes
    ----------
    architecture : str
        The name under which :func:`napari_deartifact.generators.build` finds the class.
    channels : int
        3 for RGB, 1 for luma.
    grey_radius : int or None
        Set by networks of 3 channels that restore pictures of one as they are, with less work: their
        `receptive_radius` on those.
    size_multiple : int
        Y and X of the input, and the start of every tile, must be multiples of this, in pixels.
    receptive_radius : int
        An output pixel depends on no input pixel farther away than this, in pixels along each
        axis.  Tiles that overlap by it give the whole picture's answer.
    fixed_tile : int or None
        Set by networks with global parts (attention), which only work on tiles of this size; all of a
        tile is then seen, and `receptive_radius` is by how much tiles overlap.
    """

    architecture: ClassVar[str]
    channels: int = 3
    grey_radius: int | None = None
    size_multiple: int = 1
    receptive_radius: int
    fixed_tile: int | None = None

    @property
    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments, as JSON types, that build this network again."""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Restore a batch of shape (N, `channels`, Y, X)."""

    def to_image(self, layer: nn.Module, features: Tensor) -> Tensor:
        """Make the picture by a last layer and tanh, which then cover 0 to 1.

        It is computed in float32 also where the other layers are not: eight bits of a picture need more
        than the eight of bfloat16, which suffice for a correction.
        """
        with torch.autocast(features.device.type, enabled=False):
            image: Tensor = (torch.tanh(layer(features.float())) + 1) / 2
        return image

    def is_narrow(self, image: Tensor) -> bool:
        """Whether a level of it may be one pixel wide, where oneDNN's bfloat16 (torch 2.13) makes noise."""
        return min(image.shape[-2:]) < 2 * self.size_multiple

    @property
    def color(self) -> Literal["rgb", "luma", "any"]:
        """Which channels pictures may have: three, one, or either."""
        if self.grey_radius is not None:
            return "any"
        return "rgb" if self.channels == 3 else "luma"

    @property
    def parameter_count(self) -> int:
        """Number of trained scalars."""
        return sum(parameter.numel() for parameter in self.parameters())
