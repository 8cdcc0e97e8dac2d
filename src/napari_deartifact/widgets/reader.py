"""napari's way to open JPEG, DICOM and slides so that a layer still knows what its file said of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_deartifact.files.read import ImageFile

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Offer to read `path`.

    Parameters
    ----------
    path : str or list of str
        Files whose first bytes are a JPEG's or DICOM's, or whose name ends in ``.dcm``; slides; or folders
        of OME-Zarr.

    Returns
    -------
    callable or None
        :func:`read_jpeg`, :func:`~napari_deartifact.widgets.slide_reader.read_slide`, or None to leave the
        file to other readers.
    """
    paths = as_list(path)
    if all(_is_slide(entry) for entry in paths):
        from napari_deartifact.widgets.slide_reader import read_slide

        return read_slide
    return read_jpeg if all(_is_readable(entry) for entry in paths) else None


def read_jpeg(path: str | list[str]) -> list[LayerData]:
    """Read JPEG and DICOM files.

    Parameters
    ----------
    path : str or list of str
        Several files are what napari is to open as a stack: they become one layer if their pixels have the
        same shape, dtype and spacing, else a layer each.

    Returns
    -------
    list of (data, attributes, "image")
        Pixels as stored: an EXIF orientation is not applied, because the block grid is that of
        the stored pixels.  ``metadata["jpeg"]`` is the
        :class:`~napari_deartifact.jpeg.info.JPEGInfo`, orientation included; None for DICOM that
        holds no lossy JPEG, and of a stack, whose planes differ in it.  Of DICOM, the scale is in mm where
        the file tells it.

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is not there, damaged or truncated.
    ModuleNotFoundError
        For DICOM when the extra ``dicom`` is not installed.
    """
    from napari_deartifact.files.read import read_image

    paths = as_list(path)
    images = [read_image(entry) for entry in paths]
    kinds = {(image.pixels.shape, image.pixels.dtype, image.rgb, str(_scale(image))) for image in images}
    if len(images) > 1 and len(kinds) == 1:
        return [_stack(images, paths)]
    return [_layer(image, entry) for image, entry in zip(images, paths, strict=True)]


def _layer(image: ImageFile, path: str) -> LayerData:
    attributes = {
        "name": Path(path).stem,
        "rgb": image.rgb,
        "metadata": {"jpeg": image.jpeg},
        **_scale(image),
    }
    return image.pixels, attributes, "image"


def _stack(images: list[ImageFile], paths: list[str]) -> LayerData:
    _, attributes, kind = _layer(images[0], paths[0])
    attributes["metadata"] = {"jpeg": None}
    if "scale" in attributes:
        attributes["scale"] = (1.0, *attributes["scale"])
        attributes["units"] = ("pixel", *attributes["units"])
    return np.stack([image.pixels for image in images]), attributes, kind


def _scale(image: ImageFile) -> dict[str, Any]:
    """Return scale and units of DICOM; a resolution in other files that come here is a printer's."""
    tags = image.metadata.dicom
    spacing = None if tags is None else tags.pixel_spacing
    if tags is None or spacing is None:
        return {}
    if image.pixels.ndim - image.rgb == 2:
        return {"scale": spacing, "units": ("mm", "mm")}
    if tags.slice_spacing is None:
        return {"scale": (1.0, *spacing), "units": ("pixel", "mm", "mm")}
    return {"scale": (tags.slice_spacing, *spacing), "units": ("mm", "mm", "mm")}


def as_list(path: str | list[str]) -> list[str]:
    """Return the paths that napari hands to a reader."""
    return [path] if isinstance(path, str) else list(path)


def is_zarr(path: str) -> bool:
    """Tell whether a path is a folder that may be OME-Zarr 0.5."""
    return (Path(path) / "zarr.json").is_file()


def _is_slide(path: str) -> bool:
    if Path(path).is_dir():
        return is_zarr(path)
    if Path(path).suffix.lower() in _JPEG_SUFFIXES:
        return False
    from napari_deartifact.files.slides_open import is_slide

    return is_slide(path)


def _is_readable(path: str) -> bool:
    from napari_deartifact.files.signatures import file_kind

    try:
        return file_kind(path) in ("jpeg", "dicom")
    except OSError:
        return False
