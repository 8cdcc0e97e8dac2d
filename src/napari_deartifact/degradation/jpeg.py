"""What JPEG does to a picture, done by libjpeg itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation.pixels import checked_picture, imagecodecs_for

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1")
UNUSUAL_SUBSAMPLINGS = ("4:4:0", "4:1:1")
_LONGEST_SIDE = 65500
"""Those that Pillow cannot write."""


def jpeg_encode(
    image: NDArray[np.uint8],
    quality: int | None = None,
    *,
    subsampling: str = "4:2:0",
    tables: Sequence[Sequence[int]] | None = None,
) -> bytes:
    """Compress a picture with libjpeg.

    Parameters
    ----------
    image : ndarray of uint8, shape (Y, X) or (Y, X, 3)
        A grey or an RGB picture.
    quality : int, optional
        1 (coarsest) to 100 (finest); needed when there are no `tables`.
    subsampling : {"4:2:0", "4:2:2", "4:4:4", "4:4:0", "4:1:1"}
        Of the chroma; no matter in grey.  4:4:0, which landscape 4:2:2 becomes when it is turned
        by 90 degrees, and 4:1:1, of old video cameras, are written by imagecodecs (the extra
        ``codecs``), for Pillow cannot.
    tables : sequence of 64 int each, optional
        Quantization tables in natural (row by row) order, luma first, in place of a quality.

    Returns
    -------
    bytes
        A baseline JPEG file.

    Raises
    ------
    TypeError
        When `image` is not uint8.
    ValueError
        For another shape, an empty picture, a side of more than 65,500 pixels, or a quality,
        subsampling or table that JPEG does not have, and for tables together with 4:4:0 or 4:1:1.
    ImportError
        For 4:4:0 and 4:1:1 without imagecodecs.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> jpeg_encode(ramp, 50)[:2].hex()
    'ffd8'
    """
    pixels = checked_picture(image)
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"subsampling is {subsampling!r}; expected one of {', '.join(SUBSAMPLINGS)}")
    if max(pixels.shape[:2]) > _LONGEST_SIDE:
        raise ValueError(f"image has shape {pixels.shape}; libjpeg writes {_LONGEST_SIDE} pixels a side")
    options: dict[str, Any] = {}
    if tables is not None:
        options["qtables"] = _checked_tables(tables)
    elif quality is None or not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; expected 1 to 100, or give tables")
    else:
        options["quality"] = int(quality)
    if pixels.ndim == 3:
        if subsampling in UNUSUAL_SUBSAMPLINGS:
            return _encode_unusual(pixels, options.get("quality"), subsampling)
        options["subsampling"] = subsampling
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", **options)
    return stream.getvalue()


def jpeg_decode(data: bytes) -> NDArray[np.uint8]:
    """Decompress a JPEG with libjpeg.

    Parameters
    ----------
    data : bytes
        A grey or colour JPEG file.

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.array(image if image.mode == "L" else image.convert("RGB"))


def jpeg_round_trip(
    image: NDArray[np.uint8],
    quality: int | None = None,
    *,
    subsampling: str = "4:2:0",
    tables: Sequence[Sequence[int]] | None = None,
) -> NDArray[np.uint8]:
    """Compress and decompress a picture; parameters and errors are those of `jpeg_encode`.

    Returns
    -------
    ndarray of uint8, same shape as `image`

    Examples
    --------
    >>> from skimage.data import camera
    >>> degraded = jpeg_round_trip(camera(), 10)
    >>> degraded.shape, round(float(np.abs(degraded - camera().astype(float)).mean()))
    ((512, 512), 6)
    """
    return jpeg_decode(jpeg_encode(image, quality, subsampling=subsampling, tables=tables))


def _encode_unusual(pixels: NDArray[np.uint8], quality: int | None, subsampling: str) -> bytes:
    if quality is None:
        raise ValueError(f"subsampling is {subsampling!r}, which takes no tables here; give a quality")
    library = imagecodecs_for("JPEG8", f"JPEG with {subsampling} subsampling")
    return bytes(library.jpeg8_encode(pixels, level=quality, subsampling=subsampling.replace(":", "")))


def _checked_tables(tables: Sequence[Sequence[int]]) -> list[list[int]]:
    lists = [[int(step) for step in np.ravel(table)] for table in tables]
    for steps in lists:
        if len(steps) != 64 or min(steps) < 1 or max(steps) > 255:
            raise ValueError(
                f"a quantization table has {len(steps)} steps from {min(steps, default=0)} to "
                f"{max(steps, default=0)}; expected 64 steps from 1 to 255"
            )
    return lists
