"""The record of a JPEG that is a file of its own."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import BinaryIO

from napari_deartifact.jpeg.coefficients import can_read_coefficients, read_coefficients
from napari_deartifact.jpeg.complaints import caught_complaints
from napari_deartifact.jpeg.header import named_errors
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header


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
            warnings.warn(
                f"the coefficients of {name} cannot be read: {error}; they will be found from the decoded "
                "pixels, where these are not lost too",
                UserWarning,
                stacklevel=3,
            )
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
