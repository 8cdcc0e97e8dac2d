"""JPEG inside TIFF: the record of a page, of which every tile or strip is a JPEG of its own."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_deartifact.jpeg.header import ColorSpace, JPEGHeader, named_errors
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header
from napari_deartifact.jpeg.tiff_directories import opened_tiff
from napari_deartifact.messages import check_is_file

_JPEG = (7, 33007, 34892)
"""TIFF's codes for JPEG as Technical Note 2 has it; 33003 and 33005, Aperio's, are JPEG 2000."""

_RGB, _CONTIGUOUS = 2, 1
# A header is shorter, as a rule; what does not suffice is read whole.
_HEAD = 2048


def read_tiff_record(path: str | os.PathLike[str], page: int, tile: int | None) -> JPEGInfo:
    """Do what :meth:`JPEGInfo.from_tiff` says."""
    path = check_is_file(path)
    with path.open("rb") as stream:
        if stream.read(2) == b"\xff\xd8":
            raise ValueError(f"{path} is a JPEG file by its first bytes; use from_file")
    with opened_tiff(path) as file:
        return _record(path, file.pages, page, tile)


def _name(compression: Any) -> str:
    return str(getattr(compression, "name", compression))


def _record(path: Path, pages: Any, number: int, tile: int | None) -> JPEGInfo:
    if not 0 <= number < len(pages):
        raise ValueError(f"page {number} of {path}; expected 0 to {len(pages) - 1}")
    page = pages[number]
    if not is_jpeg(page):
        raise ValueError(
            f"page {number} of {path} is compressed by {_name(page.keyframe.compression)}; "
            "expected JPEG, code 7"
        )
    name = f"page {number} of {path}"
    if tile is not None:
        if not 0 <= tile < len(page.dataoffsets):
            raise ValueError(f"tile {tile} of {name}; expected 0 to {len(page.dataoffsets) - 1}")
        if _is_left_out(page, tile):
            raise ValueError(f"tile {tile} of {name} is left out of the file; name one that has a JPEG")
        with named_errors(f"tile {tile} of {name}"):
            return _tile_record(page, _tile_header(page, tile))
    record = page_record(page, name)
    if record is None and page.keyframe.planarconfig != _CONTIGUOUS:
        raise ValueError(
            f"{name} stores each colour as JPEGs of their own (planar configuration 2), so that no record "
            "fits its pixels; name one of them with tile=, and restore the colours by themselves, rgb=False"
        )
    if record is None:
        raise ValueError(
            f"the tiles of {name} differ in their tables, or cut coded units; name one with tile="
        )
    return record


def tile_record(page: Any, data: bytes) -> JPEGInfo:
    """Return the record of the JPEG in a tile or strip that was read already.

    Parameters
    ----------
    page : tifffile.TiffPage or tifffile.TiffFrame
        Compressed by JPEG; its file may be closed.
    data : bytes
        The tile as it is stored.

    Returns
    -------
    JPEGInfo

    Raises
    ------
    UnsupportedJPEGError, ValueError
        As `read_header`, and for a JPEG that is larger than its tile.
    """
    shared = page.keyframe.jpegheader
    if shared is None:
        header = read_header(io.BytesIO(data), tables=page.jpegtables)
    else:
        header = read_header(io.BytesIO(shared))
    header.check_size(len(data) + len(shared or b""))
    _check_fits(page, header)
    return _tile_record(page, header)


def is_jpeg(page: Any) -> bool:
    """Tell whether a page of tifffile is compressed by JPEG."""
    return int(page.keyframe.compression) in _JPEG


def page_record(page: Any, name: str) -> JPEGInfo | None:
    """Return the one record that fits a whole page.

    Parameters
    ----------
    page : tifffile.TiffPage or tifffile.TiffFrame
        Compressed by JPEG.
    name : str
        For messages.

    Returns
    -------
    JPEGInfo or None
        None when tiles differ in what counts, when coded units go over the border of a tile, when the
        page has no tile, or when its colours are stored in planes.

    Raises
    ------
    UnsupportedJPEGError, ValueError
        As `read_header`, for any of the tiles, and for a JPEG that is larger than its tile.
    """
    found: JPEGInfo | None = None
    for index, header in _headers(page, name):
        with named_errors(f"tile {index} of {name}"):
            _check_fits(page, header)
        height, width = _page_shape(page)
        record = replace(_tile_record(page, header), height=height, width=width, orientation=1)
        if found is not None and record != found:
            return None
        found = record
    if found is None or page.keyframe.planarconfig != _CONTIGUOUS:
        return None
    period = zip(_tile_shape(page), found.shape, found.mcu, strict=True)
    return found if all(tile >= whole or tile % unit == 0 for tile, whole, unit in period) else None


def _headers(page: Any, name: str) -> Iterator[tuple[int, JPEGHeader]]:
    """Yield the header of each tile, but for those that are left out of the file."""
    for index in range(len(page.dataoffsets)):
        if _is_left_out(page, index):
            continue
        with named_errors(f"tile {index} of {name}"):
            header = _tile_header(page, index)
        yield index, header
        if page.keyframe.jpegheader is not None:
            return  # NDPI: one header serves all of its strips


def _is_left_out(page: Any, index: int) -> bool:
    return not page.dataoffsets[index] or not page.databytecounts[index]


def _tile_header(page: Any, index: int) -> JPEGHeader:
    start, size = int(page.dataoffsets[index]), int(page.databytecounts[index])
    shared = page.keyframe.jpegheader
    if shared is not None:
        header = read_header(io.BytesIO(shared))
        header.check_size(size + len(shared))
        return header
    file = page.parent.filehandle
    size = min(size, max(file.size - start, 0))
    try:
        header = _read_start(file, start, min(size, _HEAD), page.jpegtables)
    except ValueError:
        header = _read_start(file, start, size, page.jpegtables)
    header.check_size(size)
    return header


def _read_start(file: Any, start: int, size: int, tables: bytes | None) -> JPEGHeader:
    file.seek(start)
    return read_header(io.BytesIO(file.read(size)), tables=tables)


def _check_fits(page: Any, header: JPEGHeader) -> None:
    """Refuse a JPEG that is larger than its tile, whose decoding could take any amount of memory."""
    allowed = [
        max(tile, whole) + 63 for tile, whole in zip(_tile_shape(page), _page_shape(page), strict=True)
    ]
    if header.height > allowed[0] or header.width > allowed[1]:
        raise ValueError(f"{header.height}×{header.width} pixels, more than the tile has")


def _tile_shape(page: Any) -> tuple[int, int]:
    frame = page.keyframe
    if frame.is_tiled:
        return int(frame.tilelength), int(frame.tilewidth)
    return min(int(frame.rowsperstrip), int(frame.imagelength)), int(frame.imagewidth)


def _page_shape(page: Any) -> tuple[int, int]:
    return int(page.keyframe.imagelength), int(page.keyframe.imagewidth)


def _tile_record(page: Any, header: JPEGHeader) -> JPEGInfo:
    return JPEGInfo.from_header(header, color_space=_color_space(page, header))


def _color_space(page: Any, header: JPEGHeader) -> ColorSpace:
    """Tell what the components are as tifffile does: RGB pages are, unless a JFIF marker says YCbCr."""
    keyframe = page.keyframe
    if (
        keyframe.photometric == _RGB
        and len(header.components) == 3
        and not keyframe.extrasamples
        and not keyframe.is_jfif
    ):
        return "rgb"
    return header.color_space
