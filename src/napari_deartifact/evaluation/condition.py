"""What is done to an original before it is restored: one file, a cut-out of one, or two in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation import encode_to_size, find_codec, jpeg_decode, jpeg_encode
from napari_deartifact.jpeg.info import JPEGInfo

Quality = int | Literal["clean"] | tuple[int, int]
DOUBLE_SHIFT = (4, 4)
_PERIOD = 16


def parse_quality(text: str) -> Quality:
    """Read a quality such as ``10``, ``clean`` or, for two JPEGs one after another, ``10:30``.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> [parse_quality(word) for word in ("10", "clean", "10:30")]
    [10, 'clean', (10, 30)]
    """
    if text.strip() == "clean":
        return "clean"
    first, colon, second = text.partition(":")
    return (int(first), int(second)) if colon else int(first)


def quality_label(quality: Quality) -> str:
    """Write a quality as `parse_quality` reads it."""
    return ":".join(map(str, quality)) if isinstance(quality, tuple) else str(quality)


@dataclass(frozen=True)
class Sample:
    """An original and what became of it.

    Attributes
    ----------
    original, degraded : ndarray of uint8, shape (Y, X) or (Y, X, 3)
        The same pixels before and after.
    whole : ndarray of uint8
        The decoded picture, of which `degraded` is the part at the bottom right.
    file : bytes, optional
        That was decoded last; none for a clean picture.
    is_jpeg : bool
        Whether `file` is a JPEG.
    jpeg_size : int, optional
        Bytes of the JPEG that stood model for the size of `file`.
    """

    original: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    file: bytes | None = None
    is_jpeg: bool = False
    jpeg_size: int | None = None

    @property
    def cut(self) -> tuple[int, int]:
        """Rows and columns that `degraded` lacks of `whole`, at the top and the left."""
        return (
            self.whole.shape[0] - self.degraded.shape[0],
            self.whole.shape[1] - self.degraded.shape[1],
        )

    def jpeg(self, *, whole: bool = False) -> JPEGInfo | None:
        """Return the JPEG's header for `degraded`, or for `whole`."""
        if self.file is None or not self.is_jpeg:
            return None
        y, x = (0, 0) if whole else self.cut
        return JPEGInfo.from_bytes(self.file).crop(slice(y, None), slice(x, None))

    def bits_per_pixel(self, size: int | None) -> float | None:
        """Spread so many bytes over the coded pixels."""
        return None if size is None else 8 * size / (self.whole.shape[0] * self.whole.shape[1])


@dataclass(frozen=True)
class Condition:
    """What is done to every original.

    Attributes
    ----------
    codec : str
        A key of `CODECS`; other than JPEG, files are as large as the JPEG of the quality.
    subsampling : str
        Of the chroma of JPEGs.
    shift : (int, int), optional
        Rows and columns, 0 to 15, cut off a decoded JPEG, so that its block grid does not start at
        the first pixel; of two JPEGs, off the first.  By default none, and of two JPEGs 4 and 4.
    """

    codec: str = "jpeg"
    subsampling: str = "4:2:0"
    shift: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        find_codec(self.codec)
        if self.shift is not None and (
            len(self.shift) != 2 or not all(0 <= step < _PERIOD for step in self.shift)
        ):
            raise ValueError(f"shift is {self.shift}; expected two numbers from 0 to {_PERIOD - 1}")

    def check(self, quality: Quality) -> None:
        """Refuse a quality that there is not.

        Raises
        ------
        ValueError
            Naming it, and what there is.
        """
        pair = isinstance(quality, tuple)
        if pair and self.codec != "jpeg":
            raise ValueError(f"quality is {quality_label(quality)}; only JPEG goes twice, not {self.codec}")
        numbers = quality if isinstance(quality, tuple) else (quality,)
        if (pair and len(numbers) != 2) or not all(n == "clean" or _is_quality(n) for n in numbers):
            raise ValueError(
                f"quality is {quality_label(quality)}; expected 1 to 100, a pair such as 10:30, or 'clean'"
            )

    def check_size(self, shape: tuple[int, ...], qualities: Sequence[Quality]) -> None:
        """Refuse a picture of which a shift would leave nothing.

        Raises
        ------
        ValueError
            With its size.
        """
        default = DOUBLE_SHIFT if any(isinstance(quality, tuple) for quality in qualities) else (0, 0)
        y, x = default if self.shift is None else self.shift
        # PSNR-B begins at the first whole block behind the cut.
        if shape[0] <= y + -y % 8 or shape[1] <= x + -x % 8:
            raise ValueError(f"{shape[0]}×{shape[1]} pixels are too few for a shift of {y},{x}")

    def apply(self, original: NDArray[np.uint8], quality: Quality) -> Sample:
        """Degrade an original.

        Raises
        ------
        ImportError
            When the codec needs imagecodecs, the extra ``codecs``, and it is not there.
        """
        if quality == "clean":
            return Sample(original, original, original)
        if isinstance(quality, tuple):
            return self._double(original, *quality)
        file, jpeg_size = jpeg_encode(original, quality, subsampling=self.subsampling), None
        if self.codec != "jpeg":
            jpeg_size = len(file)
            _, file = encode_to_size(original, self.codec, jpeg_size)
        whole = find_codec(self.codec).decode(file, grey=original.ndim == 2)
        shift = self.shift or (0, 0)
        return Sample(_cut(original, shift), _cut(whole, shift), whole, file, self.codec == "jpeg", jpeg_size)

    def _double(self, original: NDArray[np.uint8], first: int, second: int) -> Sample:
        shift = DOUBLE_SHIFT if self.shift is None else self.shift
        between = jpeg_decode(jpeg_encode(original, first, subsampling=self.subsampling))
        file = jpeg_encode(_cut(between, shift), second, subsampling=self.subsampling)
        degraded = jpeg_decode(file)
        return Sample(_cut(original, shift), degraded, degraded, file, is_jpeg=True)


def _is_quality(number: object) -> bool:
    return isinstance(number, Integral) and 1 <= int(number) <= 100


def _cut(picture: NDArray[np.uint8], shift: tuple[int, int]) -> NDArray[np.uint8]:
    y, x = shift
    return picture[y:, x:]
