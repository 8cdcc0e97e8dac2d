"""What is known of a file's JPEG history: read from its header, or estimated from its pixels."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_deartifact.axes import check_dtype
from napari_deartifact.files.read import ImageFile, read_image
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.messages import printable

# What the history of an estimate sums up.
_IN_HISTORY = ("is_clean", "is_restored")
# What an estimate leaves at its default when there was no JPEG.
_OF_A_JPEG = ("quality", "grid", "first_grid", "double", "sampling", "offset", "precision")


def inspect_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a picture file is and what JPEG did to it.

    Parameters
    ----------
    path : path
        Any file that :func:`~napari_deartifact.files.read.read_image` reads.

    Returns
    -------
    dict
        ``path``, ``format``, ``shape``, ``dtype``; ``orientation``, as EXIF counts, 1 to 8; ``source``
        is ``"header"`` for JPEG files, and TIFF and DICOM files that hold JPEG, and ``"estimate"`` for
        others; then what :class:`~napari_deartifact.JPEGInfo` or, with its ``history``,
        :class:`~napari_deartifact.JPEGEstimate` says.  JSON types only.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`~napari_deartifact.files.read.read_image`, and for a dtype that is no image's.
    """
    image = read_image(path)
    facts: dict[str, Any] = {
        "path": str(path),
        "format": image.format,
        "shape": list(image.pixels.shape),
        "dtype": image.pixels.dtype.name,
        "orientation": image.metadata.orientation,
    }
    return facts | (_from_header(image.jpeg) if image.jpeg else _from_pixels(image))


def _from_header(jpeg: JPEGInfo) -> dict[str, Any]:
    return {
        "source": "header",
        "quality": jpeg.quality,
        "standard_tables": jpeg.has_standard_tables,
        "color_space": jpeg.color_space,
        "subsampling": jpeg.subsampling,
        "progressive": jpeg.progressive,
        "precision": jpeg.precision,
        "tables": [list(table) for table in jpeg.tables],
    }


def _from_pixels(image: ImageFile) -> dict[str, Any]:
    """Estimate from the first plane, which stands for the rest of a stack."""
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    pixels, channel_axis = image.pixels, image.channel_axis
    try:
        check_dtype(pixels.dtype)
    except TypeError as error:
        raise ValueError(f"{image.path}: {error}") from error
    if channel_axis is not None:
        pixels = np.moveaxis(pixels, channel_axis, -1)
        pixels = pixels[..., :3] if image.rgb else pixels[..., 0]
    while pixels.ndim > (3 if image.rgb else 2):
        pixels = pixels[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        estimate = estimate_jpeg(pixels, channel_axis=-1 if image.rgb else None)
    facts = {key: _plain(value) for key, value in asdict(estimate).items() if key not in _IN_HISTORY}
    return {"source": "estimate", "history": estimate.history} | facts | {"double": estimate.double}


def _plain(value: Any) -> Any:
    """Turn numpy scalars, arrays and tuples into JSON types."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def format_facts(facts: dict[str, Any], *, tables: bool = True) -> str:
    """Lay out what :func:`inspect_file` found, a line a fact.

    Parameters
    ----------
    facts : dict
    tables : bool
        Write the quantization tables below.

    Returns
    -------
    str

    Examples
    --------
    >>> print(format_facts({"path": "cell.jpg", "source": "header", "quality": 30, "subsampling": "4:2:0"}))
    cell.jpg
      source       header
      quality      30
      subsampling  4:2:0
    """
    hidden = ("path", "tables", *(_OF_A_JPEG if facts.get("is_jpeg") is False else ()))
    hidden += ("first_grid",) * (facts.get("first_grid") is None)
    shown = {key: value for key, value in facts.items() if key not in hidden}
    width = max(map(len, shown), default=0)
    lines = [printable(str(Path(facts["path"])))]
    lines += [f"  {key.replace('_', ' '):{width}}  {_show(key, value)}" for key, value in shown.items()]
    found = (facts.get("tables") or []) if tables else []
    for index, table in enumerate(found):
        if table not in found[:index]:
            lines.append(f"  quantization table {index}")
            rows = np.reshape(table, (8, 8))
            lines += ["    " + " ".join(f"{step:4d}" for step in row) for row in rows]
    return "\n".join(lines)


def _show(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list):
        return ("×" if key == "shape" else ", ").join(map(str, value))
    return "unknown" if value is None else str(value)
