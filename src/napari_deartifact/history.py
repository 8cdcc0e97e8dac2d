"""Was this array ever a JPEG?  Asked before a blind model restores it, so that clean pictures stay clean."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_PICTURES = 5


def shows_no_history(pictures: Sequence[NDArray[Any]]) -> bool:
    """Say whether it is safe to take a series of pictures for one that never went through JPEG.

    The series is treated as one, so that the frames of a movie are all restored or all left alone;
    a few of them, evenly chosen, speak for it.

    Parameters
    ----------
    pictures : sequence of ndarray, shape (C, Y, X)
        C is 1, or 3 for RGB.

    Returns
    -------
    bool
        False also when the pixels do not tell.

    Examples
    --------
    >>> from skimage.data import camera
    >>> shows_no_history([camera()[np.newaxis]])
    True
    """
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    step = -(-len(pictures) // _MOST_PICTURES)
    for picture in pictures[::step]:
        image = picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)
        if estimate_jpeg(image, channel_axis=None if image.ndim == 2 else -1).history != "none":
            return False
    return True


def warn_of_no_history() -> None:
    """Say that, and why, an image is returned as it came."""
    warnings.warn(
        "the image shows no JPEG history, so it is returned unchanged; name its JPEG if you know it, or "
        "restore it all the same with force=True (on the command line --force)",
        UserWarning,
        stacklevel=2,
    )
