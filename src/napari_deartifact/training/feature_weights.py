"""ImageNet classifiers as feature networks: which there are, and how to recognise and read their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_deartifact.messages import nearest_name

Weights = Mapping[str, Tensor]
Stack = list[tuple[str, nn.Module]]
"""Modules in the order, and so under the numbers, that torchvision gives them, and the name of each."""

_VGG_WIDTHS = (64, 128, 256, 512, 512)
# Squeezed maps of each pair of Fire modules, and of the last one; the pools lie between the first three.
_FIRES = ((16, 16), (32, 32), (48, 48, 64, 64))


class Fire(nn.Module):
    """A 1×1 convolution to few maps, and from these a 1×1 and a 3×3 one side by side.

    Parameters
    ----------
    before, squeezed : int
        Feature maps that come in, and in the middle; eight times as many as in the middle go out.

    References
    ----------
    .. [1] F. N. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
       model size", 2016, :arxiv:`1602.07360`.
    """

    def __init__(self, before: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, 4 * squeezed, 1)
        self.expand3x3 = nn.Conv2d(squeezed, 4 * squeezed, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features of shape (N, `before`, Y, X) to (N, 8 `squeezed`, Y, X)."""
        narrow = torch.relu(self.squeeze(features))
        return torch.relu(torch.cat([self.expand1x1(narrow), self.expand3x3(narrow)], dim=1))


def _squeezenet() -> Stack:
    stack: Stack = [("conv1", nn.Conv2d(3, 64, 3, stride=2)), ("relu1", nn.ReLU(inplace=True))]
    before, numbers = 64, count(2)
    for group in _FIRES:
        stack.append(("pool", nn.MaxPool2d(3, stride=2, ceil_mode=True)))
        for squeezed in group:
            stack.append((f"fire{next(numbers)}", Fire(before, squeezed)))
            before = 8 * squeezed
    return stack


def _vgg(*depths: int) -> Stack:
    stack: Stack = []
    before = 3
    for block, (depth, width) in enumerate(zip(depths, _VGG_WIDTHS, strict=True), 1):
        for layer in range(1, depth + 1):
            stack.append((f"conv{block}_{layer}", nn.Conv2d(before, width, 3, padding=1)))
            stack.append((f"relu{block}_{layer}", nn.ReLU(inplace=True)))
            before = width
        stack.append(("pool", nn.MaxPool2d(2, stride=2)))
    return stack


@dataclass(frozen=True)
class Backbone:
    """A classifier without its last layers, and the input that its weights were trained on.

    Attributes
    ----------
    name : str
    build : callable
        Makes its layers, untrained.
    mean, deviation : tuple of float
        Of each channel, on 0 to 1, in the order of the network's channels.
    bgr : bool
        Whether that order is blue, green, red.
    layers : tuple of str
        That are looked at unless others are named.
    minimum_size : int
        Y and X of a picture must be at least this, in pixels, for the last layer to have a place.
    """

    name: str
    build: Callable[[], Stack]
    layers: tuple[str, ...]
    minimum_size: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    bgr: bool = False


# After the first layer and before each pool, and all that follow the last one.
_SQUEEZENET_LAYERS = ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")
_CAFFE_MEAN = (103.939 / 255, 116.779 / 255, 123.68 / 255)

SQUEEZENET_CAFFE = Backbone(
    "squeezenet1_1-caffe", _squeezenet, _SQUEEZENET_LAYERS, 17, _CAFFE_MEAN, (1 / 255,) * 3, bgr=True
)
SQUEEZENET = Backbone("squeezenet1_1", _squeezenet, _SQUEEZENET_LAYERS, 17)
VGG16 = Backbone("vgg16", lambda: _vgg(2, 2, 3, 3, 3), ("relu5_2",), 16)
VGG19 = Backbone("vgg19", lambda: _vgg(2, 2, 4, 4, 4), ("relu5_2",), 16)

TORCHVISION: Mapping[str, Backbone] = {backbone.name: backbone for backbone in (SQUEEZENET, VGG16, VGG19)}

_KNOWN = (
    "SqueezeNet 1.1, from Caffe (features.*) or torchvision (features.* and classifier.*), and torchvision's "
    "vgg16 and vgg19, as .npz, .pth or .safetensors"
)


def recognise(weights: Weights, path: Path) -> Backbone:
    """Tell from its keys which network a file is of.

    The two SqueezeNets have the same layers and want different input; torchvision's file comes with its
    classifier.

    Raises
    ------
    ValueError
        When it is none of the known ones.
    """
    if "features.3.squeeze.weight" in weights:
        return SQUEEZENET if "classifier.1.weight" in weights else SQUEEZENET_CAFFE
    for backbone, last in ((VGG19, "features.34.weight"), (VGG16, "features.28.weight")):
        if last in weights:
            return backbone
    found = f"its first key is {min(weights)!r}" if weights else "it has no keys"
    raise ValueError(f"{path} is of no feature network that is known ({found}); expected {_KNOWN}")


def from_torchvision(name: str) -> tuple[Weights, Backbone]:
    """Let torchvision download weights, once.

    Raises
    ------
    FileNotFoundError
        For an unknown name, which was perhaps meant as a path, and for a folder.
    ImportError
        When torchvision, the extra ``perceptual``, is not there.
    """
    if name not in TORCHVISION:
        missing = f"no file of weights at {name}{nearest_name(name, TORCHVISION)}"
        given = f"{name} is a folder; name the file" if Path(name).is_dir() else missing
        raise FileNotFoundError(f"{given}; expected {_KNOWN}, or one of the names {', '.join(TORCHVISION)}")
    try:
        from torchvision.models import get_model_weights  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ImportError(
            f"feature network {name!r} is torchvision's, which is not installed: "
            "pip install 'napari-deartifact[perceptual]', or name a file of weights"
        ) from error
    weights: Weights = get_model_weights(name).IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    return weights, TORCHVISION[name]
