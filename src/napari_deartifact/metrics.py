"""How near a picture is to its original: PSNR, PSNR-B and SSIM, as the JPEG literature defines them.

Every function takes a grey picture (Y, X) or an RGB one (Y, X, 3), integer or float, and works in
float64.  `data_range` is the distance from black to white, 255 for 8-bit pictures.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.color import LUMA_WEIGHTS
from napari_deartifact.messages import refuse_masked

# ITU-R BT.601: full range as JFIF uses it, studio range (16 to 235) as MATLAB's rgb2ycbcr does.
_FULL_RANGE_WEIGHTS = np.array(LUMA_WEIGHTS)
_STUDIO_RANGE_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_STUDIO_BLACK = 16.0
_SSIM_SIGMA = 1.5
_SSIM_WINDOW = 11


def full_range_luma(rgb: ArrayLike) -> NDArray[np.float64]:
    """Return the luma that a JPEG codes: black is 0, white is 255.

    Parameters
    ----------
    rgb : array-like, shape (Y, X, 3)
        0 to 255.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        Not rounded.

    Examples
    --------
    >>> full_range_luma([[[0, 0, 0], [255, 255, 255]]]).round(6)
    array([[  0., 255.]])
    """
    return np.asarray(_as_rgb(rgb) @ _FULL_RANGE_WEIGHTS)


def studio_range_luma(rgb: ArrayLike) -> NDArray[np.float64]:
    """Return the luma that published tables were measured on: black is 16, white is 235.

    Parameters
    ----------
    rgb : array-like, shape (Y, X, 3)
        0 to 255.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        Not rounded; MATLAB's ``rgb2ycbcr`` rounds it for 8-bit pictures.

    Examples
    --------
    >>> studio_range_luma([[[0, 0, 0], [255, 255, 255]]]).round(6)
    array([[ 16., 235.]])
    """
    return np.asarray(_as_rgb(rgb) @ _STUDIO_RANGE_WEIGHTS + _STUDIO_BLACK)


def psnr(reference: ArrayLike, image: ArrayLike, *, data_range: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio.

    Parameters
    ----------
    reference, image : array-like, shape (Y, X) or (Y, X, 3)
        The original and the picture to judge.  In colour the mean goes over all three channels.
    data_range : float
        Distance from black to white.

    Returns
    -------
    float
        In dB; infinite for equal pictures.

    Raises
    ------
    ValueError
        For pictures of different or other shapes, and empty ones.

    Examples
    --------
    >>> original = np.full((8, 8), 100)
    >>> round(psnr(original, original + 1), 2)
    48.13
    """
    original, picture = _pair(reference, image, data_range)
    return _decibels(_mean_square(original - picture), data_range)


def blocking_effect_factor(image: ArrayLike, *, block_size: int = 8) -> float:
    """Return how much steeper a picture is at block boundaries than elsewhere.

    Parameters
    ----------
    image : array-like, shape (Y, X)
        Blocks are counted from its first pixel.
    block_size : int
        Side of a block, in pixels.

    Returns
    -------
    float
        In squared grey levels; 0 when boundaries do not stand out.

    Notes
    -----
    The mean is taken over the pixel pairs that straddle a boundary.  The paper, and torchmetrics
    with it, divides by two expressions that count one row of pairs too many in each direction and
    reads some 0.05 dB higher; published tables agree with the true count.  A side of a single pixel,
    for which the paper's weight is undefined, is taken as two.

    References
    ----------
    .. [1] C. Yim and A. C. Bovik, "Quality assessment of deblocked images", IEEE Transactions on
           Image Processing 20(1), 2011, :doi:`10.1109/TIP.2010.2061859`.

    Examples
    --------
    >>> blocking_effect_factor(np.indices((16, 16)).sum(axis=0))
    0.0
    >>> blocking_effect_factor(np.kron([[0, 10], [10, 0]], np.ones((8, 8)))) > 0
    True
    """
    picture = np.asarray(image, dtype=np.float64)
    if picture.ndim != 2 or picture.size == 0:
        raise ValueError(f"the blocking effect needs one plane (Y, X); got shape {picture.shape}")
    height, width = picture.shape
    rows, columns = np.diff(picture, axis=0) ** 2, np.diff(picture, axis=1) ** 2
    boundary_pairs = _boundary_pairs(height, width, block_size)
    other_pairs = rows.size + columns.size - boundary_pairs
    if boundary_pairs <= 0 or other_pairs <= 0:
        return 0.0
    at_boundaries = rows[block_size - 1 :: block_size].sum() + columns[:, block_size - 1 :: block_size].sum()
    elsewhere = rows.sum() + columns.sum() - at_boundaries
    excess = at_boundaries / boundary_pairs - elsewhere / other_pairs
    weight = math.log2(block_size) / math.log2(max(min(height, width), 2))
    return max(float(weight * excess), 0.0)


def _boundary_pairs(height: int, width: int, block_size: int) -> float:
    return height * ((width - 1) // block_size) + width * ((height - 1) // block_size)


def psnr_b(reference: ArrayLike, image: ArrayLike, *, data_range: float = 255.0) -> float:
    """Return the PSNR that also charges for visible blocks.

    Parameters
    ----------
    reference, image : array-like, shape (Y, X) or (Y, X, 3)
        The original and the picture to judge.  Its 8×8 grid starts at its first pixel.
    data_range : float
        Distance from black to white.

    Returns
    -------
    float
        In dB; infinite for equal pictures without blocks.

    Raises
    ------
    ValueError
        As :func:`psnr`.

    Notes
    -----
    In colour the mean squared error goes over all three channels and the blocking term comes from
    rounded studio-range luma, as in the evaluations of colour JPEG restoration.

    References
    ----------
    .. [1] C. Yim and A. C. Bovik, "Quality assessment of deblocked images", IEEE Transactions on
           Image Processing 20(1), 2011, :doi:`10.1109/TIP.2010.2061859`.

    Examples
    --------
    >>> original = np.indices((32, 32)).sum(axis=0)
    >>> blocks = (np.indices((32, 32)) // 8 * 8).sum(axis=0)
    >>> psnr_b(original, blocks) < psnr(original, blocks)
    True
    """
    original, picture = _pair(reference, image, data_range)
    plane = picture
    if picture.ndim == 3:
        level = data_range / 255
        plane = studio_range_luma(picture / level).round() * level
    error = _mean_square(original - picture) + blocking_effect_factor(plane)
    return _decibels(error, data_range)


def ssim(reference: ArrayLike, image: ArrayLike, *, data_range: float = 255.0) -> float:
    """Return the structural similarity index over a Gaussian window of 11×11, σ 1.5.

    Parameters
    ----------
    reference, image : array-like, shape (Y, X) or (Y, X, 3)
        The original and the picture to judge, at least 11 pixels high and wide.  In colour the
        index is the mean of the three channels'.
    data_range : float
        Distance from black to white.

    Returns
    -------
    float
        1 for equal pictures.

    Raises
    ------
    ValueError
        As :func:`psnr`, and for pictures smaller than the window.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from
           error visibility to structural similarity", IEEE Transactions on Image Processing 13(4),
           2004, :doi:`10.1109/TIP.2003.819861`.

    Examples
    --------
    >>> original = np.indices((16, 16)).sum(axis=0)
    >>> ssim(original, original)
    1.0
    """
    from skimage.metrics import structural_similarity

    original, picture = _pair(reference, image, data_range)
    if min(original.shape[:2]) < _SSIM_WINDOW:
        raise ValueError(
            f"shape {original.shape} is too small for SSIM; "
            f"expected at least {_SSIM_WINDOW}×{_SSIM_WINDOW} pixels"
        )
    # For Gaussian weights scikit-image truncates at 3.5 σ, which at 1.5 is the window of 11.
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            original,
            picture,
            data_range=data_range,
            gaussian_weights=True,
            sigma=_SSIM_SIGMA,
            use_sample_covariance=False,
            channel_axis=-1 if original.ndim == 3 else None,
        )
    )


def _as_rgb(rgb: ArrayLike) -> NDArray[np.float64]:
    picture = np.asarray(rgb, dtype=np.float64)
    if picture.ndim != 3 or picture.shape[-1] != 3:
        raise ValueError(f"luma needs an RGB picture (Y, X, 3); got shape {picture.shape}")
    return picture


def _pair(
    reference: ArrayLike, image: ArrayLike, data_range: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    refuse_masked(reference)
    refuse_masked(image)
    original, picture = np.asarray(reference, dtype=np.float64), np.asarray(image, dtype=np.float64)
    if original.shape != picture.shape:
        raise ValueError(
            f"the reference has shape {original.shape}, the image {picture.shape}; they must be the same"
        )
    if original.ndim != 2 and not (original.ndim == 3 and original.shape[-1] == 3):
        raise ValueError(f"shape {original.shape} is neither (Y, X) nor (Y, X, 3)")
    if original.size == 0:
        raise ValueError(f"shape {original.shape} holds no pixels")
    if not data_range > 0:
        raise ValueError(f"data_range is {data_range}; expected the distance from black to white, above 0")
    return original, picture


def _mean_square(difference: NDArray[np.float64]) -> float:
    return float(np.mean(np.square(difference)))


def _decibels(mean_square: float, data_range: float) -> float:
    if mean_square == 0:
        return math.inf
    return -math.inf if math.isinf(mean_square) else 10 * math.log10(data_range**2 / mean_square)
