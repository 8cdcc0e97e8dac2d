"""What a file is, by its first bytes."""

from __future__ import annotations

import os
from pathlib import Path

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
"""Of files that are read as DICOM although they lack the preamble."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG = b"\xff\xd8"
_DICOM, _PREAMBLE = b"DICM", 128


def file_kind(path: str | os.PathLike[str]) -> str:
    """Tell by its first bytes which readers a file is for.

    Parameters
    ----------
    path : path
        Its suffix tells only DICOM without a preamble.

    Returns
    -------
    str
        ``"dicom"``, ``"tiff"``, ``"jpeg"``, ``"other"``, or ``""`` for an empty file.

    Raises
    ------
    OSError
        When it cannot be read.

    Notes
    -----
    DICOM is looked for first, because its preamble may be the header of a TIFF, for programs that know
    nothing else; such a file needs the extra ``dicom``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scan"
    >>> _ = path.write_bytes(b"II*\\0".ljust(128, b"\\0") + b"DICM")
    >>> file_kind(path)
    'dicom'
    """
    start = _start(path)
    if start[_PREAMBLE:] == _DICOM:
        return "dicom"
    if start.startswith(_TIFF):
        return "tiff"
    if start.startswith(_JPEG):
        return "jpeg"
    if Path(path).suffix.lower() in DICOM_SUFFIXES and start:
        return "dicom"
    return "other" if start else ""


def starts_as_dicom(path: str | os.PathLike[str]) -> bool:
    """Look into a file for DICOM's preamble; what cannot be read has none."""
    try:
        return _start(path)[_PREAMBLE:] == _DICOM
    except OSError:
        return False


def _start(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(_PREAMBLE + len(_DICOM))
