"""JPEG with 12 bits per sample (processes 2 and 4), which DICOM stores and most programs cannot read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation.pixels import checked_picture, imagecodecs_for

_LEVELS = 4096
_SUBSAMPLINGS = ("4:2:0", "4:2:2", "4:4:4", "4:4:0")


def jpeg12_encode(image: NDArray[np.uint16], quality: int, *, subsampling: str = "4:2:0") -> bytes:
    """Compress a picture with 12 bits per sample by libjpeg-turbo.

    Parameters
    ----------
    image : ndarray of uint16, shape (Y, X) or (Y, X, 3)
        0 to 4095; window or shift it first.
    quality : int
        1 (coarsest) to 100 (finest).  The tables are those of 8 bits, so that a quality loses
        about a sixteenth as much of the range as it does there.
    subsampling : {"4:2:0", "4:2:2", "4:4:4", "4:4:0"}
        Of the chroma; no matter in grey.

    Returns
    -------
    bytes
        An extended sequential JPEG file.

    Raises
    ------
    TypeError
        When `image` is not uint16.
    ValueError
        For another shape, an empty picture, a sample above 4095, a quality out of its range or another
        subsampling.
    ImportError
        Without imagecodecs, the extra ``codecs``.

    Examples
    --------
    >>> ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    >>> jpeg12_encode(ramp, 90)[:2].hex()
    'ffd8'
    """
    pixels = checked_picture(image, np.uint16)
    if pixels.max() >= _LEVELS:
        raise ValueError(f"image goes up to {pixels.max()}; 12-bit JPEG holds 0 to {_LEVELS - 1}")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; expected 1 to 100")
    if subsampling not in _SUBSAMPLINGS:
        raise ValueError(f"subsampling is {subsampling!r}; expected one of {', '.join(_SUBSAMPLINGS)}")
    options: dict[str, Any] = {"level": int(quality), "bitspersample": 12}
    if pixels.ndim == 3:
        options["subsampling"] = subsampling.replace(":", "")
    return bytes(imagecodecs_for("JPEG8", "12-bit JPEG").jpeg8_encode(pixels, **options))


def jpeg12_decode(data: bytes) -> NDArray[np.uint16]:
    """Decompress a JPEG with 12 bits per sample.

    Parameters
    ----------
    data : bytes
        A grey or colour JPEG file.

    Returns
    -------
    ndarray of uint16, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    ValueError
        When the samples have 8 bits.
    ImportError
        Without imagecodecs, the extra ``codecs``.
    """
    decoded: NDArray[np.uint16] = imagecodecs_for("JPEG8", "12-bit JPEG").jpeg8_decode(data)
    if decoded.dtype != np.uint16:
        raise ValueError("the samples of this JPEG have 8 bits; use jpeg_decode")
    return decoded


def jpeg12_round_trip(
    image: NDArray[np.uint16], quality: int, *, subsampling: str = "4:2:0"
) -> NDArray[np.uint16]:
    """Compress and decompress a picture; parameters and errors are those of `jpeg12_encode`.

    Returns
    -------
    ndarray of uint16, same shape as `image`

    Examples
    --------
    >>> from skimage.data import camera
    >>> deep = camera().astype(np.uint16) * 16
    >>> degraded = jpeg12_round_trip(deep, 10)
    >>> degraded.dtype, round(float(np.abs(degraded - deep.astype(float)).mean()))
    (dtype('uint16'), 27)
    """
    return jpeg12_decode(jpeg12_encode(image, quality, subsampling=subsampling))
