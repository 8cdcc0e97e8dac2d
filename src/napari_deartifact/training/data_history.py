"""Poisoned ground truth: "clean" pictures that were compressed before teach a network to draw blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.history import CLEAN_QUALITY
from napari_deartifact.training.data_planes import Planes

CROP = 512
"""Pixels along Y and X of the part that is looked at."""


class PoisonedDataError(ValueError):
    """All pictures, or with ``poisoned="refuse"`` any, were compressed before.

    Attributes
    ----------
    poisoned : dict of str to str
        The reason for each file.
    """

    def __init__(self, message: str, poisoned: dict[str, str]) -> None:
        super().__init__(message)
        self.poisoned = poisoned


def compressed_before(planes: Planes) -> str | None:
    """Say how a file was compressed with loss before, as its header or its pixels tell.

    Parameters
    ----------
    planes : Planes

    Returns
    -------
    str or None
        None when it was not, or with a JPEG quality of `CLEAN_QUALITY` or more, or when the pixels do
        not tell.

    Notes
    -----
    The middle of the middle plane, `CROP` pixels square, stands for the file.
    :func:`~napari_deartifact.estimate_jpeg` takes about a tenth of a second for it.  It also looks at
    JPEGs of high quality, which may have been saved anew.  Pictures that were resized after their JPEG
    pass, and so do those of other codecs unless their header tells.

    Examples
    --------
    >>> from skimage.data import camera
    >>> from napari_deartifact.degradation import jpeg_round_trip
    >>> from napari_deartifact.training.data_planes import planes_of_array
    >>> compressed_before(planes_of_array(jpeg_round_trip(camera(), 60)))
    'its pixels show a JPEG of quality 60 (confidence 1.00)'
    >>> compressed_before(planes_of_array(camera())) is None
    True
    """
    if planes.jpeg is not None and planes.jpeg.quality < CLEAN_QUALITY:
        return f"it is stored as JPEG of quality {planes.jpeg.quality}"
    if planes.lossy:
        return planes.lossy
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    crop = _middle(planes.read(len(planes) // 2))
    estimate = estimate_jpeg(crop, channel_axis=-1 if crop.ndim == 3 else None)
    if estimate.is_restored:
        return "its pixels show a JPEG that was restored"
    if not estimate.is_jpeg or estimate.quality is None or estimate.quality >= CLEAN_QUALITY:
        return None
    twice = ", compressed twice" if estimate.double else ""
    return (
        f"its pixels show a JPEG of quality {estimate.quality}{twice} (confidence {estimate.confidence:.2f})"
    )


def _middle(pixels: NDArray[Any]) -> NDArray[Any]:
    top, left = (max(length - CROP, 0) // 2 for length in pixels.shape[:2])
    return np.asarray(pixels[top : top + CROP, left : left + CROP])
