"""TIFF, read by what its axes and photometric tags say."""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.tiff_tags import read_exif, read_orientation, read_resolution, read_texts
from napari_deartifact.jpeg.header import UnsupportedJPEGError
from napari_deartifact.jpeg.in_tiff import is_jpeg, page_record
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tiff_directories import opened_tiff

_ICC = 34675
_GREY = {0: "miniswhite", 1: "minisblack"}
_PALETTE, _RGB, _YCBCR = 3, 2, 6
_UNSPECIFIED, _ALPHA = 0, (1, 2)
_FEW_BITS = (1, 2, 4)
_FILE_NAME = re.compile(r"<(?:\w+:)?UUID\b[^>]*\sFileName=[\"']([^\"']*)")
_TOLD = 4
# Codecs other than those for photographs gain up to about a thousand; this is beyond all but empty pictures.
_PLAUSIBLE_GAIN, _ALWAYS_PLAUSIBLE = 4096, 2**26

MICROMETRES = {2: 25400.0, 3: 10000.0}
"""Of the units of a resolution tag."""
COARSEST_PIXEL = 50.0
"""µm; a resolution tag that says more is a printer's, not a microscope's."""

Flavour = Literal["plain", "imagej", "ome"]


@dataclass(frozen=True)
class TIFFTags:
    """What a TIFF says of its pixels.

    Attributes
    ----------
    axes : str
        A letter an axis: T, Z, C, Y, X as in OME, S for the samples of a pixel, I or Q for others.
    channel_axis : int or None
        Position of S, or else of C.
    rgb, alpha : bool
        Whether the channels are RGB or RGBA, and whether the last one is alpha.  A fourth sample of RGB
        that is not said to be alpha is kept as it is all the same.
    photometric : str
        As tifffile names it.
    flavour : {"plain", "imagej", "ome"}
        Who wrote the description.
    imagej : dict
        ImageJ's properties, when it was ImageJ.
    description : str
        Of the first page; OME-XML when the flavour is OME.
    resolution : (float, float) or None
        Pixels a `resolution_unit` along X and Y.
    resolution_unit : int
        1 none, 2 inch, 3 centimetre.
    orientation : int
        1 to 8.
    icc : bytes, optional
        Colour profile.
    shape, dtype
        Of the pixels as they were read.
    compressed : bool
        Whether they were.
    texts : dict of int to str or bytes
        What else the first page says, by the codes of the tags: XMP, artist, copyright and such.
    exif : bytes, optional
        Its EXIF and GPS directories as a block.
    extra_samples : tuple of int
        What each sample beyond grey or RGB is: 0 not said, 1 premultiplied alpha, 2 alpha.
    color_table : ndarray, shape (3, 256), optional
        With which ImageJ shows a grey picture.
    """

    axes: str
    channel_axis: int | None
    rgb: bool
    alpha: bool
    photometric: str
    flavour: Flavour
    imagej: dict[str, Any]
    description: str
    resolution: tuple[float, float] | None
    resolution_unit: int
    orientation: int
    icc: bytes | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    compressed: bool
    texts: dict[int, str | bytes] = field(default_factory=dict)
    exif: bytes | None = None
    extra_samples: tuple[int, ...] = ()
    color_table: NDArray[np.uint16] | None = None


def read_tiff(path: str | os.PathLike[str]) -> tuple[NDArray[Any], TIFFTags, JPEGInfo | None]:
    """Read the one picture or stack of a TIFF.

    Parameters
    ----------
    path : path
        Plain, multi-page, ImageJ or OME-TIFF, SVS or NDPI.  Of a pyramid the full resolution is read,
        and of a slide nothing but the slide.

    Returns
    -------
    pixels : ndarray
        As stored, with these exceptions: samples of 1, 2 and 4 bits are scaled to 8, and palettes are
        resolved to RGB, except ImageJ's, which only colour a grey picture.
    tags : TIFFTags
    jpeg : JPEGInfo or None
        The record that fits every plane, when the pixels are compressed by JPEG.

    Raises
    ------
    ValueError
        When the file is damaged, compressed in a way that needs another package, or holds several
        pictures, CMYK, or axes in an order that cannot be restored.  Also for a file of an OME-TIFF set:
        each of its files stands for the whole picture, so that all planes would be written once a file.
    """
    with opened_tiff(path) as file:
        try:
            return _read(Path(path), file)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise ValueError(
                f"{path} is compressed in a way that needs another package: "
                "pip install 'napari-deartifact[slides]'"
            ) from error


def _read(path: Path, file: Any) -> tuple[NDArray[Any], TIFFTags, JPEGInfo | None]:
    series = only_series(path, file)
    page = series.keyframe
    if page.photometric not in (*_GREY, _PALETTE, _RGB, _YCBCR):
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(
            f"{path} has {name} pixels, and only grey and RGB can be restored; convert it to RGB"
        )
    if len(series.levels) > 1:
        warnings.warn(f"{path} is a pyramid; only its full resolution is read", UserWarning, stacklevel=5)
    _check_plausible(path, file, series)
    jpeg = _jpeg_record(path, series)
    pixels, axes = series.asarray(), series.axes
    if pixels.shape != tuple(series.shape):
        raise ValueError(
            f"{path} is truncated: {series.shape} pixels were announced, {pixels.shape} are there"
        )
    has_palette = page.photometric == _PALETTE and not file.is_imagej
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if page.bitspersample in _FEW_BITS and pixels.dtype == np.uint8 and not has_palette:
        pixels = pixels * np.uint8(255 // (2**page.bitspersample - 1))
    photometric = _GREY.get(page.photometric, "minisblack")
    if has_palette:
        pixels, axes, photometric = _resolve_palette(pixels, page.colormap), axes + "S", "rgb"
    elif page.photometric in (_RGB, _YCBCR):
        photometric = "rgb"
    channel_axis = _channel_axis(path, axes)
    samples = pixels.shape[axes.index("S")] if "S" in axes else 1
    rgb = photometric == "rgb" and samples in (3, 4) and not _is_composite(file)
    extra_samples = _extra_samples(page, samples - (3 if photometric == "rgb" else 1))
    has_one_extra = len(extra_samples) == 1 and (rgb or photometric != "rgb")
    flavour: Flavour = "ome" if file.is_ome else "imagej" if file.is_imagej else "plain"
    tags = TIFFTags(
        axes=axes,
        channel_axis=channel_axis,
        rgb=rgb,
        alpha=has_one_extra and extra_samples[0] in _ALPHA,
        photometric=photometric,
        flavour=flavour,
        imagej=dict(file.imagej_metadata or {}) if flavour == "imagej" else {},
        description=page.description or "",
        resolution=read_resolution(page),
        resolution_unit=int(page.resolutionunit),
        orientation=read_orientation(page),
        icc=page.tags[_ICC].value if _ICC in page.tags else None,
        shape=pixels.shape,
        dtype=pixels.dtype,
        compressed=page.compression != 1,
        texts=read_texts(page),
        exif=read_exif(path, page),
        extra_samples=extra_samples,
        color_table=page.colormap if flavour == "imagej" else None,
    )
    planes = [side for axis, side in zip(axes, pixels.shape, strict=True) if axis in "YX"]
    colors = 3 if tags.rgb else 1
    fits = jpeg is not None and jpeg.shape == tuple(planes) and len(jpeg.tables) == colors
    return pixels, tags, jpeg if fits else None


def _check_plausible(path: Path, file: Any, series: Any) -> None:
    """Refuse dimensions for which the file is far too small, before memory is taken for them."""
    pixels = max(series.size, math.prod(series.keyframe.chunks))  # a tile may claim more than the picture
    announced = pixels * series.dtype.itemsize
    pages = [page for page in series.pages if page is not None]
    held = sum(part.filehandle.size for part in {page.parent for page in pages})
    largest = max((max(page.databytecounts, default=0) for page in pages), default=0)
    if largest > held:
        raise ValueError(f"{path} is truncated: a tile of {largest} bytes is announced in a file of {held}")
    if announced > max(_PLAUSIBLE_GAIN * held, _ALWAYS_PLAUSIBLE):
        raise ValueError(
            f"{path} claims an implausible size: {announced} bytes of pixels in a file of {held}; "
            "get a complete copy of the file"
        )


def _jpeg_record(path: Path, series: Any) -> JPEGInfo | None:
    """Return the record that all pages share, if they are JPEGs and do."""
    if not is_jpeg(series.keyframe):
        return None
    found: JPEGInfo | None = None
    for index, page in enumerate(series.pages):
        if page is None:
            continue
        try:
            record = page_record(page, f"page {index} of {path}")
        except UnsupportedJPEGError:  # lossless, which has no cells
            return None
        if record is None or (found is not None and record != found):
            return None
        found = record
    return found


def only_series(path: Path, file: Any) -> Any:
    """Return the one picture of a TIFF file, without thumbnail, label and macro.

    Raises
    ------
    ValueError
        When there is none, more than one, or a part of one whose other planes are in other files.
    """
    _refuse_sets(path, file)
    full = [series for series in file.series if not series.keyframe.is_reduced]
    if file.is_svs or file.is_ndpi:
        full = full[:1]
    if not full or full[0].size == 0:
        raise ValueError(f"{path} holds no pixels; get a complete copy of the file")
    if len(full) > 1:
        shapes = ", ".join("×".join(map(str, series.shape)) for series in full[:_TOLD])
        raise ValueError(f"{path} holds {len(full)} pictures ({shapes}); save them as single files")
    return full[0]


def _refuse_sets(path: Path, file: Any) -> None:
    names = sorted(set(_FILE_NAME.findall(file.ome_metadata or "")))
    if len(names) > 1:
        told = ", ".join(names[:_TOLD]) + (", …" if len(names) > _TOLD else "")
        raise ValueError(
            f"{path} is a part of an OME-TIFF set of {len(names)} files ({told}); merge them into one file "
            "with Fiji or bfconvert"
        )


def _extra_samples(page: Any, count: int) -> tuple[int, ...]:
    """Return what each of so many samples beyond the colours is, as far as the tag says it."""
    kinds = [int(kind) if kind in _ALPHA else _UNSPECIFIED for kind in page.extrasamples or ()]
    return tuple(kinds) if len(kinds) == count else (_UNSPECIFIED,) * count


def _is_composite(file: Any) -> bool:
    """Tell whether ImageJ stored independent channels as if they were RGB."""
    return bool(file.is_imagej) and (file.imagej_metadata or {}).get("mode") == "composite"


def _channel_axis(path: Path, axes: str) -> int | None:
    channel = next((letter for letter in "SC" if letter in axes), None)
    planes = axes.replace(channel, "") if channel else axes
    if not planes.endswith("YX"):
        raise ValueError(f"{path} has the axes {axes}; expected Y and X last, channels aside")
    return None if channel is None else axes.index(channel)


def _resolve_palette(indices: NDArray[Any], colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    colors: NDArray[np.uint16] = colormap.T[indices]
    return (colors >> 8).astype(np.uint8)
