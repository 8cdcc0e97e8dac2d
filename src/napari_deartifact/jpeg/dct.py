"""JPEG's own arithmetic on tensors: the 8×8 DCT, quantization, whole levels.

Samples are on the scale of the decoded picture, 0 to 255 (0 to 2^p − 1), in tensors that end in (Y, X).
A quantization table applies directly to the coefficients of level-shifted samples.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
_FEW_BLOCKS = 32
_TIE = 1e-4
"""What arithmetic in floating point may miss a tie by; flat blocks of whole numbers make exact ones."""


def dct_matrix(*, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Tensor:
    """Return the orthonormal 8-point DCT-II.

    Returns
    -------
    Tensor, shape (8, 8)
        Frequency first.  JPEG's two-dimensional DCT is ``matrix @ block @ matrix.T``.

    Examples
    --------
    >>> matrix = dct_matrix()
    >>> torch.allclose(matrix @ matrix.T, torch.eye(8, dtype=torch.float64))
    True
    """
    frequency = torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(math.pi * frequency[:, None] * (2 * frequency + 1) / (2 * BLOCK)) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(dtype=dtype, device=device)


@cache
def _block_basis(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the 64×64 DCT of flattened blocks: one product does rows and columns."""
    with torch.inference_mode(False):  # what is kept must serve training too
        matrix = dct_matrix()
        return torch.kron(matrix, matrix).to(dtype=dtype, device=device)


def _times(blocks: Tensor, basis: Tensor) -> Tensor:
    """Multiply blocks, one a row, by a basis.

    In single precision each gives the same bits whatever it is among: few rows are filled up, because
    BLAS has other kernels for them, which add in another order.
    """
    count = len(blocks)
    if count >= _FEW_BLOCKS:
        return blocks @ basis
    return (functional.pad(blocks, (0, 0, 0, _FEW_BLOCKS - count)) @ basis)[:count]


def block_dct(samples: Tensor) -> Tensor:
    """Transform every 8×8 block.

    Parameters
    ----------
    samples : Tensor, shape (..., Y, X)
        Level-shifted: 0 is mid-grey.  Y and X are multiples of 8.

    Returns
    -------
    Tensor, shape (..., Y / 8, X / 8, 8, 8)
        Coefficients, vertical frequency first.

    Raises
    ------
    ValueError
        When Y or X is no multiple of 8; see `pad_to_multiple`.

    Examples
    --------
    >>> block_dct(torch.ones(16, 24))[1, 2, 0, :2].abs().round().tolist()
    [8.0, 0.0]
    """
    height, width = samples.shape[-2:]
    if height % BLOCK or width % BLOCK:
        raise ValueError(f"samples are {height}×{width}; expected multiples of {BLOCK}: pad them first")
    grid = (*samples.shape[:-2], height // BLOCK, width // BLOCK)
    blocks = samples.reshape(*grid[:-1], BLOCK, grid[-1], BLOCK).transpose(-3, -2)
    basis = _block_basis(samples.dtype, samples.device)
    return _times(blocks.reshape(-1, BLOCK * BLOCK), basis.T).reshape(*grid, BLOCK, BLOCK)


def block_idct(coefficients: Tensor) -> Tensor:
    """Undo `block_dct`.

    Parameters
    ----------
    coefficients : Tensor, shape (..., Y / 8, X / 8, 8, 8)

    Returns
    -------
    Tensor, shape (..., Y, X)
        Level-shifted samples.
    """
    *batch, rows, columns = coefficients.shape[:-2]
    basis = _block_basis(coefficients.dtype, coefficients.device)
    blocks = _times(coefficients.reshape(-1, BLOCK * BLOCK), basis).reshape(coefficients.shape)
    return blocks.transpose(-3, -2).reshape(*batch, rows * BLOCK, columns * BLOCK)


def quantize(coefficients: Tensor, table: Tensor) -> Tensor:
    """Return quantization indices, whole numbers in the tensor's own dtype; ties go away from zero.

    Parameters
    ----------
    coefficients : Tensor, shape (..., 8, 8)
    table : Tensor, shape (8, 8)
        Quantization steps.

    Returns
    -------
    Tensor, shape (..., 8, 8)
    """
    steps = coefficients / table
    return torch.trunc(steps + torch.copysign(torch.full_like(steps, 0.5 + _TIE), steps))


def dequantize(indices: Tensor, table: Tensor) -> Tensor:
    """Return the coefficients at the middle of their quantization cells, shape (..., 8, 8)."""
    return indices * table


def pad_to_multiple(samples: Tensor, vertical: int, horizontal: int | None = None) -> Tensor:
    """Repeat the last row and column until Y and X are multiples, as libjpeg fills its last blocks.

    Parameters
    ----------
    samples : Tensor, shape (..., Y, X)
    vertical, horizontal : int
        In samples; `horizontal` is `vertical` unless said.

    Returns
    -------
    Tensor, shape (..., Y', X')
    """
    height, width = samples.shape[-2:]
    bottom, right = -height % vertical, -width % (horizontal or vertical)
    return extend_edges(samples, bottom=bottom, right=right)


def extend_edges(samples: Tensor, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Tensor:
    """Continue a picture (..., Y, X) by repeating its border samples."""
    for axis, before, after in ((-2, top, bottom), (-1, left, right)):
        if before or after:
            first, last = samples.narrow(axis, 0, 1), samples.narrow(axis, -1, 1)
            parts = [first] * before + [samples] + [last] * after
            samples = torch.cat(parts, dim=axis)
    return samples


def ties_of_mean(horizontal: int) -> bool | None:
    """Say how libjpeg rounds a mean of pixels between two levels, as :func:`whole_levels` takes it.

    Parameters
    ----------
    horizontal : int
        By how much a component is downsampled along X.  Of two columns each second mean is rounded up.
    """
    return True if horizontal == 2 else None


def whole_levels(samples: Tensor, white: float = 255.0, *, odd_up: bool | None = None) -> Tensor:
    """Round and clip samples as a codec of whole numbers does.

    Parameters
    ----------
    samples : Tensor, shape (..., Y, X)
    white : float
        The white level.
    odd_up : bool, optional
        Ties go up in odd columns and down in even ones, or the reverse, as in libjpeg's chroma filters;
        without it they go up.

    Returns
    -------
    Tensor, shape (..., Y, X)

    Examples
    --------
    >>> whole_levels(torch.tensor([[0.5, 1.5, 255.7]]), odd_up=True).tolist()
    [[0.0, 2.0, 255.0]]
    """
    threshold = torch.full_like(samples[..., :1, :], 0.5 + _TIE)
    if odd_up is not None:
        threshold[..., int(not odd_up) :: 2] = 0.5 - _TIE
    return (samples + threshold).floor().clamp(0, white)
