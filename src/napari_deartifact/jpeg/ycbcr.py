"""JFIF's colour conversion on tensors that end in (Y, X)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_deartifact.jpeg.color import LUMA_WEIGHTS

# ITU-R BT.601 as JFIF writes it, full range.
TO_YCBCR = (
    LUMA_WEIGHTS,
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


def rgb_to_ycbcr(image: Tensor, *, white: float = 255.0) -> Tensor:
    """Convert as JFIF does, at full range.

    Parameters
    ----------
    image : Tensor, shape (..., 3, Y, X)
        0 to `white`.
    white : float
        255 for 8 bits.

    Returns
    -------
    Tensor, shape (..., 3, Y, X)
        Cb and Cr of a grey are (white + 1) / 2.

    Examples
    --------
    >>> rgb_to_ycbcr(torch.full((3, 1, 1), 90.0)).flatten().round().tolist()
    [90.0, 128.0, 128.0]
    """
    ycbcr = _mix_channels(TO_YCBCR, image)
    ycbcr[..., 1:, :, :] += (white + 1) / 2
    return ycbcr


def ycbcr_to_rgb(image: Tensor, *, white: float = 255.0) -> Tensor:
    """Undo `rgb_to_ycbcr`; colours outside the RGB cube are not clipped."""
    ycbcr = image.clone()
    ycbcr[..., 1:, :, :] -= (white + 1) / 2
    return _mix_channels(TO_RGB, ycbcr)


def luma(image: Tensor) -> Tensor:
    """Return Y of a batch in RGB, computed plane by plane, which autocast leaves in full precision.

    Parameters
    ----------
    image : Tensor, shape (N, 3, Y, X)

    Returns
    -------
    Tensor, shape (N, 1, Y, X)

    Examples
    --------
    >>> luma(torch.ones(1, 3, 1, 1)).flatten().tolist()
    [1.0]
    """
    return _plane(TO_YCBCR[0], image)


def chroma(image: Tensor) -> Tensor:
    """Return Cb and Cr of a batch in RGB, around 0, computed as :func:`luma` is.

    Parameters
    ----------
    image : Tensor, shape (N, 3, Y, X)

    Returns
    -------
    Tensor, shape (N, 2, Y, X)

    Examples
    --------
    >>> chroma(torch.ones(1, 3, 1, 1)).abs().amax() < 1e-6
    tensor(True)
    """
    return torch.cat([_plane(row, image) for row in TO_YCBCR[1:]], dim=1)


def joined(luma: Tensor, chroma: Tensor) -> Tensor:
    """Return RGB, or a change of it, from that of Y and of Cb and Cr.

    Parameters
    ----------
    luma : Tensor, shape (N, 1, Y, X)
    chroma : Tensor, shape (N, 2, Y, X)
        Around 0.

    Returns
    -------
    Tensor, shape (N, 3, Y, X)

    Examples
    --------
    >>> image = torch.rand(1, 3, 4, 4)
    >>> torch.allclose(joined(luma(image), chroma(image)), image, atol=1e-6)
    True
    """
    ycbcr = torch.cat([luma, chroma], dim=1)
    return torch.cat([_plane(row, ycbcr) for row in TO_RGB], dim=1)


def _plane(weights: Sequence[float], image: Tensor) -> Tensor:
    first, second, third = (weight * image[:, index, None] for index, weight in enumerate(weights))
    return first + second + third


def _mix_channels(matrix: Sequence[Sequence[float]], image: Tensor) -> Tensor:
    weights = torch.tensor(matrix, dtype=image.dtype, device=image.device)
    return torch.einsum("oc,...cyx->...oyx", weights, image)
