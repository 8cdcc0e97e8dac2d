"""A picture file as an array, and beside it all that a rewritten file should still say."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.dicom import read_dicom
from napari_deartifact.files.metadata import Metadata, metadata_of_image, metadata_of_jpeg
from napari_deartifact.files.signatures import file_kind
from napari_deartifact.files.tiff_tags import XMP
from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.messages import check_is_file
from napari_deartifact.warned import no_warnings

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".dcm"})
"""Of the files that are looked for in a folder; what a file is, its first bytes say."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA")


@dataclass(frozen=True)
class ImageFile:
    """A picture file that was read.

    Attributes
    ----------
    path : Path
        Where it was.
    format : str
        ``"JPEG"``, ``"PNG"``, ``"TIFF"``, ``"WEBP"``, ``"BMP"`` or ``"DICOM"``, by its content.
    pixels : ndarray
        As stored: no orientation applied, nothing rescaled.  Palettes are resolved to RGB(A).
    channel_axis : int or None
        The axis of colours or channels; None for grey.
    rgb : bool
        Whether that axis holds RGB or RGBA rather than independent channels.
    alpha : bool
        Whether the last of the channels is alpha.
    jpeg : JPEGInfo or None
        What the header of a JPEG says: of the file, or of those within a TIFF or DICOM file, when one
        record fits every plane.
    metadata : Metadata
        What :func:`~napari_deartifact.files.write.write_image` keeps.
    """

    path: Path
    format: str
    pixels: NDArray[Any]
    channel_axis: int | None
    rgb: bool
    alpha: bool
    jpeg: JPEGInfo | None
    metadata: Metadata


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Read a JPEG, PNG, TIFF, WebP, BMP or DICOM file.

    Parameters
    ----------
    path : path
        Its suffix does not matter, but for ``.dcm`` of DICOM without a preamble.

    Returns
    -------
    ImageFile

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is no such picture, is damaged or truncated, or holds what cannot be
        restored: CMYK, animations, several pictures that are no series.
    ModuleNotFoundError
        When the file needs an extra that is not installed: DICOM, 12-bit JPEG.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "cell.jpg"
    >>> Image.new("RGB", (96, 64)).save(path, quality=30)
    >>> image = read_image(path)
    >>> image.format, image.pixels.shape, image.rgb, image.jpeg.quality
    ('JPEG', (64, 96, 3), True, 30)
    """
    path = check_is_file(path, "picture file")
    match file_kind(path):
        case "":
            raise ValueError(f"{path} is empty; get a complete copy of the file")
        case "dicom":
            return _read_dicom(path)
        case "tiff":
            return _read_tiff(path)
        case "jpeg":
            return _read_jpeg(path)
    return _read_with_pillow(path, None)


def _read_tiff(path: Path) -> ImageFile:
    from napari_deartifact.files.tiff import read_tiff

    pixels, tags, jpeg = read_tiff(path)
    xmp = tags.texts.get(XMP)
    metadata = Metadata(tags.exif, tags.icc, xmp if isinstance(xmp, bytes) else None, tiff=tags)
    return ImageFile(path, "TIFF", pixels, tags.channel_axis, tags.rgb, tags.alpha, jpeg, metadata)


def _read_dicom(path: Path) -> ImageFile:
    image = read_dicom(path)
    channel_axis = -1 if image.rgb else None
    metadata = Metadata(dpi=image.tags.dpi, dicom=image.tags)
    return ImageFile(path, "DICOM", image.pixels, channel_axis, image.rgb, False, image.jpeg, metadata)


def _read_jpeg(path: Path) -> ImageFile:
    header = JPEGInfo.from_file(path, coefficients=False)
    read = _read_with_pillow if header.precision == 8 else _read_deep_jpeg
    image = read(path, header)
    # Last, as a scan that is cut short is an error of the pixels, which needs no warning beside it.
    return replace(image, jpeg=image.jpeg and JPEGInfo.from_file(path))


def _read_deep_jpeg(path: Path, jpeg: JPEGInfo) -> ImageFile:
    """Read 12-bit samples, which Pillow does not."""
    if jpeg.color_space in ("cmyk", "ycck"):
        raise ValueError(
            f"{path} is a CMYK picture, and only grey and RGB can be restored; convert it to RGB"
        )
    try:
        import imagecodecs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} is a JPEG of {jpeg.precision} bits, which needs another package: "
            "pip install 'napari-deartifact[slides]'"
        ) from error
    with reported_damage(path):
        pixels = imagecodecs.jpeg_decode(path.read_bytes())
    rgb = pixels.ndim == 3
    return ImageFile(path, "JPEG", pixels, -1 if rgb else None, rgb, False, jpeg, metadata_of_jpeg(path))


def _read_with_pillow(path: Path, jpeg: JPEGInfo | None) -> ImageFile:
    from PIL import Image, UnidentifiedImageError

    try:
        # There are warnings of large pictures and of damaged EXIF blocks.
        with no_warnings(), path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as image:
            return _from_pillow(path, stream, image, jpeg)
    except UnidentifiedImageError as error:
        if jpeg is not None:
            raise ValueError(f"{path} has a damaged JPEG header; get a complete copy of the file") from error
        raise ValueError(
            f"{path} is not a picture that can be read; expected a JPEG, PNG, TIFF, WebP, BMP or DICOM file"
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} claims an implausible size: {error}; save it as a tiled TIFF") from error
    except (OSError, SyntaxError, EOFError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is truncated or damaged ({error}); get a complete copy of the file"
        ) from error


def _from_pillow(path: Path, stream: BinaryIO, image: PillowImage, jpeg: JPEGInfo | None) -> ImageFile:
    name = "JPEG" if image.format == "MPO" else str(image.format)
    if name != "JPEG" and getattr(image, "n_frames", 1) > 1:
        raise ValueError(
            f"{path} is an animation of {getattr(image, 'n_frames', 0)} frames; save them as single files"
        )
    if name == "PNG" and _is_16_bit_color_png(stream):
        from napari_deartifact.files.png16 import decode_png

        stream.seek(0)
        pixels: NDArray[Any] = decode_png(stream.read(), str(path))
    else:
        pixels = _pixels(path, name, image)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    return ImageFile(
        path=path,
        format=name,
        pixels=pixels,
        channel_axis=-1 if pixels.ndim == 3 else None,
        rgb=channels in (3, 4),
        alpha=channels in (2, 4),
        jpeg=jpeg,
        metadata=metadata_of_image(image),
    )


def _pixels(path: Path, name: str, image: PillowImage) -> NDArray[Any]:
    """Decode, as grey, grey and alpha, RGB or RGBA."""
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        raise ValueError(
            f"{path} is a {image.mode} picture, and only grey and RGB can be restored; "
            "convert it to RGB first with a program that knows its colour profile"
        )
    if image.mode.startswith("I"):
        values = np.asarray(image)
        return values.astype(np.uint16 if name == "PNG" else values.dtype.newbyteorder("="))
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert({"L": "LA", "RGB": "RGBA"}[image.mode])
    elif image.mode not in _PLAIN_MODES:
        raise ValueError(f"{path} has pixels of the kind {image.mode!r}; convert it to 8-bit grey or RGB")
    return np.array(image)


def _is_16_bit_color_png(stream: BinaryIO) -> bool:
    """Look into IHDR, because Pillow drops the low byte of these without a word."""
    position = stream.tell()
    stream.seek(24)
    depth, color_type = stream.read(2)
    stream.seek(position)
    return depth == 16 and color_type in (2, 4, 6)
