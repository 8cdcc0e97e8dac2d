"""The suffix by which a format is chosen: those of OME have two parts, and DICOM often has none."""

from __future__ import annotations

import re
from pathlib import Path

_OME_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.zarr")
# DICOM files are often named IM-0001, or by a UID.
_NO_SUFFIX = re.compile(r"[^.]+|.*\.\d+")


def full_suffix(path: Path) -> str:
    """Return the suffix by which a format is chosen, which those of OME have in two parts.

    Examples
    --------
    >>> full_suffix(Path("a.b.TIF")), full_suffix(Path("a.ome.tif"))
    ('.tif', '.ome.tif')
    """
    name = path.name.lower()
    return next((suffix for suffix in _OME_SUFFIXES if name.endswith(suffix)), path.suffix.lower())


def full_stem(path: Path) -> str:
    """Return the name without what `full_suffix` returns."""
    return path.name[: len(path.name) - len(full_suffix(path))]


def has_no_suffix(path: Path) -> bool:
    """Tell a name without a suffix; what follows the last dot of a UID is none."""
    return _NO_SUFFIX.fullmatch(path.name) is not None


def picture_stem(path: Path) -> str:
    """Return the name of a picture without its suffix; what follows the last dot of a UID is none.

    Examples
    --------
    >>> picture_stem(Path("a.ome.tif")), picture_stem(Path("1.2.840.113"))
    ('a', '1.2.840.113')
    """
    return path.name if has_no_suffix(path) else full_stem(path)
