"""TIFF, written so that it still says of its axes and its scale what was read."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.tiff import TIFFTags
from napari_deartifact.files.tiff_ome import kept_description, ome_options
from napari_deartifact.files.tiff_tags import ORIENTATION, Words

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_IMAGEJ_TABLE = (3, 256)
# What tifffile derives from the shape and writes itself.
_IMAGEJ_DERIVED = {"ImageJ", "axes", "shape", "images", "channels", "slices", "frames", "hyperstack"}


def write_tiff(
    path: str | os.PathLike[str],
    pixels: NDArray[Any],
    *,
    tags: TIFFTags | None = None,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    orientation: int = 1,
    color: bool = False,
    inverted: bool = False,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    software: str | None = None,
    ome: bool = False,
) -> None:
    """Write a TIFF; what `tags` says of the axes and the scale is said again.

    Parameters
    ----------
    path : path
        The target.
    pixels : ndarray
        Of any dtype.
    tags : TIFFTags, optional
        Of the file that the pixels come from.
    icc, dpi, orientation
        The same, of a file that was no TIFF.
    color : bool
        Whether the last axis holds the samples of a pixel, when there are no `tags`.
    inverted : bool
        Whether white is the lowest grey, when there are no `tags`.
    exif, xmp : bytes, optional
        Blocks as other files have them.  BigTIFF gets the texts of EXIF, but not its directories.
    software : str, optional
        For the tag of that name, where the texts have none.
    ome : bool
        Say axes and pixel size in OME-XML, as OME-TIFF does; what was OME-TIFF keeps its own.
    """
    import tifffile

    options: dict[str, Any] = {"metadata": None, "compression": "zlib", "photometric": "minisblack"}
    if tags is None or tags.shape != pixels.shape:
        channels = pixels.shape[-1] if color else 1
        options |= {"photometric": "rgb" if channels in (3, 4) else "minisblack"}
        options |= {"photometric": "miniswhite"} if inverted and channels == 1 else {}
        options |= {"planarconfig": "contig"} if channels > 1 else {}
        options |= {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
        options |= {"resolution": dpi, "resolutionunit": 2} if dpi else {}
    else:
        options |= _options(tags, pixels.dtype)
        orientation, icc = tags.orientation, tags.icc
    if ome and not (tags is not None and tags.flavour == "ome" and "description" in options):
        options = ome_options(options, pixels, tags, color=color, dpi=dpi)
    words = Words.of(tags.texts if tags else {}, exif, xmp)
    options |= {"software": software} if software else {}
    options |= words.options()
    if orientation != 1:
        options["extratags"].append((ORIENTATION, "H", 1, orientation, True))
    if pixels.nbytes > 2**32 - 2**25 and not options.get("imagej"):
        options["bigtiff"] = True
    tifffile.imwrite(path, pixels, iccprofile=icc, **options)
    words.add_directories(path)


def _options(tags: TIFFTags, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Tell tifffile what the tags say."""
    options: dict[str, Any] = {"photometric": tags.photometric}
    if "S" in tags.axes:
        options["planarconfig"] = "contig" if tags.axes.endswith("S") else "separate"
        options |= {"extrasamples": tags.extra_samples} if tags.extra_samples else {}
    if tags.resolution is not None:
        options |= {"resolution": tags.resolution, "resolutionunit": tags.resolution_unit}
    if tags.flavour == "imagej" and _suits_imagej(tags.axes, dtype):
        properties = {key: value for key, value in tags.imagej.items() if key not in _IMAGEJ_DERIVED}
        table = tags.color_table
        if table is not None and table.shape == _IMAGEJ_TABLE and dtype == tags.dtype:
            options["colormap"] = table
        return options | {
            "imagej": True,
            "compression": None,
            "metadata": {**properties, "axes": tags.axes},
        }
    if tags.flavour == "ome" and dtype == tags.dtype:
        description = kept_description(tags)
        if description is not None:
            return options | {"description": description.encode()}
    if tags.flavour != "ome" and tags.description and not tags.description.startswith('{"shape"'):
        return options | {"description": tags.description.encode()}
    return options | ({"metadata": {"axes": tags.axes}} if len(tags.axes.replace("S", "")) > 2 else {})


def _suits_imagej(axes: str, dtype: np.dtype[Any]) -> bool:
    """Tell whether ImageJ's dialect of TIFF has such pixels."""
    return set(axes) <= set("TZCYXS") and dtype.name in (("uint8",) if "S" in axes else _IMAGEJ_DTYPES)
