"""What a block of a picture looks like, in 36 numbers: how its contrast is distributed, at two scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.messages import refuse_masked
from napari_deartifact.metrics import full_range_luma

Floats = NDArray[np.float64]

BLOCK_SIZE = 96
FEATURES = 36
FEWEST_BLOCKS = 2
_SMALLEST_BLOCK = 8
_WINDOW_RADIUS, _WINDOW_SIGMA = 3, 7 / 6
# Where a picture is flat, its difference to the local mean is rounding, whose sign must not count.
_FLAT = 1e-9
# Neighbours whose products are looked at: in the row, in the column, and on both diagonals.
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
# The cubic kernel of Keys (a = −0.5) at twice its width, half a pixel beside its middle.
_HALVING = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
_SHAPES = np.arange(200, 10_001) / 1000


def block_features(
    image: ArrayLike, *, block_size: int = BLOCK_SIZE, data_range: float = 255.0
) -> tuple[Floats, Floats]:
    """Return what NIQE looks at in the blocks of a picture [1]_.

    Parameters
    ----------
    image : array-like, shape (Y, X) or (Y, X, 3)
        Grey or RGB; black is 0.
    block_size : int
        Side of a block, in pixels, even.  Blocks do not overlap; what is left over at the bottom and
        the right is not looked at.
    data_range : float
        Distance from black to white.

    Returns
    -------
    features : ndarray of float64, shape (N, 36)
        Of each block, row by row.  The first 18 are of the picture, the others of the picture at half
        its size: shape and scale of the normalized intensities, then shape, mean, left and right
        scale of the products of neighbours in four directions.  A scale without a sample is NaN.
    sharpness : ndarray of float64, shape (N,)
        Mean local standard deviation, in levels of 255.

    Raises
    ------
    ValueError
        For other shapes, pictures of fewer than two blocks, pixels that are NaN or infinite, and a
        block size that is odd or below 8.

    Notes
    -----
    RGB becomes luma of full range, 0.299 R + 0.587 G + 0.114 B, rounded where the pixels are integers,
    as ``rgb2gray`` does in the authors' MATLAB code.  Half the size is what ``imresize`` makes there:
    bicubic, widened against aliasing, borders mirrored; as the factor is ½, it is one filter of eight
    taps.  A distribution without any contrast gets the least shape there is, 0.2, as in that code.

    References
    ----------
    .. [1] A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality
       analyzer", IEEE Signal Processing Letters 20(3), 2013, :doi:`10.1109/LSP.2012.2227726`.

    Examples
    --------
    >>> from skimage import data
    >>> features, sharpness = block_features(data.camera())
    >>> features.shape, sharpness.shape
    ((25, 36), (25,))
    """
    check_block_size(block_size)
    picture = _luma(image, data_range)
    if count_blocks(picture.shape, block_size) < FEWEST_BLOCKS:
        raise ValueError(
            f"{picture.shape[0]}×{picture.shape[1]} pixels are too few for NIQE; expected {FEWEST_BLOCKS} "
            f"blocks of {block_size}×{block_size}"
        )
    height, width = (side // block_size * block_size for side in picture.shape)
    picture = picture[:height, :width]
    normalized, deviation = _normalized(picture)
    smaller, _ = _normalized(_halved(picture))
    features = [_features(_split(normalized, block_size)), _features(_split(smaller, block_size // 2))]
    return np.concatenate(features, axis=1), _split(deviation, block_size).mean(axis=(1, 2))


def check_block_size(size: int) -> None:
    """Refuse a block that has no half, or hardly any pixels.

    Raises
    ------
    ValueError
        With its size.
    """
    if size < _SMALLEST_BLOCK or size % 2:
        raise ValueError(f"block_size is {size}; expected an even number from {_SMALLEST_BLOCK} on")


def count_blocks(shape: tuple[int, ...], block_size: int) -> int:
    """Return how many whole blocks a picture of a shape (Y, X, …) holds.

    Examples
    --------
    >>> count_blocks((200, 300, 3), 96)
    6
    """
    return (shape[0] // block_size) * (shape[1] // block_size)


def _luma(image: ArrayLike, data_range: float) -> Floats:
    """Return a picture's intensities, 0 to 255."""
    refuse_masked(image)
    picture = np.asarray(image)
    if not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[-1] == 3)):
        raise ValueError(f"shape {picture.shape} is neither (Y, X) nor (Y, X, 3)")
    if not data_range > 0:
        raise ValueError(f"data_range is {data_range}; expected the distance from black to white, above 0")
    luma = picture.astype(np.float64)
    if picture.ndim == 3:
        luma = full_range_luma(picture)
        luma = luma.round() if np.issubdtype(picture.dtype, np.integer) else luma
    if not np.isfinite(luma).all():
        raise ValueError("the picture holds NaN or infinity; NIQE needs finite pixels")
    return luma * (255 / data_range)


def _normalized(picture: Floats) -> tuple[Floats, Floats]:
    """Take the local mean away and divide by the local deviation, which is returned as well."""
    from scipy.ndimage import gaussian_filter

    def smooth(values: Floats) -> Floats:
        return np.asarray(gaussian_filter(values, _WINDOW_SIGMA, radius=_WINDOW_RADIUS, mode="nearest"))

    mean = smooth(picture)
    deviation = np.sqrt(np.abs(smooth(picture**2) - mean**2))
    contrast = picture - mean
    contrast[np.abs(contrast) < _FLAT] = 0.0
    return contrast / (deviation + 1), deviation


def _halved(picture: Floats) -> Floats:
    """Halve both sides, which are even."""
    from scipy.ndimage import correlate1d

    # SciPy's "reflect" repeats the border pixel, as imresize does.
    rows = correlate1d(picture, _HALVING, axis=0, mode="reflect")[1::2]
    return np.asarray(correlate1d(rows, _HALVING, axis=1, mode="reflect")[:, 1::2])


def _split(picture: Floats, size: int) -> Floats:
    """Cut into blocks, shape (N, size, size)."""
    height, width = picture.shape
    blocks = picture.reshape(height // size, size, width // size, size).swapaxes(1, 2)
    return blocks.reshape(-1, size, size)


def _features(blocks: Floats) -> Floats:
    """Return the 18 features of each block at one scale."""
    from scipy.special import gamma

    shape, left, right = _asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _asymmetric_gaussian(blocks * np.roll(blocks, shift, axis=(1, 2)))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def _asymmetric_gaussian(blocks: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit an asymmetric generalized Gaussian to each block by its moments: its shape and both scales."""
    from scipy.special import gamma

    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (_root_mean_square(blocks, side) for side in (blocks < 0, blocks > 0))
        skew = left / right
        ratio = np.abs(blocks).mean(axis=(1, 2)) ** 2 / np.square(blocks).mean(axis=(1, 2))
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    ratios = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))  # rising
    above = np.searchsorted(ratios, ratio).clip(1, len(ratios) - 1)
    nearest = np.where(ratio - ratios[above - 1] <= ratios[above] - ratio, above - 1, above)
    shape = _SHAPES[np.where(np.isnan(ratio), 0, nearest)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def _root_mean_square(blocks: Floats, where: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.sqrt(np.square(blocks).sum(axis=(1, 2), where=where) / where.sum(axis=(1, 2))))
