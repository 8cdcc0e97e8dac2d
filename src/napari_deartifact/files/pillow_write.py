"""PNG, WebP and JPEG files; each function is a `Writer` of :mod:`~napari_deartifact.files.write`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.metadata import Metadata
from napari_deartifact.files.png16 import encode_png

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from napari_deartifact.files.read import ImageFile

_JPEG_QUALITY = 95
_EXIF_PREFIX = b"Exif\0\0"
_XMP_KEY, _SOFTWARE = "XML:com.adobe.xmp", "Software"


def write_png(path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None) -> None:
    """Write a PNG, of 16 bits too, with all that its chunks can say."""
    exif, dpi = _exif(metadata), _dpi(metadata)
    before = metadata.text.get(_SOFTWARE, "")
    said = before if metadata.note in before else "; ".join(filter(None, (before, metadata.note)))
    texts = metadata.text | {_SOFTWARE: said}
    if metadata.xmp is not None:
        texts[_XMP_KEY] = metadata.xmp.decode("utf-8", errors="replace")
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        path.write_bytes(encode_png(pixels, exif=exif, icc=metadata.icc, dpi=dpi, texts=texts))
        return
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_itxt(key, value)
    _to_pillow(pixels).save(
        path, format="PNG", pnginfo=chunks, **_present(exif=exif, icc_profile=metadata.icc, dpi=dpi)
    )


def write_webp(path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None) -> None:
    """Write a WebP without loss."""
    options = _present(exif=_exif(metadata), icc_profile=metadata.icc, xmp=metadata.xmp)
    _to_pillow(pixels).save(path, format="WEBP", lossless=True, exact=True, **options)


def write_jpeg(path: Path, pixels: NDArray[Any], metadata: Metadata, like: ImageFile | None) -> None:
    """Write a JPEG, and warn."""
    warnings.warn(
        "JPEG brings artifacts back into the restored picture; PNG, TIFF and WebP do not",
        UserWarning,
        stacklevel=3,
    )
    exif = _exif(metadata)
    if exif is not None and not exif.startswith(_EXIF_PREFIX):  # as it lies in a WebP
        exif = _EXIF_PREFIX + exif
    options = _present(exif=exif, icc_profile=metadata.icc, dpi=_dpi(metadata), xmp=metadata.xmp)
    _to_pillow(pixels).save(path, format="JPEG", quality=_JPEG_QUALITY, subsampling="4:4:4", **options)


def _to_pillow(pixels: NDArray[Any]) -> PillowImage:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2:] == (1,) else pixels))


def _exif(metadata: Metadata) -> bytes | None:
    """Return the EXIF block; of a TIFF without one, its orientation and texts as such."""
    if metadata.exif is not None or metadata.tiff is None:
        return metadata.exif
    from PIL import Image

    texts = {code: text for code, text in metadata.tiff.texts.items() if isinstance(text, str)}
    exif = Image.Exif()
    exif.update(texts | ({0x0112: metadata.orientation} if metadata.orientation != 1 else {}))
    return exif.tobytes() if len(exif) else None


def _dpi(metadata: Metadata) -> tuple[float, float] | None:
    tags = metadata.tiff
    if tags is None or tags.resolution is None or tags.resolution_unit not in (2, 3):
        return metadata.dpi
    scale = 1.0 if tags.resolution_unit == 2 else 2.54
    return tags.resolution[0] * scale, tags.resolution[1] * scale


def _present(**options: Any) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}
