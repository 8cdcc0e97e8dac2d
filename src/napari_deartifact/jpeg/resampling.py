"""Chroma at a lower resolution and back, on tensors that end in (Y, X), as libjpeg does both."""

from __future__ import annotations

import torch  # noqa: TID253  (nothing loads this module before there is something to resample)
from torch import Tensor  # noqa: TID253


def downsample(plane: Tensor, vertical: int, horizontal: int) -> Tensor:
    """Average boxes of samples, which is libjpeg's chroma downsampling.

    Parameters
    ----------
    plane : Tensor, shape (..., Y, X)
        Y and X are multiples of the factors.
    vertical, horizontal : int
        Factors, 1 or more.

    Returns
    -------
    Tensor, shape (..., Y / vertical, X / horizontal)
    """
    if vertical == horizontal == 1:
        return plane
    *batch, height, width = plane.shape
    boxes = plane.reshape(*batch, height // vertical, vertical, width // horizontal, horizontal)
    if max(vertical, horizontal) > 2:
        return boxes.mean(dim=(-3, -1))
    # To the last bit the mean over axes of length 2, and many times as fast.
    rows = boxes[..., 0] if horizontal == 1 else boxes[..., 0] + boxes[..., 1]
    total = rows[..., 0, :] if vertical == 1 else rows[..., 0, :] + rows[..., 1, :]
    return total / (vertical * horizontal)


def repeat_samples(plane: Tensor, vertical: int, horizontal: int) -> Tensor:
    """Repeat every sample, which is what averaging boxes takes back.

    Parameters
    ----------
    plane : Tensor, shape (..., Y, X)
    vertical, horizontal : int
        How many times, 1 or more.

    Returns
    -------
    Tensor, shape (..., Y · vertical, X · horizontal)

    Examples
    --------
    >>> repeat_samples(torch.tensor([[1, 2]]), 1, 2).tolist()
    [[1, 1, 2, 2]]
    """
    if vertical == horizontal == 1:
        return plane
    *batch, height, width = plane.shape
    boxes = plane[..., :, None, :, None].expand(*batch, height, vertical, width, horizontal)
    return boxes.reshape(*batch, height * vertical, width * horizontal)


def upsample(plane: Tensor, vertical: int, horizontal: int) -> Tensor:
    """Interpolate as libjpeg does: a triangle filter ("fancy upsampling") for factors of 2, else copies.

    Parameters
    ----------
    plane : Tensor, shape (..., Y, X)
    vertical, horizontal : int
        Factors, 1 or more.

    Returns
    -------
    Tensor, shape (..., Y · vertical, X · horizontal)

    Examples
    --------
    >>> upsample(torch.tensor([[0.0, 8.0]]), 1, 2).tolist()
    [[0.0, 2.0, 6.0, 8.0]]
    """
    if not is_interpolated(vertical, horizontal):
        return repeat_samples(plane, vertical, horizontal)
    rows = _upsample_last_axis(plane.transpose(-2, -1), vertical).transpose(-2, -1)
    return _upsample_last_axis(rows, horizontal)


def is_interpolated(vertical: int, horizontal: int) -> bool:
    """Say whether libjpeg interpolates chroma of these factors: not where either is above 2."""
    return max(vertical, horizontal) == 2


def _upsample_last_axis(plane: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return plane
    before = torch.cat([plane[..., :1], plane[..., :-1]], dim=-1)
    after = torch.cat([plane[..., 1:], plane[..., -1:]], dim=-1)
    return torch.stack([3 * plane + before, 3 * plane + after], dim=-1).flatten(-2) / 4
