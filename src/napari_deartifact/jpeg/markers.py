"""The markers of a JPEG up to its first scan, read as libjpeg reads them and without decoding a pixel."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from napari_deartifact.jpeg.header import Component, JPEGHeader, Table, UnsupportedJPEGError
from napari_deartifact.jpeg.segments import EOI, SOI, SOS, next_marker, read_soi, segment_body

_DQT, _DNL = 0xDB, 0xDC
_APP0, _APP1, _APP14 = 0xE0, 0xE1, 0xEE
_FRAMES = {0xC0: (8,), 0xC1: (8, 12), 0xC2: (8, 12)}
_UNSUPPORTED = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical lossless",
    0xC9: "arithmetic-coded",
    0xCA: "arithmetic-coded progressive",
    0xCB: "arithmetic-coded lossless",
    0xCD: "arithmetic-coded hierarchical",
    0xCE: "arithmetic-coded hierarchical",
    0xCF: "arithmetic-coded hierarchical lossless",
    0xDE: "hierarchical",
    0xF7: "JPEG-LS",
}
_EXIF, _ORIENTATION, _SHORT = b"Exif\0\0", 0x0112, 3
_ZIGZAG = sorted(
    range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8)
)  # position in the file → position row by row


def read_header(stream: BinaryIO, *, tables: bytes | None = None) -> JPEGHeader:
    """Read the markers of a JPEG, as far as they are needed to know every component's table.

    Parameters
    ----------
    stream : binary file
        At the start of the JPEG, seekable.  What follows the first scan is only read when the scan
        leaves out a component, or when a DNL marker has to tell the height.
    tables : bytes, optional
        An abbreviated stream with tables that the JPEG itself may lack, such as a TIFF's JPEGTables.

    Returns
    -------
    JPEGHeader

    Raises
    ------
    UnsupportedJPEGError
        For lossless, hierarchical and arithmetic-coded JPEG.
    ValueError
        For what is no JPEG, or has a damaged header; the message has no subject.

    Notes
    -----
    A component keeps the table that was defined when its first scan began; later definitions, which
    the standard forbids, change nothing.  That is what libjpeg does [1]_.

    References
    ----------
    .. [1] ITU-T Recommendation T.81, "Digital compression and coding of continuous-tone still images",
           1992, Annex B.

    Examples
    --------
    >>> read_header(io.BytesIO(b"GIF89a"))
    Traceback (most recent call last):
        ...
    ValueError: no JPEG begins like that
    """
    parser = _Parser()
    if tables:
        parser.read_tables(io.BytesIO(tables))
    return parser.read(stream)


@dataclass
class _Parser:
    """What has been read so far."""

    defined: dict[int, Table] = field(default_factory=dict)
    latched: dict[int, Table] = field(default_factory=dict)
    frame: tuple[int, int, int] | None = None
    components: tuple[Component, ...] = ()
    progressive: bool = False
    jfif: bool = False
    adobe_transform: int | None = None
    orientation: int = 1
    scan_start: int = 0

    def read_tables(self, stream: BinaryIO) -> None:
        """Take the quantization tables of an abbreviated stream."""
        read_soi(stream)
        while (marker := next_marker(stream)) not in (None, EOI, SOS):
            body = segment_body(stream, marker or 0)
            if marker == _DQT:
                self._define_tables(body)

    def read(self, stream: BinaryIO) -> JPEGHeader:
        start = stream.tell()
        read_soi(stream)
        scanned = False
        while not (scanned and self._is_complete()):
            marker = next_marker(stream)
            if marker is None or marker == EOI:
                raise ValueError(f"it ends {self._missing()}")
            if marker == SOI:
                raise ValueError("a second start of image within its header")
            if marker in _UNSUPPORTED:
                raise UnsupportedJPEGError(
                    f"{_UNSUPPORTED[marker]} JPEG (marker FF{marker:02X}); expected baseline, extended or "
                    "progressive with Huffman coding"
                )
            self._take(marker, segment_body(stream, marker))
            if marker == SOS and not scanned:
                scanned, self.scan_start = True, stream.tell() - start
        return self._header()

    def _take(self, marker: int, body: bytes) -> None:
        if marker == _DQT:
            self._define_tables(body)
        elif marker in _FRAMES:
            self._begin_frame(marker, body)
        elif marker == SOS:
            self._begin_scan(body)
        elif marker == _DNL:
            self._define_height(body)
        elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
            self.jfif = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            self.adobe_transform = body[11]
        elif marker == _APP1 and body.startswith(_EXIF) and self.orientation == 1:
            self.orientation = _exif_orientation(body[len(_EXIF) :])

    def _define_tables(self, body: bytes) -> None:
        while body:
            width, index = 1 + (body[0] >> 4), body[0] & 15
            if width > 2 or index > 3:
                raise ValueError(
                    f"a quantization table of kind {width - 1} and number {index}; expected 0–1, 0–3"
                )
            steps = body[1 : 1 + 64 * width]
            if len(steps) < 64 * width:
                raise ValueError(f"quantization table {index} has {len(steps)} bytes, not {64 * width}")
            table = [0] * 64
            for place, natural in enumerate(_ZIGZAG):
                table[natural] = int.from_bytes(steps[place * width : (place + 1) * width], "big")
            self.defined[index] = tuple(table)
            body = body[1 + 64 * width :]

    def _begin_frame(self, marker: int, body: bytes) -> None:
        if self.frame is not None:
            raise ValueError("two frame headers")
        if len(body) < 6 or len(body) != 6 + 3 * body[5]:
            raise ValueError(f"a frame header of {len(body)} bytes, which does not fit its components")
        precision, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if precision not in _FRAMES[marker]:
            raise ValueError(
                f"{precision} bits per sample; expected {' or '.join(map(str, _FRAMES[marker]))}"
            )
        if width == 0:
            raise ValueError("a width of 0")
        components = tuple(
            Component(identifier, factors >> 4, factors & 15, selector)
            for identifier, factors, selector in zip(body[6::3], body[7::3], body[8::3], strict=True)
        )
        if len(components) not in (1, 3, 4):
            raise ValueError(f"{len(components)} components; expected 1, 3 or 4")
        if len({component.identifier for component in components}) < len(components):
            raise ValueError("two components of the same name")
        for component in components:
            if not (1 <= component.horizontal <= 4 and 1 <= component.vertical <= 4):
                factors = f"{component.horizontal}×{component.vertical}"
                raise ValueError(f"sampling factors of {factors}; expected 1 to 4")
        self.frame, self.components, self.progressive = (precision, height, width), components, marker == 0xC2

    def _begin_scan(self, body: bytes) -> None:
        if self.frame is None:
            raise ValueError("a scan before its frame header")
        count = body[0] if body else 0
        if not 1 <= count <= 4 or len(body) != 4 + 2 * count:
            raise ValueError(f"a scan header of {len(body)} bytes for {count} components")
        known = {component.identifier: component for component in self.components}
        for identifier in body[1 : 1 + 2 * count : 2]:
            if identifier not in known:
                raise ValueError(f"a scan of component {identifier}, which the frame header does not name")
            if identifier not in self.latched:
                self.latched[identifier] = self._usable_table(known[identifier].selector)

    def _usable_table(self, index: int) -> Table:
        if index not in self.defined:
            raise ValueError(f"quantization table {index} is named but not defined")
        if 0 in self.defined[index]:
            raise ValueError(f"quantization table {index} has a step of 0")
        return self.defined[index]

    def _define_height(self, body: bytes) -> None:
        if self.frame is None or len(body) != 2:
            raise ValueError("a damaged DNL marker")
        precision, height, width = self.frame
        if height == 0 and self.latched:
            self.frame = precision, int.from_bytes(body, "big"), width

    def _is_complete(self) -> bool:
        return self.frame is not None and self.frame[1] > 0 and len(self.latched) == len(self.components)

    def _missing(self) -> str:
        if self.frame is None:
            return "before its frame header"
        if not self.latched:
            return "before its first scan"
        if len(self.latched) < len(self.components):
            return f"after scans of {len(self.latched)} of {len(self.components)} components"
        return "without a DNL marker, and its frame header has a height of 0"

    def _header(self) -> JPEGHeader:
        if self.frame is None:
            raise ValueError("no frame header")
        precision, height, width = self.frame
        return JPEGHeader(
            height=height,
            width=width,
            precision=precision,
            components=self.components,
            tables=tuple(self.latched[component.identifier] for component in self.components),
            progressive=self.progressive,
            jfif=self.jfif,
            adobe_transform=self.adobe_transform,
            orientation=self.orientation,
            scan_start=self.scan_start,
        )


def _exif_orientation(block: bytes) -> int:
    """Look the orientation up in the first directory; 1 when nothing sensible is said."""
    order: Literal["little", "big"] = "little" if block.startswith(b"II") else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(block[start : start + size], order)

    start = number(4, 4)
    for entry in range(start + 2, min(start + 2 + 12 * number(start, 2), len(block) - 11), 12):
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == _SHORT:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
