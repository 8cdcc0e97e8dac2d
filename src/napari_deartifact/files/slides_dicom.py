"""Slides in DICOM: an instance of VL Whole Slide Microscopy, whose frames are the tiles of one matrix."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.dicom import CODECS, COLORS
from napari_deartifact.files.slides_base import Slide, check_file
from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.jpeg.header import UnsupportedJPEGError
from napari_deartifact.jpeg.in_dicom import LOSSY_JPEG
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header
from napari_deartifact.jpeg.segments import has_end

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage."""

_EXPLICIT, _IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_DECODERS = {**dict.fromkeys(LOSSY_JPEG, "jpeg_decode"), **CODECS}
_PROPERTIES = (
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "AcquisitionDateTime",
    "LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio", "FocusMethod",
)  # fmt: skip
_ITEM = b"\xfe\xff\x00\xe0"
_MICROMETRES, _DIGITS = 1000.0, 9


class DICOMTiles:
    """The frames by the place that the data set gives them; the file is only open while one is read."""

    def __init__(self, path: Path, dataset: Any, stream: BinaryIO) -> None:
        self._path = path
        self.syntax = str(dataset.file_meta.TransferSyntaxUID)
        self.shape = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1))
        self._rgb = str(dataset.PhotometricInterpretation) == "RGB"
        self.dtype = np.dtype(f"u{-(-int(dataset.BitsAllocated) // 8)}")
        self._places = _frame_places(path, dataset)
        self._frames = self._find_frames(dataset, stream)
        self.record = lru_cache(maxsize=4096)(self._record)

    def pixels(self, plane: int, row: int, column: int) -> NDArray[Any] | None:
        """Decode a frame; see `SlideTiles`."""
        data = self._data(plane, row, column)
        if data is None:
            return None
        if self.syntax in (_EXPLICIT, _IMPLICIT):
            if len(data) < self._frame_size:
                raise ValueError("beyond the end of the file")
            return np.frombuffer(data, self.dtype).reshape(self.shape)
        import imagecodecs

        options: dict[str, str] = {}
        if self.syntax in LOSSY_JPEG:
            if not has_end(io.BytesIO(data)):
                raise ValueError("no end of image")
            record = self.record(plane, row, column)
            options = COLORS.get(record.color_space, {}) if record is not None else {}
        try:
            tile = getattr(imagecodecs, _DECODERS[self.syntax])(data, **options)
        except Exception as error:
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
        if tile.size != self._size or tile.shape[:2] != self.shape[:2]:
            raise ValueError(f"a frame of shape {tile.shape}; the data set says {self.shape}")
        return np.asarray(tile).reshape(self.shape)

    def _record(self, plane: int, row: int, column: int) -> JPEGInfo | None:
        data = self._data(plane, row, column)
        if data is None:
            return None
        try:
            header = read_header(io.BytesIO(data))
        except UnsupportedJPEGError:
            return None
        header.check_size(len(data))
        if (header.height, header.width) != self.shape[:2]:
            raise ValueError(f"{header.height}×{header.width} pixels; the data set says {self.shape}")
        silent = not header.jfif and header.adobe_transform is None
        rgb = self._rgb and silent and len(header.components) == 3
        return JPEGInfo.from_header(header, color_space="rgb" if rgb else None)

    def _data(self, plane: int, row: int, column: int) -> bytes | None:
        frame = self._places.get((plane, row, column))
        if frame is None or frame >= len(self._frames):
            return None
        parts = []
        with self._path.open("rb") as stream:
            for start, length in self._frames[frame]:
                stream.seek(start)
                parts.append(stream.read(length))
        return b"".join(parts) or None

    @property
    def planes(self) -> int:
        """How many independent pictures there are."""
        return max((plane for plane, _, _ in self._places), default=0) + 1

    @property
    def _size(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def _frame_size(self) -> int:
        return self._size * self.dtype.itemsize

    def _find_frames(self, dataset: Any, stream: BinaryIO) -> list[list[tuple[int, int]]]:
        """Say where in the file the parts of each frame are; the stream stands at the pixel data."""
        count = int(dataset.get("NumberOfFrames") or 1)
        if self.syntax in (_EXPLICIT, _IMPLICIT):
            stream.seek(8 if self.syntax == _IMPLICIT else 12, os.SEEK_CUR)
            start = stream.tell()
            return [[(start + index * self._frame_size, self._frame_size)] for index in range(count)]
        stream.seek(12, os.SEEK_CUR)
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
                f"{self._path} announces {count} frames and holds {len(fragments)} fragments without an "
                "offset table; get a complete copy of the file"
            )
        return _by_offsets(fragments, [start + length + offset for offset in offsets])


def _items(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield start and length of the items of an encapsulated element, whose contents are not read."""
    while True:
        head = stream.read(8)
        if len(head) < 8 or head[:4] != _ITEM:
            return
        start, length = stream.tell(), int.from_bytes(head[4:], "little")
        yield start, length
        stream.seek(start + length)


def _by_offsets(fragments: list[tuple[int, int]], starts: list[int]) -> list[list[tuple[int, int]]]:
    """Join the fragments that lie between the starts of two frames."""
    frames: list[list[tuple[int, int]]] = [[] for _ in starts]
    frame = -1
    for start, length in fragments:
        while frame + 1 < len(starts) and start - 8 >= starts[frame + 1]:
            frame += 1
        frames[max(frame, 0)].append((start, length))
    return frames


def _frame_places(path: Path, dataset: Any) -> dict[tuple[int, int, int], int]:
    """Map (plane, row, column) of a tile to the number of its frame."""
    height, width = int(dataset.Rows), int(dataset.Columns)
    rows = -(-int(dataset.TotalPixelMatrixRows) // height)
    columns = -(-int(dataset.TotalPixelMatrixColumns) // width)
    count = int(dataset.get("NumberOfFrames") or 1)
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if str(dataset.get("DimensionOrganizationType", "")) == "TILED_FULL" or not frames:
        if count < rows * columns:
            raise ValueError(f"{path} announces {rows}×{columns} tiles and holds {count} frames")
        order = np.ndindex(count // (rows * columns), rows, columns)
        return {(int(p), int(r), int(c)): index for index, (p, r, c) in enumerate(order)}
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


def _optical_path(frame: Any) -> str:
    found = frame.get("OpticalPathIdentificationSequence")
    return str(found[0].get("OpticalPathIdentifier", "")) if found else ""


def open_dicom_slide(path: str | os.PathLike[str]) -> Slide:
    """Open one level of a DICOM whole slide.

    Parameters
    ----------
    path : path
        An instance of VL Whole Slide Microscopy, tiled fully or sparsely, of one focal plane, in grey or
        RGB, of one or several optical paths; uncompressed or JPEG, JPEG-LS or JPEG 2000.

    Returns
    -------
    Slide

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is not there, is damaged, or holds something else.
    ModuleNotFoundError
        When the extra ``dicom`` is not installed.
    """
    path = check_file(path)
    with _opened(path) as (dataset, stream):
        _check(path, dataset)
        return _slide(path, dataset, DICOMTiles(path, dataset, stream))


def _slide(path: Path, dataset: Any, tiles: DICOMTiles) -> Slide:
    shape = int(dataset.TotalPixelMatrixRows), int(dataset.TotalPixelMatrixColumns)
    height, width, samples = tiles.shape
    if samples > 1 and tiles.planes > 1:
        raise ValueError(f"{path} has {tiles.planes} planes in colour; save one of them by itself")
    return Slide(
        path=path,
        format="DICOM",
        shape=shape,
        planes=tiles.planes,
        samples=samples,
        dtype=tiles.dtype,
        tile_shape=(height, width),
        tiles=tiles,
        opener=open_dicom_slide,
        pixel_size=_pixel_size(dataset),
        jpeg_coded=tiles.syntax in LOSSY_JPEG,
        photometric="rgb" if samples > 1 else "minisblack",
        description=str(dataset.get("ImageComments", "")),
        properties=_properties(dataset),
    )


def _check(path: Path, dataset: Any) -> None:
    """Refuse what is no slide, or holds pixels that cannot be read."""
    if dataset.get("SOPClassUID") != WHOLE_SLIDE or not dataset.get("TotalPixelMatrixRows"):
        raise ValueError(f"{path} is no DICOM whole slide; restore it to a .tif or .dcm file")
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in (_EXPLICIT, _IMPLICIT, *_DECODERS):
        raise ValueError(f"{path} is stored as {syntax.name}, which cannot be read; save it as JPEG")
    photometric = str(dataset.PhotometricInterpretation)
    bits, signed = int(dataset.BitsAllocated), bool(dataset.get("PixelRepresentation", 0))
    focal = int(dataset.get("TotalPixelMatrixFocalPlanes") or 1)
    if photometric == "PALETTE COLOR" or bits not in (8, 16) or signed or focal > 1:
        raise ValueError(
            f"{path} has {photometric} pixels of {bits} bits{', signed' * signed}, in {focal} focal planes; "
            "expected one focal plane, grey or RGB, unsigned, of 8 or 16 bits"
        )


def is_dicom_slide(path: str | os.PathLike[str]) -> bool:
    """Tell whether a DICOM file is an instance of VL Whole Slide Microscopy."""
    try:
        with _opened(Path(path)) as (dataset, _):
            return bool(dataset.get("SOPClassUID") == WHOLE_SLIDE)
    except ValueError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, BinaryIO]]:
    """Read all of a file but its pixels, at which the stream stands then.

    The file is mapped, because pydicom asks for as many bytes as an element claims: here it gets those that
    are there.  Elements are converted when they are asked for, so that damage shows up late.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} needs another package to be read: pip install 'napari-deartifact[dicom]'"
        ) from error
    from pydicom import errors

    with (
        reported_damage(path, errors.InvalidDicomError, errors.BytesLengthException),
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        mapped = cast(BinaryIO, content)
        yield pydicom.dcmread(mapped, stop_before_pixels=True), mapped


def _pixel_size(dataset: Any) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm, by the functional groups that all frames share."""
    try:
        groups = dataset.SharedFunctionalGroupsSequence[0]
        spacing = [float(value) for value in groups.PixelMeasuresSequence[0].PixelSpacing]
    except (AttributeError, IndexError, TypeError, ValueError):
        return None
    height, width = (round(value * _MICROMETRES, _DIGITS) for value in spacing)
    return (height, width) if height > 0 and width > 0 else None


def _properties(dataset: Any) -> dict[str, Any]:
    """Return what the data set says of scanner and scan, and nothing of the patient."""
    told = {name: str(dataset.get(name)) for name in _PROPERTIES if dataset.get(name)}
    for path in (dataset.get("OpticalPathSequence") or [])[:1]:
        if path.get("ObjectiveLensPower"):
            told["ObjectiveLensPower"] = str(path.ObjectiveLensPower)
    return told
