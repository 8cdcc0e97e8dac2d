"""napari's way to open a JPEG so that the layer still knows what the file said about itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Offer to read `path`.

    Parameters
    ----------
    path : str or list of str
        Files; their first bytes must be a JPEG's, whatever the name says.

    Returns
    -------
    callable or None
        :func:`read_jpeg`, or None to leave the file to other readers.
    """
    return read_jpeg if all(_starts_as_jpeg(entry) for entry in _as_list(path)) else None


def read_jpeg(path: str | list[str]) -> list[LayerData]:
    """Read JPEG files, a layer each.

    Parameters
    ----------
    path : str or list of str

    Returns
    -------
    list of (data, attributes, "image")
        Pixels as stored: an EXIF orientation is not applied, because the block grid is that of
        the stored pixels.  ``metadata["jpeg"]`` is the
        :class:`~napari_deartifact.jpeg.info.JPEGInfo`, orientation included.

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is not there, damaged or truncated.
    """
    return [_layer(entry) for entry in _as_list(path)]


def _layer(path: str) -> LayerData:
    from napari_deartifact.files.read import read_image

    image = read_image(path)
    attributes = {
        "name": Path(path).stem,
        "rgb": image.rgb,
        "metadata": {"jpeg": image.jpeg},
    }
    return image.pixels, attributes, "image"


def _as_list(path: str | list[str]) -> list[str]:
    return [path] if isinstance(path, str) else list(path)


def _starts_as_jpeg(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(2) == b"\xff\xd8"
    except OSError:
        return False
