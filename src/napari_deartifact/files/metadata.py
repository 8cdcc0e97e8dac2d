"""What a file says beside its pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.files.dicom import DICOMTags
from napari_deartifact.jpeg.segments import next_marker, read_soi, segment_body
from napari_deartifact.warned import no_warnings

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from napari_deartifact.files.tiff import TIFFTags

_ORIENTATION = 0x0112
_BEFORE_A_PICTURE = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Markers of what programs write into a JPEG, and of comments."""


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, in the form in which writers take it.

    Attributes
    ----------
    exif, icc, xmp : bytes, optional
        Blocks as they are stored.
    dpi : (float, float), optional
        Pixels an inch along X and Y.
    text : dict
        The text chunks of a PNG.
    tiff : TIFFTags, optional
        Axes, resolution and descriptions of a TIFF.
    dicom : DICOMTags, optional
        The data set of a DICOM file, without its pixels.
    note : str
        What was done to the pixels since, for formats with a place for it.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    tiff: TIFFTags | None = None
    dicom: DICOMTags | None = None
    note: str = ""

    @property
    def is_inverted(self) -> bool:
        """Whether white is the lowest intensity: MINISWHITE in TIFF, MONOCHROME1 in DICOM."""
        if self.tiff is not None:
            return self.tiff.photometric == "miniswhite"
        return self.dicom is not None and self.dicom.dataset.PhotometricInterpretation == "MONOCHROME1"

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8; 1 when nothing is said."""
        if self.tiff is not None:
            return self.tiff.orientation
        if self.exif is None:
            return 1
        from PIL import Image

        exif = Image.Exif()
        with no_warnings():  # a damaged block is kept as it is
            try:
                exif.load(self.exif)
                value = int(exif.get(_ORIENTATION, 1))
            except (OSError, SyntaxError, TypeError, ValueError, LookupError):
                return 1
        return value if 1 <= value <= 8 else 1


def metadata_of_image(image: PillowImage) -> Metadata:
    """Return what Pillow has read."""
    text = {str(key): str(value) for key, value in (getattr(image, "text", None) or {}).items()}
    xmp = text.pop("XML:com.adobe.xmp", None) or image.info.get("xmp")
    return Metadata(
        exif=image.info.get("exif") or None,
        icc=image.info.get("icc_profile") or None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        dpi=_positive_pair(image.info.get("dpi")),
        text=text,
    )


def metadata_of_jpeg(path: Path) -> Metadata:
    """Read what lies before the picture in a JPEG of 12 bits, by putting it before one that Pillow opens.

    Raises
    ------
    ValueError
        When the file is no JPEG, or ends before its picture.
    """
    from PIL import Image

    small = io.BytesIO()
    Image.new("L", (8, 8)).save(small, "JPEG")
    said = b""
    with path.open("rb") as stream:
        read_soi(stream)
        while (marker := next_marker(stream)) is not None and marker in _BEFORE_A_PICTURE:
            body = segment_body(stream, marker)
            said += bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body
    try:
        with no_warnings(), Image.open(io.BytesIO(b"\xff\xd8" + said + small.getvalue()[2:])) as image:
            return metadata_of_image(image)
    except (OSError, SyntaxError, LookupError, TypeError, ValueError):  # the pixels may be sound all the same
        return Metadata()


def _positive_pair(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e9 and 0 < y < 1e9 else None
