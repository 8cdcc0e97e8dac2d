"""Slides in DICOM: an instance of VL Whole Slide Microscopy, whose frames are the tiles of one matrix."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.dicom import CODECS, COLORS, pixel_spacing
from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.slides_dicom_frames import EXPLICIT, IMPLICIT, frame_extents, frame_places
from napari_deartifact.jpeg.dicom_file import opened_dicom
from napari_deartifact.jpeg.header import UnsupportedJPEGError
from napari_deartifact.jpeg.in_dicom import LOSSY_JPEG
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header
from napari_deartifact.jpeg.segments import has_end
from napari_deartifact.messages import check_is_file

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage."""

_DECODERS = {**dict.fromkeys(LOSSY_JPEG, "jpeg_decode"), **CODECS}
_PROPERTIES = (
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "AcquisitionDateTime",
    "LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio", "FocusMethod",
)  # fmt: skip
_MICROMETRES, _DIGITS = 1000.0, 9


class DICOMTiles:
    """The frames by the place that the data set gives them; the file is only open while one is read."""

    def __init__(self, path: Path, dataset: Any, stream: BinaryIO) -> None:
        self._path = path
        self.syntax = str(dataset.file_meta.TransferSyntaxUID)
        self.shape = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1))
        self._rgb = str(dataset.PhotometricInterpretation) == "RGB"
        self.dtype = np.dtype(f"u{-(-int(dataset.BitsAllocated) // 8)}")
        self._places = frame_places(path, dataset)
        self._frames = frame_extents(path, dataset, stream, self._frame_size)
        self.record = lru_cache(maxsize=4096)(self._record)

    def pixels(self, plane: int, row: int, column: int) -> NDArray[Any] | None:
        """Decode a frame; see `SlideTiles`."""
        data = self._data(plane, row, column)
        if data is None:
            return None
        if self.syntax in (EXPLICIT, IMPLICIT):
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
    path = check_is_file(path, "slide file")
    with opened_dicom(path, stop_before_pixels=True) as (dataset, stream):
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
        icc=_profile(dataset),
        properties=_properties(dataset),
    )


def _check(path: Path, dataset: Any) -> None:
    """Refuse what is no slide, or holds pixels that cannot be read."""
    if dataset.get("SOPClassUID") != WHOLE_SLIDE or not dataset.get("TotalPixelMatrixRows"):
        raise ValueError(f"{path} is no DICOM whole slide; restore it to a .tif or .dcm file")
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in (EXPLICIT, IMPLICIT, *_DECODERS):
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
        with opened_dicom(Path(path), stop_before_pixels=True) as (dataset, _):
            return bool(dataset.get("SOPClassUID") == WHOLE_SLIDE)
    except ValueError:
        return False


def _pixel_size(dataset: Any) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm."""
    spacing = pixel_spacing(dataset)
    if spacing is None:
        return None
    height, width = (round(value * _MICROMETRES, _DIGITS) for value in spacing)
    return (height, width) if height > 0 and width > 0 else None


def _profile(dataset: Any) -> bytes | None:
    """Return the ICC profile of the only, or the first, optical path."""
    for path in (dataset.get("OpticalPathSequence") or [])[:1]:
        profile = path.get("ICCProfile")
        return bytes(profile) if profile else None
    return None


def _properties(dataset: Any) -> dict[str, Any]:
    """Return what the data set says of scanner and scan, and nothing of the patient."""
    told = {name: str(dataset.get(name)) for name in _PROPERTIES if dataset.get(name)}
    for path in (dataset.get("OpticalPathSequence") or [])[:1]:
        if path.get("ObjectiveLensPower"):
            told["ObjectiveLensPower"] = str(path.ObjectiveLensPower)
    return told
