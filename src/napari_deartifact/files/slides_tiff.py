"""Slides in TIFF: Aperio's SVS, Hamamatsu's NDPI, OME-TIFF and any other that is cut into tiles or strips."""

from __future__ import annotations

import os
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.tiff import COARSEST_PIXEL, MICROMETRES, only_series
from napari_deartifact.jpeg.header import UnsupportedJPEGError
from napari_deartifact.jpeg.in_tiff import is_jpeg, tile_record
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tiff_directories import opened_tiff
from napari_deartifact.messages import check_is_file

_ICC = 34675
_PHOTOMETRICS = {0: "miniswhite", 1: "minisblack", 2: "rgb", 6: "rgb"}
_CONTIGUOUS = 1
_LONGEST_PROPERTY = 200
_LARGE = 2**26
"""Pixels from which a picture is restored in parts, however it is stored."""
_PER_MICROMETRE = {"nm": 1e-3, "µm": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "Å": 1e-4, "pm": 1e-6}


class TIFFTiles:
    """The tiles or strips of the pages of one level; the file is only open while a tile is read."""

    def __init__(self, path: Path, level: Any) -> None:
        self._path, self._level, self._pages = path, level, list(level.pages)
        self._tables = [(page.jpegtables, page.keyframe.jpegheader) for page in self._pages]
        self._decode = level.keyframe.decode
        self.record = lru_cache(maxsize=4096)(self._record)

    def pixels(self, plane: int, row: int, column: int) -> NDArray[Any] | None:
        """Decode a tile; see `SlideTiles`."""
        data, index = self._data(plane, row, column), self._index(row, column)
        if data is None:
            return None
        if is_jpeg(self._level):
            self.record(plane, row, column)  # refuses what would decode to more than a tile
        tables, header = self._tables[plane]
        try:
            tile = self._decode(data, index, jpegtables=tables, jpegheader=header)[0]
        except Exception as error:
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
        if tile is None:
            raise ValueError("nothing decoded")
        pixels: NDArray[Any] = np.asarray(tile)[0]
        return pixels

    def _record(self, plane: int, row: int, column: int) -> JPEGInfo | None:
        data = self._data(plane, row, column)
        try:
            return None if data is None else tile_record(self._pages[plane], data)
        except UnsupportedJPEGError:  # lossless, which has no cells
            return None

    def _data(self, plane: int, row: int, column: int) -> bytes | None:
        """Read a tile as it is stored; None when the file leaves it out."""
        page, index = self._pages[plane], self._index(row, column)
        start, size = int(page.dataoffsets[index]), int(page.databytecounts[index])
        if not start or not size:
            return None
        with self._path.open("rb") as stream:
            if start + size > os.fstat(stream.fileno()).st_size:
                raise ValueError("beyond the end of the file")
            stream.seek(start)
            return stream.read(size)

    def _index(self, row: int, column: int) -> int:
        return row * -(-int(self._level.keyframe.imagewidth) // self.tile_shape[1]) + column

    @property
    def count(self) -> int:
        """How many tiles every page lists, those that are left out included."""
        return min(min(len(page.dataoffsets), len(page.databytecounts)) for page in self._pages)

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Rows and columns of a tile or strip."""
        rows, columns = self._level.keyframe.chunks[:2]
        return int(rows), int(columns)


def open_tiff_slide(path: str | os.PathLike[str], level: int = 0) -> Slide:
    """Open a TIFF slide.

    Parameters
    ----------
    path : path
        SVS, NDPI, OME-TIFF or any TIFF of one picture, pyramidal or not, grey or RGB, in one or several
        independent channels.
    level : int
        Of the pyramid; 0 is the full resolution.

    Returns
    -------
    Slide

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is not there, is damaged, or holds something else than one such picture.
    """
    path = check_is_file(path, "slide file")
    with opened_tiff(path) as file:
        levels = _slide_levels(path, file)
        page, tiles = levels[level].keyframe, TIFFTiles(path, levels[level])
        slide = Slide(
            path=path,
            format="SVS" if file.is_svs else "NDPI" if file.is_ndpi else "TIFF",
            shape=(int(page.imagelength), int(page.imagewidth)),
            planes=len(levels[level].pages),
            samples=int(page.samplesperpixel),
            dtype=np.dtype(page.dtype),
            tile_shape=tiles.tile_shape,
            tiles=tiles,
            opener=partial(open_tiff_slide, level=level),
            pixel_size=_pixel_size(file, levels, level),
            level_count=len(levels),
            jpeg_coded=is_jpeg(page),
            photometric=_PHOTOMETRICS[int(page.photometric)],
            description=page.description or "",
            properties=_properties(file),
            icc=page.tags[_ICC].value if _ICC in page.tags else None,
        )
    rows, columns = slide.grid_shape
    if tiles.count < rows * columns:
        raise ValueError(f"{path} is damaged: it announces {rows}×{columns} tiles and lists {tiles.count}")
    return slide


def is_tiff_slide(path: str | os.PathLike[str]) -> bool:
    """Tell whether a TIFF is to be taken as a slide: a scanner's, a pyramid, tiled, or very large."""
    with opened_tiff(path, quiet=True) as file:
        if not file.series:
            return False
        page = file.series[0].keyframe
        pixels = int(page.imagelength) * int(page.imagewidth)
        many = len(file.series[0].levels) > 1 or (page.is_tiled and len(page.dataoffsets) > 1)
        return bool(file.is_svs or file.is_ndpi or many or pixels > _LARGE)


def _slide_levels(path: Path, file: Any) -> Any:
    """Return the levels of the only picture, once it is one that can be restored in parts."""
    series = only_series(path, file)
    level, page = series.levels[0], series.levels[0].keyframe
    planes = {axis: size for axis, size in zip(level.axes, level.shape, strict=True) if axis not in "YXS"}
    if any(size > 1 and axis != "C" for axis, size in planes.items()) or int(page.imagedepth) > 1:
        raise ValueError(
            f"{path} has the axes {level.axes} of shape {level.shape}; expected one plane, or channels (C)"
        )
    if None in list(level.pages):
        raise ValueError(f"{path} leaves out planes; get a complete copy of the file")
    samples = int(page.samplesperpixel)
    known = int(page.photometric) in _PHOTOMETRICS and samples in (1, 3, 4)
    if not known or (samples > 1 and (page.planarconfig != _CONTIGUOUS or len(level.pages) > 1)):
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(
            f"{path} has {name} pixels of {samples} samples, planar configuration {int(page.planarconfig)}; "
            "expected grey, or RGB with the samples of a pixel side by side"
        )
    if level.dtype.kind not in "uif" or int(page.bitspersample) < 8:
        raise ValueError(f"{path} has {page.bitspersample}-bit {level.dtype} pixels; expected 8 bits or more")
    return series.levels


def _properties(file: Any) -> dict[str, Any]:
    """Return what the scanner says of itself and the scan."""
    page = file.pages[0]
    told = dict(page.ndpi_tags or {}) if file.is_ndpi else {}
    if file.is_svs:
        told = _aperio_properties(page.description)
    plain = {str(key): value for key, value in told.items() if _is_short(value)}
    for tag in ("Make", "Model", "Software", "DateTime"):
        value = page.tags.valueof(tag)
        if isinstance(value, str) and value.strip():
            plain.setdefault(tag, value.strip())
    return plain


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _LONGEST_PROPERTY)


def _aperio_properties(description: str) -> dict[str, str]:
    """Take Aperio's description apart.

    Examples
    --------
    >>> _aperio_properties("Aperio Image Library v11|AppMag = 20|MPP = 0.499")
    {'AppMag': '20', 'MPP': '0.499'}
    """
    pairs = (item.partition("=") for item in description.split("|")[1:])
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _pixel_size(file: Any, levels: Any, level: int) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm; coarser levels cover what the finest does."""
    finest, page = levels[0].keyframe, levels[level].keyframe
    size = _finest_pixel_size(file, finest)
    if size is None:
        return None
    factors = finest.imagelength / page.imagelength, finest.imagewidth / page.imagewidth
    return size[0] * factors[0], size[1] * factors[1]


def _finest_pixel_size(file: Any, page: Any) -> tuple[float, float] | None:
    """Take the size of a pixel from the description or the resolution tags."""
    if file.is_svs:
        size = _positive(_properties(file).get("MPP"))
        if size is not None:
            return size, size
    if file.is_ome:
        found = _ome_pixel_size(file.ome_metadata or "")
        if found is not None:
            return found
    unit = MICROMETRES.get(int(page.resolutionunit))
    sizes = [_positive(unit and value and unit / value) for value in reversed(page.resolution)]
    if None in sizes or max(size or 0.0 for size in sizes) > COARSEST_PIXEL:
        return None
    return sizes[0] or 0.0, sizes[1] or 0.0


def _ome_pixel_size(xml: str) -> tuple[float, float] | None:
    from xml.etree import ElementTree

    try:
        pixels = ElementTree.fromstring(xml).find("{*}Image/{*}Pixels")  # noqa: S314  (expat bounds expansion)
    except ElementTree.ParseError:
        pixels = None
    if pixels is None:
        return None
    sizes = []
    for axis in "YX":
        size = _positive(pixels.get(f"PhysicalSize{axis}"))
        scale = _PER_MICROMETRE.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None or scale is None:
            return None
        sizes.append(size * scale)
    return sizes[0], sizes[1]


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
