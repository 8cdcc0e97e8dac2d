"""Restored pixels as a file: whole or not at all, with what the original said beside its pixels."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.atomic import replacing
from napari_deartifact.files.metadata import Metadata
from napari_deartifact.files.pillow_write import write_jpeg, write_png, write_webp
from napari_deartifact.files.read import ImageFile
from napari_deartifact.files.suffixes import full_stem, full_suffix

_NOTE = f"JPEG artifacts reduced by napari-deartifact {__version__}"


def write_image(
    path: str | os.PathLike[str],
    pixels: NDArray[Any],
    like: ImageFile | None = None,
    *,
    note: str = _NOTE,
) -> None:
    """Write a picture; an existing file is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
        The suffix chooses the format: ``.png``, ``.tif`` or ``.tiff``, ``.ome.tif`` or ``.ome.tiff``,
        ``.webp`` (lossless), ``.dcm`` or ``.dicom``, or ``.jpg``, which brings artifacts back and warns.
    pixels : ndarray
        (Y, X) or (Y, X, 1 to 4), uint8 or uint16 (PNG), uint8 (WebP, JPEG); any shape and dtype in
        a TIFF; up to three axes beside Y, X and samples, and no 64-bit integers, in an OME-TIFF; those of
        `like` in DICOM.
    like : ImageFile, optional
        The file that the pixels come from, whose orientation, colour profile, resolution, axes and
        descriptions are kept.  Without it a last axis of 2 to 4 holds the samples of a pixel.  DICOM is
        written only of DICOM; :mod:`~napari_deartifact.files.dicom_write` tells what is changed.
    note : str
        What was done, for formats with a place for it: DICOM's Derivation Description, the text
        "Software" of a PNG, and the tag of that name of a TIFF that has none.

    Raises
    ------
    ValueError
        For an unknown suffix, or pixels that the format cannot hold.
    ModuleNotFoundError
        For DICOM without the extra ``dicom``.
    FileNotFoundError, NotADirectoryError, PermissionError
        When the target's folder does not exist or cannot be written to.

    Warns
    -----
    UserWarning
        When the format is JPEG, and when it cannot say that white is the lowest intensity, as in `like`.

    Examples
    --------
    >>> import tempfile
    >>> from napari_deartifact.files.read import read_image
    >>> path = Path(tempfile.mkdtemp()) / "answer.tif"
    >>> write_image(path, np.eye(16, dtype=np.float32))
    >>> read_image(path).pixels.dtype
    dtype('float32')
    """
    path = Path(path)
    pixels = np.asarray(pixels)
    metadata = replace(like.metadata if like is not None else Metadata(), note=note)
    check_fits(path, pixels, like)
    writer = _writer(path)
    if metadata.is_inverted and writer in (write_png, write_webp, write_jpeg):
        warnings.warn(
            f"white is the lowest intensity in {like.path if like else path}, which {path.name} cannot say: "
            "it holds the intensities as they are stored, and viewers show the negative; write .tif instead",
            UserWarning,
            stacklevel=2,
        )
    with replacing(path) as temporary:
        writer(temporary, pixels, metadata, like)


_LONGEST = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Pixels along an edge, as their encoders take them."""

Writer = Callable[[Path, NDArray[Any], Metadata, ImageFile | None], None]


def writable_suffixes() -> list[str]:
    """List the suffixes that :func:`write_image` knows.

    Examples
    --------
    >>> writable_suffixes()
    ['.dcm', '.dicom', '.jpeg', '.jpg', '.ome.tif', '.ome.tiff', '.png', '.tif', '.tiff', '.webp']
    """
    return sorted(_WRITERS)


def _writer(path: Path) -> Writer:
    try:
        return _WRITERS[full_suffix(path)]
    except KeyError:
        raise ValueError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(writable_suffixes())}"
        ) from None


def check_fits(path: str | os.PathLike[str], pixels: NDArray[Any], like: ImageFile | None = None) -> None:
    """Refuse pixels that the format of a target cannot hold, before work is spent on them.

    Parameters
    ----------
    path : path
        The target.
    pixels : ndarray
        Anything of the dtype and shape that will be written.
    like : ImageFile, optional
        The file that they come from.

    Raises
    ------
    ValueError
        As :func:`write_image`.
    """
    path = Path(path)
    if pixels.size == 0:
        raise ValueError(f"shape {pixels.shape} holds no pixels to write to {path}")
    if _writer(path) is _write_tiff:
        return
    if _writer(path) is _write_ome_tiff:
        _check_ome(path, pixels, like)
        return
    if _writer(path) is _write_dicom:
        _check_dicom(path, pixels, like)
        return
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    dtypes = ("uint8", "uint16") if path.suffix.lower() == ".png" else ("uint8",)
    if pixels.dtype.name not in dtypes:
        problem = f"{pixels.dtype.name} pixels"
    elif pixels.ndim not in (2, 3) or not 1 <= channels <= 4:
        problem = f"pixels of shape {pixels.shape}"
    elif channels in (2, 4) and like is not None and not like.alpha:
        problem = "a channel that is neither colour nor alpha"
    elif channels in (2, 4) and _writer(path) is write_jpeg:
        problem = "an alpha channel"
    elif max(pixels.shape[:2]) > (longest := _LONGEST.get(path.suffix.lower(), math.inf)):
        problem = f"{pixels.shape[1]}×{pixels.shape[0]} pixels, but {longest} along an edge"
    else:
        return
    raise ValueError(f"{path} cannot hold {problem}; name the target {path.stem}.tif")


def _write_tiff(
    path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None, *, ome: bool = False
) -> None:
    from napari_deartifact.files.tiff_write import write_tiff

    write_tiff(
        path,
        pixels,
        tags=metadata.tiff,
        icc=metadata.icc,
        dpi=metadata.dpi,
        software=metadata.note,
        orientation=metadata.orientation,
        color=_holds_samples(pixels, like),
        inverted=metadata.is_inverted,
        exif=metadata.exif,
        xmp=metadata.xmp,
        ome=ome,
    )


def _holds_samples(pixels: NDArray[Any], like: ImageFile | None) -> bool:
    """Tell whether the last axis holds the samples of a pixel, where no TIFF says so."""
    if like is not None:
        return like.channel_axis is not None
    return pixels.ndim > 2 and pixels.shape[-1] in (2, 3, 4)


def _write_ome_tiff(path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None) -> None:
    _write_tiff(path, pixels, metadata, like, ome=True)


def _check_ome(path: Path, pixels: NDArray[Any], like: ImageFile | None) -> None:
    from napari_deartifact.files.tiff_ome import ome_axes

    try:
        ome_axes(pixels, like.metadata.tiff if like else None, color=_holds_samples(pixels, like))
    except ValueError as error:
        raise ValueError(f"{path} cannot hold {error}; name the target {full_stem(path)}.tif") from error


def _check_dicom(path: Path, pixels: NDArray[Any], like: ImageFile | None) -> None:
    if like is None or like.metadata.dicom is None:
        raise ValueError(
            f"{path} would be DICOM without a patient or a study: the source is none; name the target "
            f"{path.stem}.png or {path.stem}.tif"
        )
    from napari_deartifact.files.dicom_write import check_dicom

    check_dicom(path, pixels, like.metadata.dicom)


def _write_dicom(path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None) -> None:
    from napari_deartifact.files.dicom_write import write_dicom

    if metadata.dicom is not None:
        write_dicom(path, pixels, metadata.dicom, metadata.note)


_WRITERS: dict[str, Writer] = {
    ".png": write_png,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".ome.tif": _write_ome_tiff,
    ".ome.tiff": _write_ome_tiff,
    ".webp": write_webp,
    ".jpg": write_jpeg,
    ".jpeg": write_jpeg,
    ".dcm": _write_dicom,
    ".dicom": _write_dicom,
}
