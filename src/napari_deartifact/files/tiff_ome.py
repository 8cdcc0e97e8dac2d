"""What an OME-TIFF says of pixels that come from another kind of file: their axes and the size of a pixel."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.files.tiff import COARSEST_PIXEL, MICROMETRES, TIFFTags

_DTYPES = frozenset({"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"})
_AXES, _FOR_UNNAMED = "TZCYXS", "TZC"
_INCH = 2
_IMAGEJ_MICROMETRE = frozenset({"micron", "um", "µm", "\\u00B5m"})  # the last as ImageJ itself escapes it


def ome_axes(pixels: NDArray[Any], tags: TIFFTags | None, *, color: bool) -> str:
    """Name the axes as OME does.

    Parameters
    ----------
    pixels : ndarray
    tags : TIFFTags, optional
        Of the TIFF that the pixels come from; axes that it leaves without a name become T, Z or C.
    color : bool
        Whether the last axis holds the samples of a pixel, when there are no `tags`.

    Raises
    ------
    ValueError
        When OME has no such pixels; the message is a part of a sentence.

    Examples
    --------
    >>> import numpy as np
    >>> ome_axes(np.zeros((3, 8, 8, 3), np.uint8), None, color=True)
    'TYXS'
    """
    if pixels.dtype.name not in _DTYPES:
        raise ValueError(f"{pixels.dtype.name} pixels")
    if tags is not None and tags.shape == pixels.shape:
        axes = tags.axes
    else:
        axes = "Q" * (pixels.ndim - 2 - color) + "YX" + "S" * color
    unused = (letter for letter in _FOR_UNNAMED if letter not in axes)
    named = "".join(letter if letter in _AXES else next(unused, "") for letter in axes)
    if len(named) < len(axes):
        raise ValueError(f"pixels of shape {pixels.shape}, which have too many axes")
    return named


def ome_options(
    options: dict[str, Any],
    pixels: NDArray[Any],
    tags: TIFFTags | None,
    *,
    color: bool,
    dpi: tuple[float, float] | None,
) -> dict[str, Any]:
    """Turn the options with which tifffile writes another TIFF into those of an OME-TIFF."""
    metadata: dict[str, Any] = {
        "axes": ome_axes(pixels, tags, color=color),
        "Creator": f"napari-deartifact {__version__}",
    }
    size = _pixel_size(tags, dpi)
    if size is not None:
        for axis, side in zip("XY", size, strict=True):
            metadata |= {f"PhysicalSize{axis}": side, f"PhysicalSize{axis}Unit": "µm"}
    if isinstance(options.get("description"), bytes):
        metadata["Description"] = options["description"].decode(errors="replace")
    kept = {key: value for key, value in options.items() if key not in ("imagej", "description")}
    return kept | {"ome": True, "compression": "zlib", "metadata": metadata}


def _pixel_size(tags: TIFFTags | None, dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return width and height of a pixel in µm, unless they are a printer's."""
    resolution, unit = dpi, MICROMETRES.get(_INCH)
    if tags is not None:
        resolution, unit = tags.resolution, MICROMETRES.get(tags.resolution_unit)
        if tags.imagej.get("unit") in _IMAGEJ_MICROMETRE:
            unit = 1.0
    if resolution is None or unit is None:
        return None
    width, height = (unit / value for value in resolution)
    return (width, height) if max(width, height) <= COARSEST_PIXEL else None
