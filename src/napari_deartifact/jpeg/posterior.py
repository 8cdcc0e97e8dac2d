"""What quantization alone leaves open: the variance of every DCT coefficient within its cell, in pixels.

A coefficient's prior is Laplacian, which its cell truncates; both have closed forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is a table)
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.coded import channels_first
from napari_deartifact.jpeg.dct import BLOCK, dct_matrix
from napari_deartifact.jpeg.finding import with_cells
from napari_deartifact.jpeg.resampling import upsample
from napari_deartifact.jpeg.ycbcr import TO_RGB

if TYPE_CHECKING:
    from napari_deartifact.jpeg.cells import Cells
    from napari_deartifact.jpeg.info import JPEGInfo

_BLOCKS_PER_CLASS = 64
_MOST_CLASSES = 8
_FALL = 1.5
"""How the scales of a picture fall with frequency, as its power, before anything is seen of it."""
_TRUST_IN_FALL = 5.0
_TRUST_IN_LINE = 4.0
"""In coefficients that are not zero."""
_UNSEEN = 0.5
_FLATTEST = 1e-4
"""The slowest decay over half a step that a float64 tells from none."""
_ROUNDING = 1 / 12
"""Variance of the rounding to whole levels of Y, Cb and Cr, before they are coded."""
_VARIANCE_TO_RGB = torch.tensor(TO_RGB, dtype=torch.float64).square()


def quantization_standard_error(decoded: ArrayLike, jpeg: JPEGInfo) -> NDArray[np.float64]:
    """Return how far a JPEG's tables leave each pixel of the original open.

    Parameters
    ----------
    decoded : array-like, shape (Y, X) or (Y, X, 3)
        The JPEG as it was decoded, on the scale 0 to 2**precision − 1.
    jpeg : JPEGInfo
        Of `decoded`.

    Returns
    -------
    ndarray of float64, same shape
        Standard deviation of the original about its mean, given the file; in levels.

    Raises
    ------
    ValueError
        For shapes that do not fit each other, NaN, or a JPEG of four components.

    Notes
    -----
    The prior of a frequency is a Laplacian whose scale is fitted to the picture's own indices by maximum
    likelihood [1]_, apart for each class of blocks; blocks are classed by how many indices are not zero
    in the blocks around them.  Where all but a few indices of a frequency are zero its scale leans on
    those of the others, as a power of the frequency.  DC has a flat prior.  Coefficients are taken as
    independent, so that pixels get their variances by the squared DCT basis.  Chroma samples are taken to
    err as their neighbours do: their variances are interpolated as the samples are, which bounds the
    truth from above.  An encoder's rounding of Y, Cb and Cr is counted in.  What chroma subsampling took
    away before quantization is not counted, nor that clipped pixels are known to lie outside of the
    range.

    References
    ----------
    .. [1] J. R. Price and M. Rabbani, "Biased reconstruction for JPEG decoding", IEEE Signal Processing
           Letters 6(12), 1999.
    .. [2] E. Y. Lam and J. W. Goodman, "A mathematical analysis of the DCT coefficient distributions for
           images", IEEE Transactions on Image Processing 9(10), 2000, :doi:`10.1109/83.869177`.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> flat = np.full((64, 64), 96.0)
    >>> fine, coarse = (JPEGInfo.from_quality(quality, height=64, width=64) for quality in (90, 10))
    >>> error = [quantization_standard_error(flat, info).mean() for info in (fine, coarse)]
    >>> bool(3 < error[1] < 6), bool(error[0] < 0.5)
    (True, True)
    """
    pixels = channels_first(decoded, jpeg)
    if not pixels.numel():
        return np.zeros(np.shape(decoded))
    picture = with_cells(pixels, jpeg)
    planes = [
        upsample(pixel_variance(posterior_variance(cells)), *cells.ratio) for cells in picture.components
    ]
    variance = torch.stack(planes)
    if picture.joint:
        variance = torch.einsum("oc,cyx->oyx", _VARIANCE_TO_RGB, variance + _ROUNDING)
    error: NDArray[np.float64] = picture.cut(variance.sqrt()).movedim(0, -1).numpy()
    return error if len(variance) == 3 else error[..., 0]


def even_standard_error(jpeg: JPEGInfo, channels: int) -> NDArray[np.float64]:
    """Return what the tables would leave open if every value in a cell were as likely as any other.

    Parameters
    ----------
    jpeg : JPEGInfo
    channels : int
        Of the picture, 1 or 3.

    Returns
    -------
    ndarray of float64, shape (channels,)
        In levels; the root of the mean over the pixels of a block.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> info = JPEGInfo(8, 8, ((12,) * 64,))
    >>> even_standard_error(info, 1).round(3).tolist()
    [3.464]
    """
    joint = channels == 3 and jpeg.color_space == "ycbcr"
    tables = jpeg.tables if len(jpeg.tables) == channels else jpeg.tables[:1] * channels
    variance = torch.tensor(tables, dtype=torch.float64).square().mean(dim=1) / 12
    if joint:
        variance = _VARIANCE_TO_RGB @ (variance + _ROUNDING)
    error: NDArray[np.float64] = variance.sqrt().numpy()
    return error


def posterior_variance(cells: Cells) -> torch.Tensor:
    """Return the variance of each coefficient within its cell.

    Parameters
    ----------
    cells : Cells
        Of one component.

    Returns
    -------
    Tensor, shape (rows, columns, 8, 8)
        In levels².
    """
    classes, table = _classes(cells.indices), cells.table.to(cells.indices)
    decays = [
        _fitted_decay(cells.indices[classes == index], table) for index in range(int(classes.max()) + 1)
    ]
    decay = torch.stack(decays)[classes]
    steps = torch.where(cells.indices == 0, middle_cell_variance(decay), outer_cell_variance(decay))
    steps[..., 0, 0] = 1 / 12
    return steps * table.square()


def pixel_variance(coefficients: torch.Tensor) -> torch.Tensor:
    """Turn variances of independent coefficients into those of the pixels of their blocks.

    Parameters
    ----------
    coefficients : Tensor, shape (rows, columns, 8, 8)

    Returns
    -------
    Tensor, shape (8 · rows, 8 · columns)
    """
    basis = dct_matrix(dtype=coefficients.dtype).square()
    blocks = basis.T @ coefficients @ basis
    rows, columns = blocks.shape[:2]
    return blocks.transpose(1, 2).reshape(rows * BLOCK, columns * BLOCK)


def laplacian_decay(zeros: torch.Tensor, others: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """Fit a Laplacian to quantization indices by maximum likelihood.

    Parameters
    ----------
    zeros, others : Tensor
        How many indices are zero, and how many are not.
    magnitude : Tensor
        The sum of the indices' absolute values.

    Returns
    -------
    Tensor
        How many times the density falls by *e* over half a quantization step.

    Notes
    -----
    With t = exp(−decay) an index is 0 with probability 1 − t and ±n with t²ⁿ⁻¹(1 − t²), so that the
    likelihood is stationary where (N + 2S) t² + N₀ t − (2S − N₁) = 0.

    Examples
    --------
    >>> likeliest = laplacian_decay(torch.tensor(1 - np.exp(-1)), torch.tensor(np.exp(-1)),
    ...                             torch.tensor(np.exp(-1) / (1 - np.exp(-2))))
    >>> round(float(likeliest), 6)
    1.0
    """
    total = zeros + others + 2 * magnitude
    share = (zeros.square() + 4 * total * (2 * magnitude - others)).sqrt() - zeros
    return -(share / (2 * total)).log()


def middle_cell_variance(decay: torch.Tensor) -> torch.Tensor:
    """Return the variance of a Laplacian within its middle cell, in steps²; 1/12 where it is flat."""
    decay = decay.clamp(min=_FLATTEST)
    return (2 / decay.square() - (1 + 2 / decay) / torch.expm1(decay)) / 4


def outer_cell_variance(decay: torch.Tensor) -> torch.Tensor:
    """Return the variance of a Laplacian within any other cell, in steps²; 1/12 where it is flat."""
    decay = decay.clamp(min=_FLATTEST)
    return (1 / decay.square() - 1 / torch.sinh(decay).square()) / 4


def _classes(indices: torch.Tensor) -> torch.Tensor:
    """Class blocks by the indices around them, shape (rows, columns), in classes of like size.

    A block's own indices have no say: they would make their own prior.
    """
    busy = (indices != 0).sum(dim=(-2, -1)).to(indices) - (indices[..., 0, 0] != 0).to(indices)
    counted = torch.nn.functional.avg_pool2d(
        torch.stack([busy, torch.ones_like(busy)]), 3, stride=1, padding=1, divisor_override=1
    )
    around, blocks = counted - torch.stack([busy, torch.ones_like(busy)])
    mean = around / blocks.clamp(min=1)
    count = min(max(mean.numel() // _BLOCKS_PER_CLASS, 1), _MOST_CLASSES)
    order = mean.flatten().sort().values
    edges = order[torch.arange(1, count) * len(order) // count]
    return torch.bucketize(mean, edges)


def _fitted_decay(indices: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return the decay over half a step of each frequency, shape (8, 8), in blocks of one class.

    A frequency whose indices are all but zero tells little of its scale; it takes it from the line that
    the others make of the logarithm of scale and frequency.
    """
    magnitude = indices.abs()
    others, zeros = (magnitude > 0).sum(dim=0).to(table), (magnitude == 0).sum(dim=0).to(table)
    row = torch.arange(BLOCK, dtype=table.dtype)
    distance = torch.hypot(row[:, None], row).clamp(min=1).log()
    seen = others.clamp(min=_UNSEEN)
    own = (table / laplacian_decay(zeros, seen, magnitude.sum(dim=0).clamp(min=_UNSEEN))).log()
    weight = torch.where(distance < 0.5, seen, others)
    weight[0, 0] = 0
    line = _line(distance, own, weight)
    scale = (others * own + _TRUST_IN_LINE * line) / (others + _TRUST_IN_LINE)
    return table / scale.exp()


def _line(places: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Fit a line by least squares that is drawn to the slope expected, and return it at the places."""
    place, value = ((weight * part).sum() / weight.sum() for part in (places, values))
    spread = (weight * (places - place).square()).sum()
    slope = (weight * (places - place) * (values - value)).sum() - _TRUST_IN_FALL * _FALL
    return value + slope / (spread + _TRUST_IN_FALL) * (places - place)
