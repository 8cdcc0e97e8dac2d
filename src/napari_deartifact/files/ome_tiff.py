"""OME-TIFF: a pyramid of tiles, written as the tiles come, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.files.ome_zarr import Pyramid
from napari_deartifact.tiling import Progress

_CLASSIC_LIMIT = 2**32 - 2**25
_CENTIMETRE = 10000.0
_WAITING_TILES = 4
_MULTIPLE = 16
"""Of which TIFF wants the edges of tiles to be multiples."""


@dataclass(frozen=True)
class TIFFLabels:
    """What an OME-TIFF says beside its pixels.

    Attributes
    ----------
    photometric : str
        As tifffile names it.
    description : str
        Of the image.
    properties : dict
        Written as a map annotation.
    uuid : str
        Of the file; the same for the same work, so that what went on after a break is the same to the byte.
    icc : bytes, optional
        Colour profile.
    """

    photometric: str
    description: str
    properties: Mapping[str, Any]
    uuid: str
    icc: bytes | None = None


def tile_count(pyramid: Pyramid) -> int:
    """Count the tiles that `write_ome_tiff` writes."""
    planes = 1 if pyramid.layout.rgb else pyramid.layout.shape[0]
    edge = _tile_edge(pyramid)
    return planes * sum(
        sum(1 for _ in pyramid.windows(level, edge)) for level in range(len(pyramid.layout.levels))
    )


def write_ome_tiff(path: Path, pyramid: Pyramid, labels: TIFFLabels) -> Generator[Progress, None, None]:
    """Write a pyramid as an OME-TIFF, a tile a step; to cancel, stop iterating.

    Parameters
    ----------
    path : path
        What is there is replaced; it is complete when the generator ends.
    pyramid : Pyramid
    labels : TIFFLabels

    Yields
    ------
    Progress

    Notes
    -----
    Tiles are compressed by Deflate with horizontal differencing, which every reader knows.  Coarser levels
    are SubIFDs of the first, as OME-TIFF 6 has it.
    """
    total = tile_count(pyramid)
    waiting: Queue[NDArray[Any] | None] = Queue(_WAITING_TILES)
    failures: list[BaseException] = []
    writer = Thread(target=_write, args=(path, pyramid, labels, waiting, failures), daemon=True)
    writer.start()
    try:
        for done, tile in enumerate(_tiles(pyramid), 1):
            waiting.put(tile)
            if failures:
                break
            yield Progress(done, total)
    finally:
        waiting.put(None)
        writer.join()
    if failures:
        raise failures[0]


def _write(
    path: Path,
    pyramid: Pyramid,
    labels: TIFFLabels,
    waiting: Queue[NDArray[Any] | None],
    failures: list[BaseException],
) -> None:
    """Let tifffile take tiles from a queue: it wants an iterator, and so does who asks for steps."""
    try:
        _write_levels(path, pyramid, labels, _arriving(waiting))
    except BaseException as error:  # noqa: BLE001  (it is raised where the steps are asked for)
        failures.append(error)
        while not isinstance(error, _Cancelled) and waiting.get() is not None:
            pass


class _Cancelled(Exception):
    """No more tiles come."""


def _arriving(waiting: Queue[NDArray[Any] | None]) -> Iterator[NDArray[Any]]:
    while True:
        tile = waiting.get()
        if tile is None:
            raise _Cancelled
        yield tile


def _write_levels(path: Path, pyramid: Pyramid, labels: TIFFLabels, tiles: Iterator[NDArray[Any]]) -> None:
    import tifffile

    layout = pyramid.layout
    edge, shapes = _tile_edge(pyramid), layout.levels
    options: dict[str, Any] = {
        "dtype": layout.dtype,
        "tile": (edge, edge),
        "compression": "zlib",
        "predictor": True,
        "photometric": labels.photometric,
    }
    if layout.rgb:
        options |= {"planarconfig": "contig"} | (
            {"extrasamples": ["unassalpha"]} if layout.shape[0] == 4 else {}
        )
    with tifffile.TiffWriter(
        path, bigtiff=_size(layout.levels, layout.dtype) > _CLASSIC_LIMIT, ome=True
    ) as file:
        for level, shape in enumerate(shapes):
            first = {
                "subifds": len(shapes) - 1,
                "metadata": _metadata(pyramid, labels),
                "iccprofile": labels.icc,
            }
            count = sum(1 for _ in pyramid.windows(level, edge)) * (1 if layout.rgb else shape[0])
            file.write(
                _taken(tiles, count),
                shape=(*shape[1:], shape[0]) if layout.rgb else shape,
                software=f"napari-deartifact {__version__}",
                **options,
                **_resolution(pyramid, level),
                **(first if level == 0 else {"subfiletype": 1}),
            )


def _taken(tiles: Iterator[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
    for _ in range(count):
        yield next(tiles)


def _tiles(pyramid: Pyramid) -> Iterator[NDArray[Any]]:
    """Yield whole tiles in the order of the file; what lies beyond the picture repeats its border."""
    layout, edge = pyramid.layout, _tile_edge(pyramid)
    for level in range(len(layout.levels)):
        planes = [slice(None)] if layout.rgb else [slice(c, c + 1) for c in range(layout.shape[0])]
        for plane in planes:
            for rows, columns in pyramid.windows(level, edge):
                pixels = pyramid.read(level, rows, columns)[plane]
                missing = [(0, 0), *((0, edge - side) for side in pixels.shape[1:])]
                whole = np.pad(pixels, missing, mode="edge")
                yield np.moveaxis(whole, 0, -1).copy() if layout.rgb else whole[0]


def _tile_edge(pyramid: Pyramid) -> int:
    return -(-pyramid.layout.chunk // _MULTIPLE) * _MULTIPLE


def _size(shapes: list[tuple[int, int, int]], dtype: np.dtype[Any]) -> int:
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes) * dtype.itemsize


def _metadata(pyramid: Pyramid, labels: TIFFLabels) -> dict[str, Any]:
    layout = pyramid.layout
    metadata: dict[str, Any] = {
        "axes": "YXS" if layout.rgb else "CYX",
        "Name": layout.name,
        "Creator": f"napari-deartifact {__version__}",
        "UUID": labels.uuid,
    }
    if layout.pixel_size is not None:
        for axis, size in zip("YX", layout.pixel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    if labels.description:
        metadata["Description"] = labels.description
    if labels.properties:
        metadata["MapAnnotation"] = {key: str(value) for key, value in labels.properties.items()}
    return metadata


def _resolution(pyramid: Pyramid, level: int) -> dict[str, Any]:
    if pyramid.layout.pixel_size is None:
        return {}
    height, width = (size * 2**level for size in pyramid.layout.pixel_size)
    return {"resolution": (_CENTIMETRE / width, _CENTIMETRE / height), "resolutionunit": "CENTIMETER"}
