"""What codecs take, and the optional library that knows most of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

IMAGECODECS_EXTRA = "napari-deartifact[codecs]"


def checked_picture(image: ArrayLike, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> NDArray[Any]:
    """Return a picture as an array that lies in memory as it is read.

    Raises
    ------
    TypeError
        For another dtype than `dtype`.
    ValueError
        For another shape than (Y, X) or (Y, X, 3), and for an empty picture.
    """
    pixels = np.asarray(image)
    if pixels.dtype.newbyteorder("=") != dtype:
        wanted = np.dtype(dtype)
        raise TypeError(f"image is {pixels.dtype}; this codec takes {wanted}, so scale it and convert")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or pixels.size == 0:
        raise ValueError(f"image has shape {pixels.shape}; expected (Y, X) or (Y, X, 3), not empty")
    return np.ascontiguousarray(pixels, dtype=dtype)


def imagecodecs_for(name: str, title: str) -> Any:
    """Return the module imagecodecs, once its codec `name` is known to be there.

    Raises
    ------
    ImportError
        Naming what needs it and the extra that brings it.
    """
    try:
        import imagecodecs
    except ImportError as error:
        raise ImportError(f"{title} needs imagecodecs; pip install '{IMAGECODECS_EXTRA}'") from error
    if not getattr(getattr(imagecodecs, name, None), "available", False):
        raise ImportError(
            f"{title} is missing from imagecodecs {imagecodecs.__version__}; "
            f"pip install --upgrade '{IMAGECODECS_EXTRA}'"
        )
    return imagecodecs


@cache
def pillow_knows(feature: str) -> bool:
    """Say whether Pillow was built with a codec, such as ``"avif"``."""
    from PIL import features

    return feature in features.get_supported()
