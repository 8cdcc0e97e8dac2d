"""Five small convolutions in full colour: 57,987 parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from napari_deartifact.generators.base import Generator

FIRST_LAYER_GAIN = 4.0
NEGATIVE_SLOPE = 0.1


class CompactCNN(Generator):
    """A stack of 3×3 convolutions that predicts what to add to the picture.

    Dilation can widen the view from 11×11 pixels to a JPEG block and its eight neighbours without
    a parameter more; the weights that ship were trained without it, see docs/results.md.

    Parameters
    ----------
    widths : sequence of int
        Feature maps after each layer but the last.
    dilations : sequence of int
        Dilation of each layer, one more entry than `widths`.
    channels : int
        Channels of the picture.

    References
    ----------
    .. [1] "JPEG artifact removal with a Convolutional Neural Network", which reports the
       parameter count and describes the layers.

    Examples
    --------
    >>> network = CompactCNN()
    >>> network.parameter_count
    57987
    """

    architecture: ClassVar[str] = "compact-cnn"

    def __init__(
        self,
        widths: Sequence[int] = (28, 52, 60, 28),
        dilations: Sequence[int] = (1, 2, 3, 2, 1),
        channels: int = 3,
    ) -> None:
        super().__init__()
        if len(dilations) != len(widths) + 1:
            raise ValueError(
                f"dilations has {len(dilations)} entries for {len(widths) + 1} layers; give one each"
            )
        self.widths = tuple(widths)
        self.dilations = tuple(dilations)
        self.channels = channels
        self.receptive_radius = sum(dilations)
        sizes = (channels, *widths, channels)
        layers = [
            nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation)
            for before, after, dilation in zip(sizes[:-1], sizes[1:], dilations, strict=True)
        ]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(cast("Tensor", layer.bias))
        # Filters without a response to brightness start on the artifacts, which are a few per cent of
        # it; with one, the features carry little else and soon die.
        with torch.no_grad():
            first = layers[0].weight
            first.copy_(FIRST_LAYER_GAIN * (first - first.mean(dim=(1, 2, 3), keepdim=True)))
        # An untrained network returns its input.
        nn.init.zeros_(layers[-1].weight)
        self.layers = nn.ModuleList(layers)
        self.activation = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"widths": list(self.widths), "dilations": list(self.dilations), "channels": self.channels}

    def forward(self, image: Tensor) -> Tensor:
        features = image
        for layer in self.layers[:-1]:
            features = self.activation(layer(features))
        restored: Tensor = image + self.layers[-1](features)
        return restored
