"""Codecs at equal size: the quality at which a file has as many bytes as another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation.codecs import Codec, find_codec

_STEP = 1 / 32
_NEAR_ENOUGH = 0.002


def encode_to_size(image: NDArray[np.uint8], codec: str | Codec, size: int) -> tuple[float, bytes]:
    """Compress a picture to a file of about `size` bytes.

    Parameters
    ----------
    image : ndarray of uint8, shape (Y, X) or (Y, X, 3)
    codec : str or Codec
        One of `CODECS`.
    size : int
        Bytes of the whole file, header and all.

    Returns
    -------
    quality : float
        Of the codec.
    data : bytes
        The file, of all tried the nearest in size; the smallest or the largest when `size`
        is out of the codec's reach.

    Raises
    ------
    ValueError
        For an unknown codec or a size below 1; for others, see :meth:`Codec.encode`.

    Notes
    -----
    The size is taken to grow with the quality, and bisected.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep universal generative
       adversarial compression artifact removal", IEEE Trans. Multimedia 21(8), 2019: codecs
       that were not trained on, at equal bitrate.

    Examples
    --------
    >>> from skimage.data import camera
    >>> from napari_deartifact.degradation import jpeg_encode
    >>> size = len(jpeg_encode(camera(), 20))
    >>> quality, data = encode_to_size(camera(), "webp", size)
    >>> abs(len(data) - size) < 0.02 * size
    True
    """
    codec = find_codec(codec) if isinstance(codec, str) else codec
    if size < 1:
        raise ValueError(f"size is {size}; expected at least 1 byte")
    step = _STEP if codec.continuous else 1
    low, high = 0, round((codec.highest - codec.lowest) / step)
    tried: list[tuple[float, bytes]] = []
    while low <= high:
        middle = (low + high) // 2
        quality = codec.lowest + middle * step
        data = codec.encode(image, quality)
        tried.append((quality, data))
        if abs(len(data) - size) <= _NEAR_ENOUGH * size:
            break
        if len(data) < size:
            low = middle + 1
        else:
            high = middle - 1
    return min(tried, key=lambda entry: abs(len(entry[1]) - size))
