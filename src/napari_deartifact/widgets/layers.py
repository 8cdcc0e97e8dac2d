"""From a napari layer to the arguments of `deartifact`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.info import JPEGInfo

if TYPE_CHECKING:
    from napari.layers import Image

JPEG_KEY = "jpeg"
"""Of a layer's metadata: the `JPEGInfo` of the file that its pixels were decoded from."""

PROVENANCE_KEY = "deartifact"
"""Of a restored layer's metadata: what was done to it, as JSON would hold it."""

EXAMINED = 1024
"""Edge, in pixels, of the part of a plane from which a JPEG history is estimated."""


@dataclass(frozen=True)
class LayerImage:
    """What of an image layer goes into `deartifact`.

    Attributes
    ----------
    levels : tuple of array
        The layer's array; of a pyramid the finest level, or all levels when they are lazy.
    options : dict
        The arguments that the layer itself answers: `channel_axis`, `rgb` and `data_range`.
    jpeg : JPEGInfo or None
        The JPEG that the finest level was decoded from, while the layer still has its shape.
    """

    levels: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    jpeg: JPEGInfo | None = None

    @property
    def is_lazy(self) -> bool:
        """Whether the array is read when it is looked at."""
        return is_lazy(self.levels[0])

    @property
    def data_range(self) -> tuple[float, float] | None:
        """Black and white as the layer suggests them; None leaves it to `deartifact`."""
        answer: tuple[float, float] | None = self.options.get("data_range")
        return answer

    @classmethod
    def of(cls, layer: Image) -> LayerImage:
        """Read a layer.

        Parameters
        ----------
        layer : napari.layers.Image

        Returns
        -------
        LayerImage
        """
        levels = tuple(layer.data) if layer.multiscale else (layer.data,)
        finest = _unwrapped(levels[0])
        options = _axes(tuple(finest.shape), rgb=layer.rgb)
        jpeg = known_jpeg(layer)
        lazy = is_lazy(finest)
        if lazy and finest.dtype != np.uint8 and jpeg is None:
            options["data_range"] = suggested_range(finest.dtype, seen_range(layer))
        elif lazy and finest.dtype.kind in "iu" and jpeg is not None:
            options["data_range"] = (0.0, 2.0**jpeg.precision - 1)  # the layer's own file, as it is decoded
        return cls(levels if lazy else levels[:1], options, jpeg)


def _axes(shape: tuple[int, ...], *, rgb: bool) -> dict[str, Any]:
    """Say which axis holds colours: napari has it last, and knows."""
    if rgb:
        return {"channel_axis": -1}
    if len(shape) > 2 and shape[-1] in (3, 4):
        return {"channel_axis": 0, "rgb": False}  # an image 3 or 4 pixels wide, not colours
    return {}


def _unwrapped(data: Any) -> Any:
    """Return the array inside an xarray one, any other as it is."""
    return data.data if hasattr(data, "dims") and hasattr(data, "coords") else data


def is_lazy(data: Any) -> bool:
    """Whether an array is stored in chunks that are read on demand: dask, zarr, HDF5."""
    data = _unwrapped(data)
    return hasattr(data, "__dask_graph__") or bool(getattr(data, "chunks", None))


def as_array(data: Any) -> Any:
    """Return what `deartifact` takes: what is lazy as it is stored, else a numpy array."""
    data = _unwrapped(data)
    return data if is_lazy(data) else np.asanyarray(data)  # with its mask, which is refused in words


def seen_range(layer: Image) -> tuple[float, float]:
    """Return the least range that holds the contrast limits and the pixels that are shown.

    Parameters
    ----------
    layer : napari.layers.Image
        Nothing of it is read that is not there.  Its limits may be narrower than its pixels, which are not
        to be cut off for that.
    """
    low, high = map(float, layer.contrast_limits)
    shown = np.asarray(getattr(layer, "_data_view", ()))  # as napari has it; there is no public way
    if layer.rgb:
        shown = shown[..., :3]
    if shown.dtype.kind == "f":
        shown = shown[np.isfinite(shown)]
    if shown.size > 3:  # a single pixel stands for what is not there yet
        low, high = min(low, float(shown.min())), max(high, float(shown.max()))
    return low, high


def suggested_range(dtype: Any, limits: tuple[float, float]) -> tuple[float, float]:
    """Guess black and white of a lazy array from what napari has seen of it.

    Parameters
    ----------
    dtype : dtype
        Of the array.
    limits : (float, float)
        See :func:`seen_range`.

    Returns
    -------
    (float, float)
        For integers the smallest range of whole bits that holds `limits`, as cameras have 10,
        12, 14 or 16 of them; for floats `limits`.

    Examples
    --------
    >>> suggested_range("uint16", (137, 3987))
    (0.0, 4095.0)
    >>> suggested_range("int16", (-1024, 3071))
    (-4096.0, 4095.0)
    >>> suggested_range("float32", (0.0, 1.5))
    (0.0, 1.5)
    """
    low, high = (float(limit) for limit in limits)
    if np.dtype(dtype).kind == "f":
        return low, high
    bits = max(math.ceil(math.log2(max(high + 1, -low, 2))), 1)
    return (-(2.0**bits) if low < 0 else 0.0), 2.0**bits - 1


def finest(layer: Image) -> Any:
    """Return a layer's array, of a pyramid that of its finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def known_jpeg(layer: Image) -> JPEGInfo | None:
    """Return the record of the JPEG that a layer's pixels were decoded from.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    JPEGInfo or None
        None as well when the layer no longer has the JPEG's size or components, or was restored.
    """
    jpeg = layer.metadata.get(JPEG_KEY)
    if not isinstance(jpeg, JPEGInfo) or PROVENANCE_KEY in layer.metadata:
        return None
    data = finest(layer)
    colors, plane = (3, data.shape[:-1]) if layer.rgb else (1, data.shape)
    return jpeg if tuple(plane[-2:]) == jpeg.shape and len(jpeg.tables) == colors else None


def sample_plane(data: Any, position: tuple[float, ...], *, rgb: bool) -> NDArray[Any]:
    """Cut out of an array what shows its JPEG history.

    Parameters
    ----------
    data : array
        A layer's; only the part that is returned is read.
    position : tuple of float
        Where the viewer stands, in the array's own coordinates; says which plane.
    rgb : bool
        Whether the last axis holds colours; alpha is left out.

    Returns
    -------
    ndarray, shape (Y, X) or (Y, X, 3)
        The middle of the plane, at most `EXAMINED` pixels on each side, cut at multiples of 16.
    """
    data = _unwrapped(data)
    shape = data.shape[:-1] if rgb else data.shape
    plane = [
        min(max(round(place), 0), length - 1) for place, length in zip(position, shape[:-2], strict=False)
    ]
    middle = [_middle(length) for length in shape[-2:]]
    colors = (slice(3),) if rgb else ()
    return np.asarray(data[(*plane, *middle, *colors)])


def _middle(length: int) -> slice:
    start = max(length - EXAMINED, 0) // 32 * 16
    return slice(start, min(start + EXAMINED, length))
