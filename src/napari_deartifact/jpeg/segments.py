"""The segments of a JPEG, walked from marker to marker, and what the walk alone tells."""

from __future__ import annotations

import re
from typing import BinaryIO

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
"""Start and end of image, start of scan."""
_HUFFMAN_TABLES, _EXTENSION, _ARITHMETIC = 0xC4, 0xC8, 0xCC
_HIERARCHICAL, _JPEG_LS = 0xDE, 0xF7
_FRAMES = {*range(0xC0, 0xD0), _HIERARCHICAL, _JPEG_LS} - {_HUFFMAN_TABLES, _EXTENSION, _ARITHMETIC}
# Not stuffing, fill, or one of the markers that stand alone: TEM and the restarts.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_FIRST_CHUNK, _LAST_CHUNK = 64, 65536


def read_soi(stream: BinaryIO) -> None:
    """Go past the start of image.

    Raises
    ------
    ValueError
        When there is none.
    """
    if stream.read(2) != bytes((0xFF, SOI)):
        raise ValueError("no JPEG begins like that")


def next_marker(stream: BinaryIO) -> int | None:
    r"""Go past the next marker, whatever lies before it.

    Returns
    -------
    int or None
        The second byte of the marker; None at the end of the stream.

    Examples
    --------
    >>> import io
    >>> hex(next_marker(io.BytesIO(b"scan \xff\x00 data \xff\xd9")))
    '0xd9'
    """
    position, size = stream.tell(), 2
    while True:
        chunk = stream.read(size)
        found = _MARKER.search(chunk)
        if found:
            stream.seek(position + found.end())
            return found[1][0]
        if len(chunk) < 2:
            return None
        position += len(chunk) - chunk.endswith(b"\xff")
        stream.seek(position)
        # So that much junk, in small parts, costs little.
        size = min(max(2 * size, _FIRST_CHUNK), _LAST_CHUNK)


def segment_body(stream: BinaryIO, marker: int) -> bytes:
    """Read what a marker stands before: as many bytes as it claims.

    Raises
    ------
    ValueError
        When there are fewer.
    """
    length = int.from_bytes(stream.read(2), "big")
    body = stream.read(length - 2) if length >= 2 else b""
    if length < 2 or len(body) < length - 2:
        raise ValueError(f"segment FF{marker:02X} claims {length} bytes and has {len(body) + 2}")
    return body


def announced_size(stream: BinaryIO) -> tuple[int, int]:
    """Read height and width from the first frame header, of whatever process.

    Parameters
    ----------
    stream : binary file
        At the start of a JPEG, lossless or JPEG-LS too.

    Raises
    ------
    ValueError
        When there is none.
    """
    read_soi(stream)
    while (marker := next_marker(stream)) not in (None, EOI, SOS):
        body = segment_body(stream, marker or 0)
        if marker in _FRAMES:
            return int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    raise ValueError("no frame header")


def has_end(stream: BinaryIO) -> bool:
    """Tell whether an end of image follows, however many scans come first.

    Parameters
    ----------
    stream : binary file
        At the start of a JPEG.
    """
    read_soi(stream)
    while (marker := next_marker(stream)) not in (None, EOI):
        if marker != SOI:
            try:
                segment_body(stream, marker or 0)
            except ValueError:
                return False
    return marker == EOI
