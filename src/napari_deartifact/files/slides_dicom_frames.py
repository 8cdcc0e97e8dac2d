"""The frames of a DICOM slide: which tile each one shows, and where in the file it is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
"""Transfer syntaxes whose frames are not coded and follow upon each other."""

_ITEM = b"\xfe\xff\x00\xe0"
_ITEM_HEADER = 8
_ELEMENT_HEADER = {EXPLICIT: 12, IMPLICIT: 8}

Extent = tuple[int, int]
"""Start in the file and length, in bytes."""


def frame_places(path: Path, dataset: Any) -> dict[tuple[int, int, int], int]:
    """Map the plane, row and column of each tile to the number of its frame.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : pydicom.Dataset
        Tiled fully or sparsely.

    Raises
    ------
    ValueError
        When frames are missing, lie beside a regular grid, or show several focal planes.
    """
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if str(dataset.get("DimensionOrganizationType", "")) == "TILED_FULL" or not frames:
        return _places_in_order(path, dataset)
    height, width = int(dataset.Rows), int(dataset.Columns)
    paths = [_optical_path(frame) for frame in frames]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(paths))}
    places: dict[tuple[int, int, int], int] = {}
    for index, (frame, name) in enumerate(zip(frames, paths, strict=True)):
        position = frame.PlanePositionSlideSequence[0]
        top = int(position.RowPositionInTotalImagePixelMatrix) - 1
        left = int(position.ColumnPositionInTotalImagePixelMatrix) - 1
        if top % height or left % width:
            raise ValueError(f"frame {index} of {path} lies at ({top}, {left}); expected a regular grid")
        if places.setdefault((numbers[name], top // height, left // width), index) != index:
            raise ValueError(f"{path} has several focal planes; save one of them by itself")
    return places


def _places_in_order(path: Path, dataset: Any) -> dict[tuple[int, int, int], int]:
    rows = -(-int(dataset.TotalPixelMatrixRows) // int(dataset.Rows))
    columns = -(-int(dataset.TotalPixelMatrixColumns) // int(dataset.Columns))
    count = frame_count(dataset)
    if count < rows * columns:
        raise ValueError(f"{path} announces {rows}×{columns} tiles and holds {count} frames")
    order = np.ndindex(count // (rows * columns), rows, columns)
    return {(int(p), int(r), int(c)): index for index, (p, r, c) in enumerate(order)}


def _optical_path(frame: Any) -> str:
    found = frame.get("OpticalPathIdentificationSequence")
    return str(found[0].get("OpticalPathIdentifier", "")) if found else ""


def frame_count(dataset: Any) -> int:
    """Return how many frames a data set announces."""
    return int(dataset.get("NumberOfFrames") or 1)


def frame_extents(path: Path, dataset: Any, stream: BinaryIO, size: int) -> list[list[Extent]]:
    """Find the parts that each frame is stored in.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : pydicom.Dataset
    stream : binary file
        At the element of the pixel data.
    size : int
        Bytes of a frame that is not coded.

    Raises
    ------
    ValueError
        When the file does not tell which of its parts belong to which frame.
    """
    count, syntax = frame_count(dataset), str(dataset.file_meta.TransferSyntaxUID)
    stream.seek(_ELEMENT_HEADER.get(syntax, _ELEMENT_HEADER[EXPLICIT]), os.SEEK_CUR)
    if syntax in _ELEMENT_HEADER:
        start = stream.tell()
        return [[(start + index * size, size)] for index in range(count)]
    items = _items(stream)
    start, length = next(items, (0, 0))
    stream.seek(start)
    offsets = np.frombuffer(stream.read(length), "<u4").tolist()
    stream.seek(start + length)
    fragments = list(items)
    if len(fragments) == count or count == 1:
        return [[part] for part in fragments] if count > 1 else [fragments]
    if len(offsets) != count:
        raise ValueError(
            f"{path} announces {count} frames and holds {len(fragments)} fragments without an "
            "offset table; get a complete copy of the file"
        )
    return _by_offsets(fragments, [start + length + offset for offset in offsets])


def _items(stream: BinaryIO) -> Iterator[Extent]:
    """Yield the items of an encapsulated element, whose contents are not read."""
    while True:
        head = stream.read(_ITEM_HEADER)
        if len(head) < _ITEM_HEADER or head[:4] != _ITEM:
            return
        start, length = stream.tell(), int.from_bytes(head[4:], "little")
        yield start, length
        stream.seek(start + length)


def _by_offsets(fragments: list[Extent], starts: list[int]) -> list[list[Extent]]:
    """Join the fragments that lie between the starts of two frames."""
    frames: list[list[Extent]] = [[] for _ in starts]
    frame = -1
    for start, length in fragments:
        while frame + 1 < len(starts) and start - _ITEM_HEADER >= starts[frame + 1]:
            frame += 1
        frames[max(frame, 0)].append((start, length))
    return frames
