"""The record of a JPEG that is a file of its own, or open in Pillow."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from napari_deartifact.jpeg.coefficients import can_read_coefficients, read_coefficients
from napari_deartifact.jpeg.complaints import caught_complaints
from napari_deartifact.jpeg.header import guess_color_space, named_errors
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

_EXIF_ORIENTATION = 0x0112


def read_record(stream: BinaryIO, name: str, coefficients: bool | None) -> JPEGInfo:
    """Read a record; all is as for :meth:`JPEGInfo.from_file`.

    Parameters
    ----------
    stream : binary file
        It can seek.
    name : str
        What errors call it.
    coefficients : bool or None
    """
    if stream.read(2) != b"\xff\xd8":
        raise ValueError(
            f"{name} is not a JPEG by its first bytes; for TIFF and DICOM use from_tiff and from_dicom"
        )
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    with named_errors(name):
        header = read_header(stream)
        header.check_size(size)
        info = JPEGInfo.from_header(header)
    if coefficients is False or (coefficients is None and not can_read_coefficients(info)):
        return info
    stream.seek(0)
    try:
        with caught_complaints() as complaints:
            indices = read_coefficients(stream.read(), info)
    except ValueError as error:
        if coefficients is None:
            return info
        raise ValueError(f"the coefficients of {name} cannot be read: {error}") from error
    if complaints:
        warnings.warn(
            f"{name} is damaged ({'; '.join(complaints)}), and parts of its picture are not what was stored; "
            "get a complete copy of the file",
            UserWarning,
            stacklevel=3,
        )
    return replace(info, indices=indices)


def pillow_record(image: JpegImageFile) -> JPEGInfo:
    """Take the record from an open Pillow JPEG image."""
    layers: list[tuple[int, int, int, int]] = image.layer
    missing = sorted({table for *_, table in layers} - set(image.quantization))
    if missing:
        raise ValueError(f"the JPEG names quantization table {missing[0]} but does not define it")
    return JPEGInfo(
        height=image.height,
        width=image.width,
        tables=tuple(tuple(int(step) for step in image.quantization[table]) for *_, table in layers),
        sampling=tuple((horizontal, vertical) for _, horizontal, vertical, _ in layers),
        color_space=guess_color_space(
            [identifier for identifier, *_ in layers],
            jfif="jfif" in image.info,
            adobe_transform=image.info.get("adobe_transform"),
        ),
        precision=int(getattr(image, "bits", 8)),
        progressive=bool(image.info.get("progressive", False)),
        orientation=_orientation(image.getexif().get(_EXIF_ORIENTATION, 1)),
    )


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
