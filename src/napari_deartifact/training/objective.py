"""What the networks learn from: errors of pixels and of features, a discriminator's doubt and judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from napari_deartifact.jpeg.ycbcr import chroma
from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.features import FeatureNetwork, perceptual_distance
from napari_deartifact.training.losses import (
    NEEDS_DISCRIMINATOR,
    NEEDS_FEATURES,
    PIXEL_LOSSES,
    adversarial_loss,
    discriminator_loss,
)

GREY = 0.5
"""Cb and Cr of a grey picture: on the scale of all other planes."""


class Objective:
    """A weighted sum of losses that also tells its parts.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each loss, by the names of `napari_deartifact.training.losses.LOSSES`.
    features : FeatureNetwork, optional
        For ``"feature"``.
    discriminator : callable, optional
        For ``"adversarial"``.
    device : torch.device, optional
        Where ``"lpips"`` computes.
    colors : {"all", "luma", "chroma"}
        With ``"chroma"``, Cb and Cr are compared in place of RGB.

    Raises
    ------
    ValueError
        When a loss lacks what it needs, or LPIPS is not installed.

    Examples
    --------
    >>> black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    >>> total, parts = Objective({"l1": 0.5, "l2": 2.0})(white, black, white)
    >>> float(total), parts
    (2.5, {'l1': 1.0, 'l2': 1.0})
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        features: FeatureNetwork | None = None,
        discriminator: Discriminator | Callable[[Tensor, Tensor], Tensor] | None = None,
        device: torch.device | None = None,
        *,
        colors: str = "all",
    ) -> None:
        self.weights = dict(weights)
        self.colors = colors
        self.features = features
        self.discriminator = discriminator
        for name in self.weights:
            if name in NEEDS_FEATURES and features is None:
                raise ValueError(
                    f"the loss {name!r} needs a network of features: give features=FILE (--features FILE), "
                    "or name one in the recipe under [features]"
                )
            if name in NEEDS_DISCRIMINATOR and discriminator is None:
                raise ValueError(f"the loss {name!r} needs a [discriminator] in the recipe")
        self.lpips = _lpips(device) if "lpips" in self.weights else None

    def __call__(self, restored: Tensor, clean: Tensor, degraded: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the sum, which has a gradient, and each part before it was weighted.

        Parameters
        ----------
        restored, clean, degraded : Tensor, shape (N, C, Y, X)
            0 is black, 1 is white.
        """
        if self.colors == "chroma":
            restored, clean = chroma(restored) + GREY, chroma(clean) + GREY
        total = restored.new_zeros((), dtype=torch.float32)
        parts: dict[str, float] = {}
        for name, weight in self.weights.items():
            part = self._part(name, restored, clean, degraded)
            total = total + weight * part
            parts[name] = float(part.detach())
        return total, parts

    def _part(self, name: str, restored: Tensor, clean: Tensor, degraded: Tensor) -> Tensor:
        if name in PIXEL_LOSSES:
            with torch.autocast(restored.device.type, enabled=False):
                return PIXEL_LOSSES[name](restored.float(), clean)
        if name == "feature":
            assert self.features is not None
            return perceptual_distance(restored, clean, self.features).mean()
        if name == "lpips":
            assert self.lpips is not None
            distance: Tensor = self.lpips(_rgb(restored).float().clamp(0, 1), _rgb(clean))
            return distance
        assert self.discriminator is not None
        return adversarial_loss(self.discriminator(restored, degraded))


def judgement(
    judge: Callable[[Tensor, Tensor], Tensor],
    original: Tensor,
    restored: Tensor,
    degraded: Tensor,
    label: float,
) -> tuple[Tensor, dict[str, float]]:
    """Ask a discriminator of both pictures.

    Parameters
    ----------
    judge : callable
        The discriminator.
    original, restored, degraded : Tensor, shape (N, C, Y, X)
    label : float
        What it is to say of originals.

    Returns
    -------
    loss : Tensor
        See `napari_deartifact.training.losses.discriminator_loss`.
    parts : dict of str to float
        How probable it finds each to be original, on average.
    """
    logits = {"original": judge(original, degraded), "restored": judge(restored, degraded)}
    loss = discriminator_loss(logits["original"], logits["restored"], label)
    return loss, {name: float(told.detach().float().sigmoid().mean()) for name, told in logits.items()}


def _lpips(device: torch.device | None) -> nn.Module:
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        metric = LearnedPerceptualImagePatchSimilarity(net_type="squeeze", normalize=True)
    except (ImportError, ModuleNotFoundError, RuntimeError) as error:
        raise ValueError(
            f"the loss 'lpips' needs torchmetrics and torchvision ({error}); install them by "
            "pip install 'napari-deartifact[perceptual]', or weigh 'feature' in its place, with "
            "features=FILE (--features FILE)"
        ) from error
    return metric.requires_grad_(False).to(device or torch.device("cpu"))


def _rgb(pictures: Tensor) -> Tensor:
    return pictures.expand(-1, 3, -1, -1) if pictures.shape[1] == 1 else pictures
