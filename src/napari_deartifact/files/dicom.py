"""DICOM images in stored values: what the JPEG, or any other codec, holds, and no rescaling."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.jpeg.header import ColorSpace, named_errors
from napari_deartifact.jpeg.in_dicom import LOSSY_JPEG, PixelModule, frame_record, read_pixel_module
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.segments import announced_size, has_end
from napari_deartifact.messages import needs_extra
from napari_deartifact.warned import no_warnings

_JPEG2000_START = b"\xff\x4f\xff\x51"
_RLE = "1.2.840.10008.1.2.5"
_RLE_GAIN = 64
_LUMA_AND_CHROMA = ("YBR_FULL", "YBR_FULL_422")
CODECS = {
    "1.2.840.10008.1.2.4.57": "jpeg_decode",  # lossless, process 14
    "1.2.840.10008.1.2.4.70": "jpeg_decode",  # lossless, process 14, first-order prediction
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.202": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.203": "jpeg2k_decode",
}
COLORS: dict[ColorSpace, dict[str, str]] = {
    "grey": {},
    "rgb": {"colorspace": "RGB", "outcolorspace": "RGB"},
    "ycbcr": {"colorspace": "YCBCR", "outcolorspace": "RGB"},
}
_WIDEST = 32
_PIXELS = (
    "PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength",
)  # fmt: skip
_IN_TIME = ("FrameTime", "FrameTimeVector")


@dataclass(frozen=True)
class DICOMTags:
    """What a DICOM file says beside its pixels.

    Attributes
    ----------
    dataset : pydicom.Dataset
        All but the pixels, which are dropped to save memory.
    syntax : str
        The transfer syntax of the pixels.
    ratio : float
        Bytes of the pixels, decoded, to those in the file.
    """

    dataset: Any
    syntax: str
    ratio: float

    @classmethod
    def of(cls, module: PixelModule) -> DICOMTags:
        """Take the pixels out of a data set."""
        dataset = module.dataset
        for name in _PIXELS:
            if name in dataset:
                del dataset[name]
        dataset.buffer = None  # the file, mapped and closed
        return cls(dataset, module.syntax, module.size / max(len(module.data), 1))

    @property
    def pixel_spacing(self) -> tuple[float, float] | None:
        """Height and width of a pixel in mm, if Pixel Spacing tells them."""
        return pixel_spacing(self.dataset)

    @property
    def slice_spacing(self) -> float | None:
        """Spacing Between Slices in mm; None when it is not told, or the frames follow each other in time."""
        if any(name in self.dataset for name in _IN_TIME):
            return None
        (spacing,) = _lengths(self.dataset, "SpacingBetweenSlices", 1) or (None,)
        return spacing

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels an inch along X and Y, of Pixel Spacing."""
        if self.pixel_spacing is None:
            return None
        y, x = self.pixel_spacing
        return 25.4 / x, 25.4 / y


@dataclass(frozen=True)
class DICOMImage:
    """The pixels of a DICOM file.

    Attributes
    ----------
    pixels : ndarray
        (Y, X), with frames first and colours last where there are several; stored values.
    rgb : bool
        Whether the last axis holds colours.
    jpeg : JPEGInfo or None
        The record that all frames share.
    tags : DICOMTags
    """

    pixels: NDArray[Any]
    rgb: bool
    jpeg: JPEGInfo | None
    tags: DICOMTags


def pixel_spacing(dataset: Any) -> tuple[float, float] | None:
    """Return height and width of a pixel in mm, of the data set or of the groups that all frames share."""
    height, width = _lengths(dataset, "PixelSpacing", 2) or (None, None)
    return None if height is None or width is None else (height, width)


def _lengths(dataset: Any, name: str, count: int) -> tuple[float, ...] | None:
    """Return the lengths of a tag, if there are as many and all are positive."""
    try:
        if name not in dataset:
            dataset = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        value = dataset[name].value
        lengths = tuple(float(length) for length in ((value,) if count == 1 else value))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    return lengths if len(lengths) == count and all(0 < length < math.inf for length in lengths) else None


def read_dicom(path: str | os.PathLike[str]) -> DICOMImage:
    """Read the pixels of a DICOM file.

    Parameters
    ----------
    path : path
        Grey or colour, of one or many frames; uncompressed, RLE, JPEG of any process, JPEG-LS or
        JPEG 2000.

    Returns
    -------
    DICOMImage
        Grey values are as stored: neither rescale slope nor window is applied, and MONOCHROME1 stays as
        it is.  Colours are RGB.  The record is that of lossy JPEG, if every frame has the same; it is
        None for signed pixels below zero, which JPEG codes as large samples.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is no DICOM image, is damaged or truncated, or coded as this package cannot read.
    ModuleNotFoundError
        When the extra ``dicom`` is not installed.
    """
    module = read_pixel_module(path)
    if module.photometric == "PALETTE COLOR":
        raise ValueError(
            f"{path} has palette colours, and only grey and RGB can be restored; convert it to RGB"
        )
    if module.syntax in LOSSY_JPEG:
        pixels, jpeg = _read_lossy(module)
    else:
        pixels, jpeg = _read_other(module), None
    if len(pixels) == 1:
        pixels = pixels[0]
    if jpeg is not None and pixels.dtype.kind == "i" and pixels.min() < 0:
        jpeg = None
    return DICOMImage(pixels, module.samples == 3, jpeg, DICOMTags.of(module))


def _read_lossy(module: PixelModule) -> tuple[NDArray[Any], JPEGInfo | None]:
    imagecodecs = _imagecodecs(module)
    frames = module.encoded_frames()
    records = [frame_record(module, frame, index) for index, frame in enumerate(frames)]
    pixels = _empty(module)
    for index, (frame, record) in enumerate(zip(frames, records, strict=True)):
        if not has_end(io.BytesIO(frame)):
            raise ValueError(f"frame {index} of {module.path} is truncated; get a complete copy of the file")
        with reported_damage(module.path):
            decoded = imagecodecs.jpeg_decode(frame, **COLORS[record.color_space])
        pixels[index] = _stored(module, decoded, index)
    return pixels, records[0] if all(record == records[0] for record in records) else None


def _read_other(module: PixelModule) -> NDArray[Any]:
    if module.syntax in CODECS:
        return _decode(module, CODECS[module.syntax])
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    syntax = UID(module.syntax)
    if not syntax.is_transfer_syntax or (syntax.is_encapsulated and syntax != _RLE):
        raise ValueError(
            f"{module.path} is stored as {syntax.name}, which cannot be read; save it uncompressed or as "
            "JPEG, JPEG-LS or JPEG 2000"
        )
    gain = _RLE_GAIN if syntax == _RLE else 16 if module.allocated == 1 else 2
    held = len(module.data)
    if module.size > gain * held:
        raise ValueError(
            f"{module.path} announces {module.size} bytes of pixels and holds {held}; "
            "get a complete copy of the file"
        )
    with reported_damage(module.path), no_warnings():  # of padding
        pixels: NDArray[Any] = pixel_array(module.dataset)
    return pixels if module.frames > 1 else pixels[np.newaxis]


def _decode(module: PixelModule, name: str) -> NDArray[Any]:
    decode = getattr(_imagecodecs(module), name)
    frames = module.encoded_frames()
    for index, frame in enumerate(frames):
        with named_errors(f"frame {index} of {module.path}"):
            _check_announced(module, frame, name)
    pixels = _empty(module)
    for index, frame in enumerate(frames):
        with reported_damage(module.path):
            decoded = decode(frame)
        pixels[index] = _stored(module, decoded, index)
    return _as_rgb(module, pixels)


def _as_rgb(module: PixelModule, pixels: NDArray[Any]) -> NDArray[Any]:
    """Convert what a data set stores as luma and chroma; what a codec itself converts has another name."""
    if module.samples != 3 or module.photometric not in _LUMA_AND_CHROMA:
        return pixels
    if pixels.dtype != np.uint8:
        raise ValueError(
            f"{module.path} stores {module.photometric} as {pixels.dtype}, which cannot be read; save it as "
            "RGB"
        )
    from pydicom.pixels.processing import convert_color_space

    return np.asarray(convert_color_space(pixels, module.photometric, "RGB"))


def _check_announced(module: PixelModule, frame: bytes, codec: str) -> None:
    """Refuse a frame of another size before a decoder takes memory for it."""
    if codec == "jpeg2k_decode":
        start = frame.find(_JPEG2000_START)
        right, bottom, left, top = (
            int.from_bytes(frame[start + place : start + place + 4], "big") for place in (8, 12, 16, 20)
        )
        size = bottom - top, right - left
    else:
        size = announced_size(io.BytesIO(frame))
    if size != (module.rows, module.columns):
        raise ValueError(f"{size[0]}×{size[1]} pixels; the data set says {module.rows}×{module.columns}")


def _empty(module: PixelModule) -> NDArray[Any]:
    if not 1 <= module.stored <= module.allocated <= _WIDEST:
        bits = f"{module.stored} of {module.allocated} bits per sample"
        raise ValueError(f"{module.path} stores {bits}; expected up to {_WIDEST}")
    kind = "i" if module.signed else "u"
    width = 1 if module.allocated <= 8 else 2 if module.allocated <= 16 else 4
    colors = (module.samples,) if module.samples > 1 else ()
    with reported_damage(module.path):
        return np.empty((module.frames, module.rows, module.columns, *colors), f"{kind}{width}")


def _stored(module: PixelModule, decoded: NDArray[Any], index: int) -> NDArray[Any]:
    """Check the shape of a decoded frame, and spread its sign bit."""
    shape = (module.rows, module.columns, module.samples)[: 2 if module.samples == 1 else 3]
    if decoded.shape != shape:
        raise ValueError(
            f"frame {index} of {module.path} has the shape {decoded.shape}, and the data set says {shape}"
        )
    if not module.signed or decoded.dtype.kind == "i":
        return decoded
    unused = _WIDEST - module.stored
    spread: NDArray[np.int32] = (decoded.astype(np.uint32) << np.uint32(unused)).view(np.int32) >> unused
    return spread


def _imagecodecs(module: PixelModule) -> Any:
    try:
        import imagecodecs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_extra(module.path, "dicom")) from error
    return imagecodecs
