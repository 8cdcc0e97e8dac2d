"""What a classifier sees in a picture: features for a loss, and for a distance between pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deartifact.generators.state_dict import read_state_dict
from napari_deartifact.messages import nearest_name
from napari_deartifact.training.feature_weights import Backbone, Weights, from_torchvision, recognise

# Beside the squared length of a feature vector: none is divided by zero.
_SQUARED_FLOOR = 1e-6


class FeatureNetwork(nn.Module):
    """The layers of a classifier up to the last one that is looked at; its weights do not change.

    Parameters
    ----------
    backbone : Backbone
        Which classifier.
    weights : mapping of str to Tensor
        Its state dict, by torchvision's keys; those of the classifier itself are not needed.
    layers : sequence of str, optional
        Names of layers, all after their ReLU: ``relu1`` and ``fire2`` to ``fire9`` of SqueezeNet,
        ``relu1_1`` to ``relu5_4`` of VGG.

    Attributes
    ----------
    name : str
        Of the classifier.
    layers : tuple of str
        In the order of the network.
    minimum_size : int
        Y and X of a picture must be at least this, in pixels.

    Raises
    ------
    ValueError
        For a layer that there is not, or weights that do not fit.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: Backbone, weights: Weights, layers: Sequence[str] | None = None) -> None:
        super().__init__()
        stack = backbone.build()
        names = [name for name, _ in stack]
        wanted = _check_layers(backbone.layers if layers is None else layers, names, backbone.name)
        self.name = backbone.name
        self.layers = tuple(name for name in names if name in wanted)
        self.minimum_size = backbone.minimum_size
        self._bgr = backbone.bgr
        self._looked_at = [name in wanted for name in names]
        self.stack = nn.Sequential(*(module for _, module in stack))
        own = {
            key.removeprefix("features."): value.float()
            for key, value in weights.items()
            if key.startswith("features.")
        }
        _check_weights(own, self.stack.state_dict(), backbone.name)
        self.stack.load_state_dict(own)
        del self.stack[names.index(self.layers[-1]) + 1 :]
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(backbone.deviation).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the features of each layer.

        Parameters
        ----------
        picture : Tensor, shape (N, 1 or 3, Y, X)
            Grey or RGB; 0 is black, 1 is white.

        Returns
        -------
        tuple of Tensor, each of shape (N, C', Y', X')
            In the order of `layers`.  Gradients flow to `picture`.

        Raises
        ------
        ValueError
            For another number of channels, or a picture that is too small.
        """
        if picture.ndim != 4 or picture.shape[1] not in (1, 3) or min(picture.shape[2:]) < self.minimum_size:
            raise ValueError(
                f"picture has shape {tuple(picture.shape)}; feature network {self.name!r} takes (N, 1 or 3, "
                f"Y, X) with sides of at least {self.minimum_size} pixels"
            )
        color = picture.expand(-1, 3, -1, -1)
        features = ((color.flip(1) if self._bgr else color) - self.mean) / self.deviation
        found: list[Tensor] = []
        for module, looked_at in zip(self.stack, self._looked_at, strict=False):
            features = module(features)
            if looked_at:
                found.append(features)
        return tuple(found)


def load_features(source: str | Path, layers: Sequence[str] | None = None) -> FeatureNetwork:
    """Load a feature network.

    Parameters
    ----------
    source : str or path
        A file of weights, ``.npz``, ``.pth`` or ``.safetensors``, recognised by its keys: SqueezeNet 1.1 as
        Caffe trained it or as torchvision did, VGG16 or VGG19.  Or torchvision's name for one of these,
        ``"vgg19"``, ``"vgg16"``, ``"squeezenet1_1"``, which it then downloads.
    layers : sequence of str, optional
        Names of layers, see :class:`FeatureNetwork`.  By default seven of SqueezeNet, from the first to
        the last, and ``relu5_2`` of VGG.

    Returns
    -------
    FeatureNetwork
        On the CPU.

    Raises
    ------
    FileNotFoundError
        When there is neither such a file nor such a name.
    ImportError
        When torchvision is needed, the extra ``perceptual``, and it is not there.
    ValueError
        When the file is of none of these networks, or has no such layer.

    Notes
    -----
    Galteri et al. [1]_ take "the second convolution layer before the last max-pooling" of VGG19, which
    reads as ``relu5_2`` in the notation of SRGAN [2]_, whose words these are: the j-th convolution, after
    its activation, before the i-th pool.  Who counts backwards asks for ``relu5_3``.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep Generative Adversarial Compression
       Artifact Removal", ICCV 2017, :arxiv:`1704.02518`.
    .. [2] C. Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
       Network", CVPR 2017, :arxiv:`1609.04802`.
    """
    path = Path(source)
    if not path.is_file():
        weights, backbone = from_torchvision(str(source))
        return FeatureNetwork(backbone, weights, layers)
    weights = read_state_dict(path)
    backbone = recognise(weights, path)
    try:
        return FeatureNetwork(backbone, weights, layers)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def perceptual_distance(restored: Tensor, clean: Tensor, features: FeatureNetwork) -> Tensor:
    """Return how differently a classifier sees two batches of pictures.

    At each place of a layer, the feature vectors of both pictures are divided by their length, and the
    squared Euclidean distance between them is taken.  It is averaged over the places of each layer, and
    then over the layers, all weighing alike.

    Parameters
    ----------
    restored, clean : Tensor, shape (N, 1 or 3, Y, X)
        0 is black, 1 is white.
    features : FeatureNetwork

    Returns
    -------
    Tensor, shape (N,)
        From 0, for equal pictures, to 2, as features are not negative.

    Notes
    -----
    LPIPS [1]_ weighs the channels by what people answered when they were asked; this does not, and the
    two must not be compared.

    References
    ----------
    .. [1] R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, "The Unreasonable Effectiveness of Deep
       Features as a Perceptual Metric", CVPR 2018, :arxiv:`1801.03924`.
    """
    layers = [
        (_directions(ours) - _directions(theirs)).square().sum(dim=1).mean(dim=(1, 2))
        for ours, theirs in zip(features(restored), features(clean), strict=True)
    ]
    return torch.stack(layers).mean(dim=0)


class FeatureDistance:
    """`perceptual_distance` of two 8-bit pictures, for :func:`napari_deartifact.evaluation.evaluate`.

    Parameters
    ----------
    features : FeatureNetwork
    device : str
        Where it computes.
    """

    key = "perceptual"
    needs_original = True

    def __init__(self, features: FeatureNetwork, device: str = "cpu") -> None:
        self.features = features.to(device)
        self.device = device

    @property
    def name(self) -> str:
        """The network and its layers."""
        return f"feature distance by {self.features.name} {' '.join(self.features.layers)}"

    def __call__(self, original: NDArray[np.uint8], picture: NDArray[np.uint8]) -> float:
        """Compare pictures of shape (Y, X) or (Y, X, 3); NaN where they are too small for the network."""
        if min(original.shape[:2]) < self.features.minimum_size:
            return math.nan
        with torch.inference_mode():
            return float(perceptual_distance(self._batch(picture), self._batch(original), self.features))

    def _batch(self, picture: NDArray[np.uint8]) -> Tensor:
        planes = np.atleast_3d(picture).astype(np.float32).transpose(2, 0, 1) / 255
        return torch.from_numpy(planes)[None].to(self.device)


def _directions(features: Tensor) -> Tensor:
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + _SQUARED_FLOOR)


def _check_weights(given: Weights, expected: Weights, network: str) -> None:
    """Name one that differs: a damaged file lacks a few, and one of another network nearly all."""
    wrong = [
        key
        for key in sorted({*given, *expected})
        if key not in given or key not in expected or given[key].shape != expected[key].shape
    ]
    if wrong:
        key, others = wrong[0], f" (and {len(wrong) - 1} more differ)" if len(wrong) > 1 else ""
        found = f"has shape {tuple(given[key].shape)}" if key in given else "is missing"
        wanted = f"shape {tuple(expected[key].shape)}" if key in expected else "none"
        raise ValueError(
            f"these weights are not of {network}: 'features.{key}' {found}, expected {wanted}{others}; "
            "fetch the file again, or give another"
        )


def _check_layers(wanted: Sequence[str], names: Sequence[str], network: str) -> set[str]:
    known = [name for name in names if name.startswith(("relu", "fire"))]
    for layer in wanted:
        if layer not in known:
            raise ValueError(
                f"layer {layer!r} is none of {network}'s{nearest_name(layer, known)}; "
                f"known: {', '.join(known)}"
            )
    if not wanted:
        raise ValueError(f"no layers; name at least one of {', '.join(known)}")
    return set(wanted)
