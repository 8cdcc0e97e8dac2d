"""MobileNetV3-small-minimal as an encoder, which weights that were trained on ImageNet fit by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from napari_deartifact.generators.state_dict import read_state_dict

# As TensorFlow has it, where the weights come from.
_EPSILON = 1e-3
_STEM_WIDTH = 16
# A stage a line, a block an entry: maps inside, maps that come out, stride.
_STAGES = (
    ((72, 24, 2), (88, 24, 1)),
    ((96, 40, 2), (240, 40, 1), (240, 40, 1)),
    ((120, 48, 1), (144, 48, 1)),
    ((288, 96, 2), (576, 96, 1), (576, 96, 1)),
)
_LAST_WIDTH = 576
_CLASSIFIER = ("conv_head.", "classifier.")


class MobileNetEncoder(nn.Module):
    """Depthwise 3×3 and pointwise 1×1 convolutions, BatchNorm and ReLU, down to a 32nd of the size.

    "Minimal" is without squeeze-and-excitation, hard swish and 5×5 kernels.  Module names, BatchNorm's
    epsilon and the padding, which adds to the bottom and the right where the stride is 2, are those of
    ``tf_mobilenetv3_small_minimal_100`` in timm [2]_.

    Attributes
    ----------
    widths : tuple of int
        Feature maps at a half, a quarter … and a 32nd of the size.
    reach : (int, int)
        Pixels that a place of the last features sees before its cell of 32 pixels, and after it.

    References
    ----------
    .. [1] A. Howard et al., "Searching for MobileNetV3", ICCV 2019, :arxiv:`1905.02244`.
    .. [2] R. Wightman, "PyTorch Image Models", `<https://github.com/huggingface/pytorch-image-models>`_.

    Examples
    --------
    >>> import torch
    >>> encoder = MobileNetEncoder()
    >>> [tuple(features.shape[1:]) for features in encoder(torch.zeros(1, 3, 64, 32))]
    [(16, 32, 16), (16, 16, 8), (24, 8, 4), (48, 4, 2), (576, 2, 1)]
    """

    widths = (_STEM_WIDTH, 16, 24, 48, _LAST_WIDTH)
    # Each 3×3 of stride 1 adds a cell to either side, of stride 2 a fine cell after it.
    reach = (8 + 4 * 16 + 2 * 32, 1 + 2 + 4 + 8 + 8 + 4 * 16 + 16 + 2 * 32)

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _SameConvolution(3, _STEM_WIDTH, 3, stride=2)
        self.bn1 = _norm(_STEM_WIDTH)
        stages: list[nn.Module] = [nn.Sequential(_SeparableConvolution(_STEM_WIDTH, 16, stride=2))]
        outputs = [16, *(stage[-1][1] for stage in _STAGES)]
        for (before, _), stage in zip(pairwise(outputs), _STAGES, strict=True):
            inputs = [before, *(after for _, after, _ in stage[:-1])]
            blocks = [_InvertedResidual(*sizes) for sizes in _with_input(inputs, stage)]
            stages.append(nn.Sequential(*blocks))
        stages.append(nn.Sequential(_LastConvolution(outputs[-1], _LAST_WIDTH)))
        self.blocks = nn.Sequential(*stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the features of each size, the largest first, of a batch (N, 3, Y, X)."""
        features = functional.relu(self.bn1(self.conv_stem(picture)))
        found = [features]
        for number, stage in enumerate(self.blocks):
            features = stage(features)
            # The third stage ends at the size of the fourth, the fifth at that of the last.
            if number not in (2, 4):
                found.append(features)
        return found

    def load(self, path: str | Path) -> None:
        """Take over weights by name, without the classifier's.

        Parameters
        ----------
        path : path
            The state dict of timm's ``tf_mobilenetv3_small_minimal_100``, ``.safetensors`` or ``.pth``.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When it is of another network: with the names that are missing, and those that are too many.
        """
        path = Path(path)
        weights = read_state_dict(path)
        own = {key: value for key, value in weights.items() if not key.startswith(_CLASSIFIER)}
        expected = self.state_dict()
        differences = [
            f"{what} {_some(keys)}"
            for what, keys in (
                ("lacks", [key for key in expected if key not in own]),
                ("has also", [key for key in own if key not in expected]),
                (
                    "has in another shape",
                    [
                        key
                        for key, value in own.items()
                        if key in expected and value.shape != expected[key].shape
                    ],
                ),
            )
            if keys
        ]
        if differences:
            raise ValueError(
                f"{path} is not of MobileNetV3-small-minimal: it {'; '.join(differences)}; "
                "expected the state dict of timm's tf_mobilenetv3_small_minimal_100"
            )
        self.load_state_dict(own)


class _SameConvolution(nn.Conv2d):
    """An unbiased convolution whose padding is TensorFlow's "same", for sizes that the stride divides."""

    def __init__(self, before: int, after: int, size: int, *, stride: int = 1, groups: int = 1) -> None:
        padding = size // 2 if stride == 1 else 0
        super().__init__(before, after, size, stride, padding, groups=groups, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        strided = self.stride[0] == 2
        return super().forward(functional.pad(features, (0, 1, 0, 1)) if strided else features)


class _SeparableConvolution(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _SameConvolution(before, before, 3, stride=stride, groups=before)
        self.bn1 = _norm(before)
        self.conv_pw = _SameConvolution(before, after, 1)
        self.bn2 = _norm(after)

    def forward(self, features: Tensor) -> Tensor:
        features = functional.relu(self.bn1(self.conv_dw(features)))
        answer: Tensor = self.bn2(self.conv_pw(features))
        return answer


class _InvertedResidual(nn.Module):
    def __init__(self, before: int, inside: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv_pw = _SameConvolution(before, inside, 1)
        self.bn1 = _norm(inside)
        self.conv_dw = _SameConvolution(inside, inside, 3, stride=stride, groups=inside)
        self.bn2 = _norm(inside)
        self.conv_pwl = _SameConvolution(inside, after, 1)
        self.bn3 = _norm(after)
        self.has_skip = stride == 1 and before == after

    def forward(self, features: Tensor) -> Tensor:
        inside = functional.relu(self.bn1(self.conv_pw(features)))
        inside = functional.relu(self.bn2(self.conv_dw(inside)))
        answer: Tensor = self.bn3(self.conv_pwl(inside))
        return answer + features if self.has_skip else answer


class _LastConvolution(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = _SameConvolution(before, after, 1)
        self.bn1 = _norm(after)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.bn1(self.conv(features)))


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=_EPSILON)


def _with_input(
    inputs: list[int], stage: tuple[tuple[int, int, int], ...]
) -> list[tuple[int, int, int, int]]:
    return [(before, *sizes) for before, sizes in zip(inputs, stage, strict=True)]


def _some(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
