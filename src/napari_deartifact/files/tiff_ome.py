"""What an OME-TIFF says of pixels that come from another kind of file: their axes and the size of a pixel."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.files.tiff import COARSEST_PIXEL, MICROMETRES, TIFFTags

_DTYPES = frozenset({"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"})
_AXES, _FOR_UNNAMED = "TZCYXS", "TZC"
_INCH = 2
_IMAGE = re.compile(r"<(?:\w+:)?Image\b.*?</(?:\w+:)?Image>\s*", re.DOTALL)
_PLACES = re.compile(r"<(\w+:)?TiffData\b[^>]*(?:/>|(?<!/)>.*?</(?:\w+:)?TiffData>)\s*", re.DOTALL)
_UUID = re.compile(r"""\sUUID=("[^"]*"|'[^']*')""")
_IN_ORDER_OF_FILE = "I"  # an axis of tifffile, when it does not go by the XML
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
    kept = {key: value for key, value in options.items() if key not in ("imagej", "description", "colormap")}
    return kept | {"ome": True, "compression": "zlib", "metadata": metadata}


def kept_description(tags: TIFFTags) -> str | None:
    """Let the OME-XML of a TIFF say that its planes follow one another in one file, by their axes.

    Parameters
    ----------
    tags : TIFFTags
        Of an OME-TIFF.

    Returns
    -------
    str or None
        None when no image of the XML is the one that was read, or when it was not read by the XML.
    """
    try:
        root = ElementTree.fromstring(tags.description)  # noqa: S314  (expat bounds expansion)
    except ElementTree.ParseError:
        return None
    images, blocks = root.findall("{*}Image"), _IMAGE.findall(tags.description)
    fitting = [block for image, block in zip(images, blocks, strict=False) if _is_of(image, tags)]
    places = _PLACES.search(fitting[0]) if fitting else None
    if places is None or len(blocks) != len(images) or _IN_ORDER_OF_FILE in tags.axes:
        return None
    sides = dict(zip(tags.axes, tags.shape, strict=True))
    count = math.prod(side for axis, side in sides.items() if axis not in "YXS")
    place = f'<{places[1] or ""}TiffData IFD="0" PlaneCount="{count}"/>'
    before, after = fitting[0][: places.start()], fitting[0][places.start() :]
    written = before.replace(' Type="bit"', ' Type="uint8"') + place + _PLACES.sub("", after)
    kept = _IMAGE.sub(lambda match: written if match[0] == fitting[0] else "", tags.description)
    return _UUID.sub("", kept)


def _is_of(image: ElementTree.Element, tags: TIFFTags) -> bool:
    """Tell whether an image of OME-XML has as many planes as were read, of that size."""
    pixels = image.find("{*}Pixels")
    if pixels is None:
        return False
    try:
        sizes = {axis: int(pixels.get(f"Size{axis}", "")) for axis in "XYZCT"}
    except ValueError:
        return False
    sides = dict(zip(tags.axes, tags.shape, strict=True))
    planes = math.prod(side for axis, side in sides.items() if axis not in "YX")
    fits = sizes["X"] == sides["X"] and sizes["Y"] == sides["Y"]
    return fits and sizes["Z"] * sizes["C"] * sizes["T"] == planes


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
