"""What every discriminator tells the code that trains it: channels, what it sees, sizes that it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

NEGATIVE_SLOPE = 0.2


class Discriminator(nn.Module, ABC):
    """A network that tells restored pictures from clean ones.

    Attributes
    ----------
    architecture : str
        The name under which :func:`napari_deartifact.training.discriminators.build_discriminator`
        finds the class.
    conditional : bool
        Whether it sees the candidate beside the degraded picture, or the candidate alone.
    channels : int
        3 for RGB, 1 for luma.
    minimum_size : int
        Y and X of a patch must be at least this, in pixels.
    size_multiple : int
        And multiples of this.
    """

    architecture: ClassVar[str]
    conditional: ClassVar[bool] = False
    channels: int = 3
    minimum_size: int = 1
    size_multiple: int = 1

    @property
    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments, as JSON types, that build this network again."""

    @abstractmethod
    def judge(self, pictures: Tensor) -> Tensor:
        """Return logits for what the network sees, on -1 to 1: (N, `input_channels`, Y, X)."""

    def forward(self, candidate: Tensor, degraded: Tensor) -> Tensor:
        """Judge candidates.

        Parameters
        ----------
        candidate : Tensor, shape (N, `channels`, Y, X)
            Clean or restored; 0 is black, 1 is white.
        degraded : Tensor, of the same shape
            What the candidate is, or was restored from; not looked at unless `conditional`.

        Returns
        -------
        Tensor, shape (N, 1) or (N, 1, Y', X')
            Logits, of the whole patch or of its parts: positive for what looks clean.

        Raises
        ------
        ValueError
            For a patch of a size that the network does not take.
        """
        self.check_size(*candidate.shape[-2:])
        seen = torch.cat([candidate, degraded], dim=1) if self.conditional else candidate
        return self.judge(2 * seen - 1)

    def check_size(self, height: int, width: int) -> None:
        """Refuse a patch of a size that the network does not take.

        Raises
        ------
        ValueError
            With that size, and those that it takes.
        """
        if (
            min(height, width) < self.minimum_size
            or height % self.size_multiple
            or width % self.size_multiple
        ):
            step = f" and multiples of {self.size_multiple}" if self.size_multiple > 1 else ""
            raise ValueError(
                f"patches are {height}×{width} pixels; discriminator {self.architecture!r} takes sides of "
                f"at least {self.minimum_size}{step}: set the recipe's patch_size accordingly"
            )

    @property
    def input_channels(self) -> int:
        """Channels of what the network sees."""
        return self.channels * (2 if self.conditional else 1)

    @property
    def parameter_count(self) -> int:
        """Number of trained scalars."""
        return sum(parameter.numel() for parameter in self.parameters())
