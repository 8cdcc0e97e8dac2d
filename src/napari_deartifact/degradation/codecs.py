"""Lossy codecs beside each other: a picture in, a file out, and back, at a quality of each codec's own.

HEIC, still pictures of HEVC, is missing: the one encoder in Python wheels that are kept up, x265 in those of
pillow-heif, comes under the GPL, which this package's licence does not allow to ask for; pi-heif reads only,
and the wheels of imagecodecs have none.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation.jpeg import jpeg_decode, jpeg_encode
from napari_deartifact.degradation.jpeg12 import jpeg12_decode, jpeg12_encode
from napari_deartifact.degradation.pixels import checked_picture, imagecodecs_for, pillow_knows
from napari_deartifact.messages import nearest_name

_WHITE_OF_8, _WHITE_OF_12 = 255, 4095
_AVIF_SPEED = 6  # libavif's own default: 0 is slowest, 10 fastest


@dataclass(frozen=True)
class Codec:
    """A lossy codec of 8-bit grey and RGB pictures.

    Attributes
    ----------
    name : str
        As recipes and commands write it.
    title : str
        As people write it.
    lowest, highest : int
        Coarsest and finest quality.  JPEG 2000's is the PSNR that it aims at in dB; the others'
        are those of libjpeg, libwebp, libavif and cjxl.
    continuous : bool
        Whether there are qualities between whole numbers.

    Examples
    --------
    >>> from skimage.data import camera
    >>> codec = find_codec("webp")
    >>> degraded = codec.round_trip(camera(), 20)
    >>> degraded.shape, degraded.dtype
    ((512, 512), dtype('uint8'))
    """

    name: str
    title: str
    lowest: int
    highest: int
    continuous: bool
    _encode: Callable[[NDArray[np.uint8], float], bytes] = field(repr=False)
    _decode: Callable[[bytes], NDArray[np.uint8]] = field(repr=False)

    def encode(self, image: NDArray[np.uint8], quality: float) -> bytes:
        """Compress a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (Y, X) or (Y, X, 3)
        quality : float
            :attr:`lowest` to :attr:`highest`; whole unless :attr:`continuous`.

        Returns
        -------
        bytes
            A file.

        Raises
        ------
        TypeError
            When `image` is not uint8.
        ValueError
            For another shape, an empty picture, or a quality that the codec does not have.
        ImportError
            When the codec needs imagecodecs, the extra ``codecs``, and it is not there.
        """
        pixels = checked_picture(image)
        if not self.lowest <= quality <= self.highest:
            raise ValueError(
                f"quality is {quality}; expected {self.lowest} to {self.highest} for {self.title}"
            )
        if not self.continuous and quality != int(quality):
            raise ValueError(f"quality is {quality}; expected a whole number for {self.title}")
        return self._encode(pixels, quality)

    def decode(self, data: bytes, *, grey: bool = False) -> NDArray[np.uint8]:
        """Decompress a file; `grey` takes a grey picture out of one that holds it as RGB.

        Returns
        -------
        ndarray of uint8, shape (Y, X) or (Y, X, 3)
        """
        decoded = self._decode(data)
        # Of a grey picture the chroma is flat, and the three colours are one.
        return np.ascontiguousarray(decoded[..., 1]) if grey and decoded.ndim == 3 else decoded

    def round_trip(self, image: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
        """Compress and decompress a picture; parameters and errors are those of :meth:`encode`.

        Returns
        -------
        ndarray of uint8, same shape as `image`
        """
        return self.decode(self.encode(image, quality), grey=np.ndim(image) == 2)


def find_codec(name: str) -> Codec:
    """Return the codec of a name.

    Raises
    ------
    ValueError
        For an unknown name, with those that there are.
    """
    if name not in RECIPE_CODECS:
        known = ", ".join(RECIPE_CODECS)
        raise ValueError(
            f"codec is {name!r}{nearest_name(str(name), RECIPE_CODECS)}; expected one of {known}"
        )
    return RECIPE_CODECS[name]


def _encode_jpeg(pixels: NDArray[np.uint8], quality: float) -> bytes:
    return jpeg_encode(pixels, int(quality))


def _encode_jpeg12(pixels: NDArray[np.uint8], quality: float) -> bytes:
    return jpeg12_encode(_stretched(pixels, _WHITE_OF_8, _WHITE_OF_12, np.uint16), int(quality))


def _decode_jpeg12(data: bytes) -> NDArray[np.uint8]:
    return _stretched(jpeg12_decode(data), _WHITE_OF_12, _WHITE_OF_8, np.uint8)


def _stretched(pixels: NDArray[Any], white: int, new_white: int, dtype: type[Any]) -> NDArray[Any]:
    levels: NDArray[Any] = np.rint(pixels * (new_white / white)).astype(dtype)
    return levels


def _encode_webp(pixels: NDArray[np.uint8], quality: float) -> bytes:
    return _save(pixels, "WEBP", quality=quality)


def _encode_jpeg2000(pixels: NDArray[np.uint8], quality: float) -> bytes:
    if pillow_knows("jpg_2000"):
        options = {"quality_mode": "dB", "quality_layers": [quality], "irreversible": True}
        return _save(pixels, "JPEG2000", mct=int(pixels.ndim == 3), **options)
    library = imagecodecs_for("JPEG2K", "JPEG 2000")
    return bytes(library.jpeg2k_encode(pixels, level=quality, reversible=False, numthreads=1))


def _decode_jpeg2000(data: bytes) -> NDArray[np.uint8]:
    if pillow_knows("jpg_2000"):
        return _open(data)
    decoded: NDArray[np.uint8] = imagecodecs_for("JPEG2K", "JPEG 2000").jpeg2k_decode(data, numthreads=1)
    return decoded


def _encode_avif(pixels: NDArray[np.uint8], quality: float) -> bytes:
    if pillow_knows("avif"):
        subsampling = "4:2:0" if pixels.ndim == 3 else "4:0:0"
        options = {"quality": int(quality), "subsampling": subsampling, "speed": _AVIF_SPEED}
        return _save(pixels, "AVIF", max_threads=1, **options)
    rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)  # grey ignores the level
    library = imagecodecs_for("AVIF", "AVIF")
    return bytes(
        library.avif_encode(rgb, level=int(quality), speed=_AVIF_SPEED, pixelformat="420", numthreads=1)
    )


def _decode_avif(data: bytes) -> NDArray[np.uint8]:
    if pillow_knows("avif"):
        return _open(data)
    decoded: NDArray[np.uint8] = imagecodecs_for("AVIF", "AVIF").avif_decode(data, numthreads=1)
    return decoded


def _encode_jpegxl(pixels: NDArray[np.uint8], quality: float) -> bytes:
    library = imagecodecs_for("JPEGXL", "JPEG XL")
    return bytes(library.jpegxl_encode(pixels, distance=butteraugli_distance(quality), numthreads=1))


def _decode_jpegxl(data: bytes) -> NDArray[np.uint8]:
    decoded: NDArray[np.uint8] = imagecodecs_for("JPEGXL", "JPEG XL").jpegxl_decode(data, numthreads=1)
    return decoded


def butteraugli_distance(quality: float) -> float:
    """Return the distance that cjxl takes for a quality from 0 to 100.

    Notes
    -----
    ``JxlEncoderDistanceFromQuality`` in libjxl's ``lib/jxl/encode.cc``.

    Examples
    --------
    >>> round(butteraugli_distance(90), 6), butteraugli_distance(0)
    (1.0, 25.0)
    """
    if quality >= 100:
        return 0.0
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _save(pixels: NDArray[np.uint8], file_format: str, **options: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=file_format, **options)
    return stream.getvalue()


def _open(data: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.array(image if image.mode == "L" else image.convert("RGB"))


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            Codec("jpeg", "JPEG", 1, 100, False, _encode_jpeg, jpeg_decode),
            Codec("webp", "WebP", 0, 100, True, _encode_webp, _open),
            Codec("jpeg2000", "JPEG 2000", 10, 70, True, _encode_jpeg2000, _decode_jpeg2000),
            Codec("avif", "AVIF", 0, 100, False, _encode_avif, _decode_avif),
            Codec("jpegxl", "JPEG XL", 0, 100, True, _encode_jpegxl, _decode_jpegxl),
        )
    }
)
"""The codecs by name."""

RECIPE_CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        **CODECS,
        "jpeg12": Codec("jpeg12", "12-bit JPEG", 1, 100, False, _encode_jpeg12, _decode_jpeg12),
    }
)
"""Those that a recipe may name: also JPEG of 12 bits per sample, which eight bits are stretched to.

Its steps are those of eight bits on sixteen times as many levels, so that even a quality of 1 costs it
little, and it has no place beside the others at equal size.
"""
