"""A U-Net on a MobileNet encoder that knows ImageNet, with a wide decoder: the NoGAN generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from napari_deartifact.generators.attention import SelfAttention
from napari_deartifact.generators.base import Generator
from napari_deartifact.generators.mobilenet import MobileNetEncoder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
OUTPUT_RANGE = 3.0
# Feature maps of the decoder at a 16th, an eighth … and all of the size, before they are widened.
DECODER_WIDTHS = (128, 96, 64, 32, 16)
ATTENTION_LEVEL = 1
_CELL = 32


class MobileUNet(Generator):
    """Features of a classifier on the way down; on the way up, sub-pixel convolutions that are blurred.

    All convolutions of the decoder are divided by their largest singular value.  Self-attention at an
    eighth of the size sees a tile as a whole, so there is one size of tile; without it, any will do.

    Parameters
    ----------
    width : float
        Widens the decoder; the published one is "wide", twice the usual.
    attention : bool
        Whether there is self-attention.
    tile : int
        Edge of the tiles of pictures when there is, in pixels, a multiple of 32.
    overlap : int
        By how much a tile reaches over what it answers for, on each side, in pixels.

    Notes
    -----
    The picture is normalised by ImageNet's mean and deviation, and comes out within three deviations of
    the mean, as in the source, which goes back to DeOldify [2]_.  (timm's own weights for this encoder
    were trained on -1 to 1, which BatchNorm and training make up for.)  A decoder as wide as DeOldify's
    would be most of the work; this one has widths in proportion to the encoder's.  As there, the picture
    itself joins the last features and reaches the last layer past the BatchNorm of the others, which in
    training knows no absolute brightness.

    References
    ----------
    .. [1] "Artifact removal GAN": a U-Net on MobileNet, with spectral norm, self-attention and NoGAN.
    .. [2] J. Antic, "DeOldify", 2019.
    .. [3] Y. Sugawara, S. Shiota, H. Kiya, "Super-resolution using convolutional neural networks without
       any checkerboard artifacts", ICIP 2018, :arxiv:`1806.02658`: the blur.

    Examples
    --------
    >>> network = MobileUNet()
    >>> network.parameter_count, network.size_multiple, network.fixed_tile
    (3716235, 32, 256)
    >>> MobileUNet(attention=False).receptive_radius
    263
    """

    architecture: ClassVar[str] = "mobile-unet"
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, width: float = 2.0, attention: bool = True, tile: int = 256, overlap: int = 32
    ) -> None:
        super().__init__()
        _check(width, tile, overlap)
        self.width = width
        self.attention = attention
        self.tile = tile
        self.overlap = overlap
        self.size_multiple = _CELL
        self.fixed_tile = tile if attention else None
        self.receptive_radius = overlap if attention else _receptive_radius()
        widths = [max(round(width * maps), 1) for maps in DECODER_WIDTHS]
        self.encoder = MobileNetEncoder()
        self.bridge = _Convolution(self.encoder.widths[-1], widths[0])
        steps = zip([widths[0], *widths], self.encoder.widths[-2::-1], widths[:-1], strict=False)
        self.decoder = nn.ModuleList(
            _StepUp(*step, attention=attention and level == ATTENTION_LEVEL)
            for level, step in enumerate(steps)
        )
        self.enlarge = _Enlargement(widths[-2], widths[-1])
        joined = widths[-1] + self.channels
        self.refine = nn.Sequential(_Convolution(joined, joined), _Convolution(joined, joined))
        self.tail: nn.Module = spectral_norm(nn.Conv2d(joined, self.channels, 3, padding=1))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1), persistent=False)

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "attention": self.attention,
            "tile": self.tile,
            "overlap": self.overlap,
        }

    def forward(self, image: Tensor) -> Tensor:
        normalised = (image - self.mean) / self.deviation
        *skips, features = self.encoder(normalised)
        features = self.bridge(features)
        for step, skip in zip(self.decoder, reversed(skips), strict=True):
            features = step(features, skip)
        joined = torch.cat([self.enlarge(features), normalised], dim=1)
        return self._to_picture(joined + self.refine(joined))

    def load_encoder(self, path: str | Path) -> None:
        """Give the encoder weights that were trained on ImageNet.

        Parameters
        ----------
        path : path
            The state dict of timm's ``tf_mobilenetv3_small_minimal_100``, with or without its
            classifier.

        Raises
        ------
        FileNotFoundError, ValueError
            As :meth:`~napari_deartifact.generators.mobilenet.MobileNetEncoder.load`.
        """
        self.encoder.load(path)

    def _to_picture(self, features: Tensor) -> Tensor:
        """Make the picture, in float32: the eight bits of bfloat16 are too few for one."""
        with torch.autocast(features.device.type, enabled=False):
            normalised = OUTPUT_RANGE * (2 * torch.sigmoid(self.tail(features.float())) - 1)
            picture: Tensor = normalised * self.deviation + self.mean
        return picture


class _StepUp(nn.Module):
    """Features enlarged to twice the size, joined by those of the encoder, and convolved."""

    def __init__(self, before: int, skip: int, after: int, *, attention: bool) -> None:
        super().__init__()
        self.enlarge = _Enlargement(before, after)
        self.norm = nn.BatchNorm2d(skip)
        self.convolution = _Convolution(after + skip, after)
        self.attention = SelfAttention(after) if attention else nn.Identity()

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        joined = torch.cat([self.enlarge(features), self.norm(skip)], dim=1)
        answer: Tensor = self.attention(self.convolution(functional.relu(joined)))
        return answer


class _Convolution(nn.Module):
    """A convolution under spectral norm, ReLU and BatchNorm."""

    def __init__(self, before: int, after: int, size: int = 3) -> None:
        super().__init__()
        layer = nn.Conv2d(before, after, size, padding=size // 2, bias=False)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.layer: nn.Module = spectral_norm(layer)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, features: Tensor) -> Tensor:
        answer: Tensor = self.norm(functional.relu(self.layer(features)))
        return answer


class _Enlargement(nn.Module):
    """Four pixels from each place by a 1×1 convolution, blurred over 2×2 of them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        layer = nn.Conv2d(before, 4 * after, 1, bias=False)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        with torch.no_grad():  # At first all four are alike, and no pattern is to be unlearnt.
            layer.weight.copy_(layer.weight[::4].repeat_interleave(4, dim=0))
        self.layer: nn.Module = spectral_norm(layer)
        self.norm = nn.BatchNorm2d(4 * after)

    def forward(self, features: Tensor) -> Tensor:
        pixels = functional.pixel_shuffle(functional.relu(self.norm(self.layer(features))), 2)
        continued = functional.pad(pixels, (1, 0, 1, 0), mode="replicate")
        return functional.avg_pool2d(continued, 2, stride=1)


def _check(width: float, tile: int, overlap: int) -> None:
    if not width > 0:
        raise ValueError(f"width is {width}; expected a number above 0, such as 2")
    # Tiles lie on a grid of cells, so overlaps that are not multiples would be rounded up.
    if tile % _CELL or overlap % _CELL or not 0 <= 2 * overlap < tile:
        raise ValueError(
            f"tile is {tile} and overlap {overlap}; expected multiples of {_CELL}, the overlap less than "
            "half of the tile"
        )


def _receptive_radius() -> int:
    """Sum over the deepest path what each layer adds before and after a cell, in pixels."""
    before, after = (side + _CELL for side in MobileNetEncoder.reach)  # the bridge
    for level in range(len(DECODER_WIDTHS)):
        cell = _CELL >> (level + 1)
        # Fine cells lie in one coarse cell; the blur looks one back, the convolution one to each side.
        before, after = before + 3 * cell, after + 2 * cell
    return max(before, after) + 2  # one more convolution at full size, and the last
