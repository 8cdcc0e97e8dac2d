"""Sample images for napari: clean pictures, put through JPEG when they are opened."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation import jpeg_decode, jpeg_encode
from napari_deartifact.jpeg.info import JPEGInfo

QUALITY = 10

LayerData = tuple[NDArray[Any], dict[str, Any], str]


def camera() -> list[LayerData]:
    """Open the photograph of a cameraman, 512×512, at JPEG quality 10.

    Returns
    -------
    list of (data, attributes, "image")
        One layer; the JPEG's record lies in ``metadata["jpeg"]``.

    Examples
    --------
    >>> pixels, attributes, kind = camera()[0]
    >>> pixels.shape, attributes["metadata"]["jpeg"].quality, kind
    ((512, 512), 10, 'image')
    """
    return [_compressed("camera")]


def cell() -> list[LayerData]:
    """Open the micrograph of a cell, 660×550, at JPEG quality 10.

    Returns
    -------
    list of (data, attributes, "image")
        As :func:`camera`.
    """
    return [_compressed("cell")]


def _compressed(name: str) -> LayerData:
    from skimage import data

    image: NDArray[np.uint8] = getattr(data, name)()
    encoded = jpeg_encode(image, QUALITY)
    attributes = {
        "name": f"{name}_q{QUALITY}",
        "metadata": {"jpeg": JPEGInfo.from_bytes(encoded)},
    }
    return jpeg_decode(encoded), attributes, "image"
