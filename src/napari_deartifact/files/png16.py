"""PNG of 16 bits a channel in colour, which Pillow can neither read nor write: a small codec in numpy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_COLOR_TYPES = {channels: color_type for color_type, channels in _CHANNELS.items()}
_METRES_PER_INCH = 0.0254


def encode_png(
    pixels: NDArray[np.uint16],
    *,
    exif: bytes | None = None,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """Write a PNG of 16 bits a channel.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (Y, X) or (Y, X, 1 to 4)
        Grey, grey and alpha, RGB or RGBA.
    exif, icc : bytes, optional
        Blocks to keep.
    dpi : (float, float), optional
        Pixels an inch along X and Y.
    texts : mapping of str to str, optional
        Text chunks by their keywords, which are Latin-1.

    Returns
    -------
    bytes
        The file.

    Examples
    --------
    >>> pixels = np.arange(24, dtype=np.uint16).reshape(2, 4, 3) * 1000
    >>> bool((decode_png(encode_png(pixels)) == pixels).all())
    True
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPES[channels], 0, 0, 0))]
    if icc is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if dpi is not None:
        x, y = (round(value / _METRES_PER_INCH) for value in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif is not None:
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    for keyword, text in (texts or {}).items():
        # Not compressed, in no language, with no translated keyword.
        chunks.append((b"iTXt", keyword.encode("latin-1") + bytes(5) + text.encode()))
    rows = np.ascontiguousarray(pixels, dtype=">u2").view(np.uint8).reshape(height, -1)
    # Filter 2 (up): each row as its difference from the one above.
    differences = np.diff(rows, axis=0, prepend=np.zeros((1, rows.shape[1]), np.uint8))
    filtered = np.concatenate([np.full((height, 1), 2, np.uint8), differences], axis=1)
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def decode_png(data: bytes, name: str = "the data") -> NDArray[np.uint16]:
    """Read a PNG of 16 bits a channel.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Of the file, for messages.

    Returns
    -------
    ndarray of uint16, shape (Y, X, C), or (Y, X) for grey

    Raises
    ------
    ValueError
        When the file is truncated or damaged, interlaced, or not of 16 bits.
    """
    header, compressed = b"", []
    for kind, content in _chunks(data, name):
        if kind == b"IHDR":
            header = content
        elif kind == b"IDAT":
            compressed.append(content)
    width, height, depth, color_type, *_, interlaced = struct.unpack(">IIBBBBB", header[:13])
    if depth != 16 or color_type not in _CHANNELS:
        raise ValueError(f"{name} is a PNG of {depth} bits a channel; expected 16")
    if interlaced:
        raise ValueError(f"{name} is an interlaced 16-bit PNG; save it without interlacing, or as TIFF")
    channels = _CHANNELS[color_type]
    size = height * (1 + width * channels * 2)
    unpacker = zlib.decompressobj()
    try:
        filtered = unpacker.decompress(b"".join(compressed), size)
    except zlib.error as error:
        raise ValueError(f"{name} is damaged ({error}); get a complete copy of the file") from error
    if len(filtered) != size:
        raise ValueError(f"{name} is truncated; get a complete copy of the file")
    lines = np.frombuffer(filtered, np.uint8).reshape(height, -1)
    if lines[:, 0].max(initial=0) > 4:
        raise ValueError(f"{name} is damaged (no such row filter); get a complete copy of the file")
    rows = _unfilter(lines[:, 0], lines[:, 1:].reshape(height, width, channels * 2))
    pixels = rows.reshape(height, -1).view(">u2").astype(np.uint16)
    return pixels.reshape((height, width, channels) if channels > 1 else (height, width))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        if data[position + 8 + length : position + 12 + length] != struct.pack(
            ">I", zlib.crc32(kind + content)
        ):
            break
        yield kind, content
        if kind == b"IEND":
            return
        position += 12 + length
    raise ValueError(f"{name} is truncated or damaged; get a complete copy of the file")


def _unfilter(filters: NDArray[np.uint8], differences: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the row filters along anti-diagonals, whose pixels do not depend on one another.

    Parameters
    ----------
    filters : ndarray of uint8, shape (Y,)
        0 none, 1 left, 2 up, 3 mean of both, 4 Paeth.
    differences : ndarray of uint8, shape (Y, X, bytes a pixel)

    Returns
    -------
    ndarray of uint8, shape (Y, X, bytes a pixel)
    """
    height, width, _ = differences.shape
    padded = np.zeros((height + 1, width + 1, differences.shape[2]), np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, up, corner = padded[y + 1, x], padded[y, x + 1], padded[y, x]
        kind = filters[y, None]
        prediction = np.choose(kind, [0, left, up, (left + up) // 2, _paeth(left, up, corner)])
        padded[y + 1, x + 1] = (differences[y, x] + prediction) & 255
    return padded[1:, 1:].astype(np.uint8)


def _paeth(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    near_up = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, near_up)
