"""How far a restored batch is from the clean one: each loss under the name that a recipe gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from napari_deartifact.jpeg.dct import block_dct

Loss = Callable[[Tensor, Tensor], Tensor]

CHARBONNIER_EPSILON = 1e-3
PSNR_FLOOR = 10**-5.5
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5


def l1(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error."""
    return functional.l1_loss(restored, clean)


def l2(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error, which PSNR measures."""
    return functional.mse_loss(restored, clean)


def charbonnier(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error with a rounded corner, √(d² + ε²), ε = 0.001 of the range."""
    return torch.sqrt((restored - clean).square() + CHARBONNIER_EPSILON**2).mean()


def psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean over the batch of minus the PSNR in dB, levelling off towards 55 dB.

    Every picture counts by the ratio of its error before and after, so that high qualities and
    clean pictures weigh as much as low qualities.
    """
    error = (restored - clean).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(error + PSNR_FLOOR).mean()


def ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """Minus the mean SSIM of all channels, by the window of the literature: 11×11, Gaussian, σ = 1.5.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
       visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004.
    """
    places = torch.arange(SSIM_WINDOW, dtype=restored.dtype, device=restored.device) - SSIM_WINDOW // 2
    weights = torch.exp(-places.square() / (2 * SSIM_SIGMA**2))
    weights = weights / weights.sum()

    def local_mean(batch: Tensor) -> Tensor:
        planes = batch.reshape(-1, 1, *batch.shape[-2:])
        return functional.conv2d(
            functional.conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1)
        )

    means = local_mean(restored), local_mean(clean)
    product, squares = means[0] * means[1], means[0].square() + means[1].square()
    variances = local_mean(restored.square() + clean.square()) - squares
    covariance = local_mean(restored * clean) - product
    first, second = 0.01**2, 0.03**2
    similarity = (2 * product + first) * (2 * covariance + second)
    return -(similarity / ((squares + first) * (variances + second))).mean()


def dct(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error of the orthonormal 8×8 DCT, which spreads over all frequencies alike."""
    return block_dct(restored - clean).abs().mean()


PIXEL_LOSSES: Mapping[str, Loss] = {
    "l1": l1,
    "l2": l2,
    "charbonnier": charbonnier,
    "psnr": psnr,
    "ssim": ssim,
    "dct": dct,
}
NEEDS_FEATURES = ("feature",)
NEEDS_DISCRIMINATOR = ("adversarial",)
LOSSES = (*PIXEL_LOSSES, *NEEDS_FEATURES, "lpips", *NEEDS_DISCRIMINATOR)
"""What a phase of a recipe may weigh."""


def adversarial_loss(logits: Tensor) -> Tensor:
    """How far a discriminator is from taking restored pictures for originals: binary cross-entropy to 1."""
    return functional.binary_cross_entropy_with_logits(logits.float(), torch.ones_like(logits.float()))


def discriminator_loss(original: Tensor, restored: Tensor, label: float) -> Tensor:
    """How badly a discriminator tells originals from restored pictures.

    Parameters
    ----------
    original, restored : Tensor
        Its logits for either.
    label : float
        What it is to say of originals.  Below 1, the one-sided label smoothing of [1]_, it does not
        grow so sure that it has nothing left to teach; of restored pictures it is to say 0.

    References
    ----------
    .. [1] T. Salimans et al., "Improved techniques for training GANs", NeurIPS 2016, :arxiv:`1606.03498`.

    Examples
    --------
    >>> unsure = torch.zeros(4, 1)
    >>> round(float(discriminator_loss(unsure, unsure, 0.9)), 4)
    0.6931
    """
    original, restored = original.float(), restored.float()
    entropy = functional.binary_cross_entropy_with_logits
    missed = entropy(original, torch.full_like(original, label))
    fooled = entropy(restored, torch.zeros_like(restored))
    return (missed + fooled) / 2
