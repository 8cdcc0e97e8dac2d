"""What a TIFF says beside its pixels in words: texts, XMP and EXIF; read, and written again.

References
----------
.. [1] CIPA DC-008, "Exchangeable image file format for digital still cameras", 4.5 and 4.6: the EXIF and GPS
       directories, which a tag of the first directory points to.
.. [2] Adobe, "XMP Specification Part 3: Storage in Files", 1.1.4: tag 700.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from napari_deartifact.jpeg.damage import DAMAGE
from napari_deartifact.warned import no_warnings

SOFTWARE, DATE_TIME, XMP, ORIENTATION = 305, 306, 700, 274
_EXIF, _GPS = 34665, 34853
_INTEROPERABILITY = 40965  # a directory within EXIF, of no use without the JPEG
_CLASSIC, _LONG = 42, 4
_TIME = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
# DocumentName, Make, Model, PageName, Artist, HostComputer, Copyright; IPTC and Photoshop's blocks.
_TEXTS = (269, 271, 272, 285, SOFTWARE, DATE_TIME, 315, 316, 33432)
_BLOCKS = (XMP, 33723, 34377)

ExtraTag = tuple[int, int | str, int, Any, bool]


def read_resolution(page: Any) -> tuple[float, float] | None:
    """Return the pixels in a unit along X and Y; None where the page says nothing of use."""
    if "XResolution" not in page.tags or "YResolution" not in page.tags:
        return None
    try:
        x, y = (
            top / bottom for top, bottom in (page.tags[name].value for name in ("XResolution", "YResolution"))
        )
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if x > 0 and y > 0 else None


def read_orientation(page: Any) -> int:
    """Return the orientation, 1 to 8; 1 where the page says nothing of use."""
    value = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def read_texts(page: Any) -> dict[int, str | bytes]:
    """Return the texts and the blocks of bytes of a page of tifffile, by their codes."""
    values = {code: page.tags[code].value for code in (*_TEXTS, *_BLOCKS) if code in page.tags}
    return {
        code: value
        for code, value in values.items()
        if value and isinstance(value, bytes if code in _BLOCKS else str)
    }


def read_exif(path: str | os.PathLike[str], page: Any) -> bytes | None:
    """Return the EXIF and GPS directories of a TIFF as the block that a JPEG would have.

    What is damaged, or in a TIFF that Pillow does not open, is left out.
    """
    if not {_EXIF, _GPS} & set(page.tags.keys()):
        return None
    from PIL import Image

    try:
        with no_warnings(), Image.open(path, formats=("TIFF",)) as image:
            found, kept = image.getexif(), Image.Exif()
            for code in (_EXIF, _GPS):
                kept.get_ifd(code).update(found.get_ifd(code))
            kept.update({code: found[code] for code in (*_TEXTS, ORIENTATION) if code in found})
            return kept.tobytes()
    except DAMAGE:
        return None


@dataclass(frozen=True)
class Words:
    """What is to be said in a TIFF.

    Attributes
    ----------
    texts : dict of int to str or bytes
        By code.
    directories : dict of int to dict
        The entries of the EXIF and GPS directories, by the code of the tag that points to them.
    """

    texts: dict[int, str | bytes]
    directories: dict[int, dict[int, Any]]

    @classmethod
    def of(cls, texts: dict[int, str | bytes], exif: bytes | None, xmp: bytes | None) -> Words:
        """Take the texts of a TIFF, or those of the EXIF and XMP blocks of another file."""
        said = dict(texts) if xmp is None else {XMP: xmp, **texts}
        directories = {}
        if exif is not None:
            block = _parsed(exif)
            said = {code: block[code] for code in _TEXTS if isinstance(block.get(code), str)} | said
            found = {code: _entries(block, code) for code in (_EXIF, _GPS)}
            directories = {code: entries for code, entries in found.items() if entries}
        return cls(said, directories)

    def options(self) -> dict[str, Any]:
        """Return what tells tifffile; the directories follow by :meth:`add_directories`."""
        options: dict[str, Any] = {}
        if SOFTWARE in self.texts:
            options["software"] = _encoded(self.texts[SOFTWARE])
        if _TIME.fullmatch(str(self.texts.get(DATE_TIME))):  # tifffile takes no other
            options["datetime"] = self.texts[DATE_TIME]
        tags: list[ExtraTag] = []
        for code, value in self.texts.items():
            content = _encoded(value)
            if code in _BLOCKS:
                tags.append((code, 1, len(content), content, True))
            elif code not in (SOFTWARE, DATE_TIME):
                tags.append((code, 2, len(content) + 1, content + b"\0", True))
        return {**options, "extratags": tags}

    def add_directories(self, path: str | os.PathLike[str]) -> None:
        """Append the directories to a TIFF, and its first directory again with pointers to them.

        tifffile writes no such pointers.
        """
        if not self.directories:
            return
        with open(path, "r+b") as stream:
            order = "<" if stream.read(2) == b"II" else ">"
            magic, first = struct.unpack(f"{order}HI", stream.read(6))
            if magic != _CLASSIC:  # a BigTIFF's directories are of another kind
                return
            entries, following = _read_entries(stream, first, order)
            for code, contents in self.directories.items():
                start = _even_end(stream)
                stream.write(_directory(contents, start, order))
                entries[code] = struct.pack(f"{order}HHII", code, _LONG, 1, start)
            start = _even_end(stream)
            stream.write(struct.pack(f"{order}H", len(entries)))
            stream.write(b"".join(entries[code] for code in sorted(entries)) + following)
            stream.seek(4)
            stream.write(struct.pack(f"{order}I", start))


def _read_entries(stream: BinaryIO, directory: int, order: str) -> tuple[dict[int, bytes], bytes]:
    """Return the entries of a directory by their codes, and the place of the next directory."""
    stream.seek(directory)
    (count,) = struct.unpack(f"{order}H", stream.read(2))
    entries = [stream.read(12) for _ in range(count)]
    return {struct.unpack(f"{order}H", entry[:2])[0]: entry for entry in entries}, stream.read(4)


def _even_end(stream: BinaryIO) -> int:
    end = stream.seek(0, os.SEEK_END)
    return end + stream.write(bytes(end % 2))


def _parsed(exif: bytes) -> Any:
    from PIL import Image

    block = Image.Exif()
    with no_warnings():
        try:
            block.load(exif)
        except DAMAGE:
            return Image.Exif()
    return block


def _entries(block: Any, code: int) -> dict[int, Any]:
    """Return the entries of a directory that can be written again.

    MakerNote is not among them: it points to places in the file that it was made for.
    """
    with no_warnings():
        try:
            entries = {tag: value for tag, value in block.get_ifd(code).items() if tag != _INTEROPERABILITY}
            _directory(entries, 0, "<")
        except DAMAGE:
            return {}
    return entries


def _directory(entries: dict[int, Any], start: int, order: str) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
    for tag, value in entries.items():
        directory[tag] = value
    return directory.tobytes(start)


def _encoded(value: str | bytes) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else value
