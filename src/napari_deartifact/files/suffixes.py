"""The suffix by which a format is chosen: those of OME have two parts."""

from __future__ import annotations

from pathlib import Path

_OME_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.zarr")


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
