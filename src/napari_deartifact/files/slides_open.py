"""Which files are slides, and the way into them."""

from __future__ import annotations

import os
from pathlib import Path

from napari_deartifact.files.signatures import file_kind
from napari_deartifact.files.slides_base import Slide
from napari_deartifact.messages import check_is_file


def open_slide(path: str | os.PathLike[str]) -> Slide:
    """Open a slide; nothing is decoded yet.

    Parameters
    ----------
    path : path
        SVS, NDPI, any tiled or striped TIFF of one picture, or an instance of a DICOM whole slide.

    Returns
    -------
    Slide
        Of a pyramid the full resolution, without label, macro and thumbnail.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is no slide, is damaged, or holds what cannot be restored in parts.
    ModuleNotFoundError
        When the extra that it needs is not installed.
    """
    path = check_is_file(path, "slide file")
    kind = file_kind(path)
    if kind == "tiff":
        from napari_deartifact.files.slides_tiff import open_tiff_slide

        return open_tiff_slide(path)
    if kind == "dicom":
        from napari_deartifact.files.slides_dicom import open_dicom_slide

        return open_dicom_slide(path)
    raise ValueError(
        f"{path} is no slide; expected SVS, NDPI, another TIFF, or a DICOM whole slide: restore other "
        "pictures to .png, .tif or .ome.tif"
    )


def is_slide(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is to be restored in parts.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
        True for SVS, NDPI, DICOM whole slides, and TIFFs that are pyramids, tiled, or very large; False
        for what is damaged or not there.
    """
    path = Path(path)
    try:
        kind = file_kind(path)
        if kind == "tiff":
            from napari_deartifact.files.slides_tiff import is_tiff_slide

            return is_tiff_slide(path)
        if kind == "dicom":
            from napari_deartifact.files.slides_dicom import is_dicom_slide

            return is_dicom_slide(path)
    except (OSError, ValueError, ModuleNotFoundError):
        pass
    return False
