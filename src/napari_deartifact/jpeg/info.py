"""What a JPEG says about what it lost: quantization tables, chroma subsampling, block grid."""

from __future__ import annotations

import io
import math
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.tables import nearest_quality, quality_table

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

ColorSpace = Literal["grey", "ycbcr", "rgb", "cmyk", "ycck"]

_SUBSAMPLING_NAMES: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
    ((1, 2), (1, 1), (1, 1)): "4:4:0",
    ((4, 1), (1, 1), (1, 1)): "4:1:1",
}
_SAMPLING_FACTORS = {name: factors for factors, name in _SUBSAMPLING_NAMES.items()}
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class JPEGInfo:
    """The part of a JPEG's header that bounds what its pixels can have been.

    Attributes
    ----------
    height, width : int
        Size of the image that this record describes, in pixels.
    tables : tuple of tuple of int
        One quantization table a component, 64 steps in natural (row by row) order.
    sampling : tuple of (int, int)
        Horizontal and vertical sampling factor of each component.
    color_space : {"grey", "ycbcr", "rgb", "cmyk", "ycck"}
        What the components are.
    precision : int
        Bits a sample.
    offset : (int, int)
        Row and column, in the coded image, of the described image's first pixel; not (0, 0)
        after :meth:`crop`.
    progressive : bool
        Whether the scans were progressive.
    orientation : int
        EXIF orientation, 1 to 8.  Pixels are always handled as stored.

    Examples
    --------
    >>> info = JPEGInfo.from_quality(20, height=48, width=64, subsampling="4:2:0")
    >>> info.quality, info.subsampling, info.mcu
    (20, '4:2:0', (16, 16))
    >>> info.crop(slice(3, 40), slice(10, None)).grid
    (5, 6)
    """

    height: int
    width: int
    tables: tuple[tuple[int, ...], ...]
    sampling: tuple[tuple[int, int], ...] = ((1, 1),)
    color_space: ColorSpace = "grey"
    precision: int = 8
    offset: tuple[int, int] = (0, 0)
    progressive: bool = False
    orientation: int = 1

    def __post_init__(self) -> None:
        if len(self.tables) != len(self.sampling):
            raise ValueError(
                f"{len(self.tables)} quantization tables for {len(self.sampling)} components; give one each"
            )
        for table in self.tables:
            if len(table) != 64 or min(table) < 1:
                raise ValueError("a quantization table must have 64 steps of at least 1")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> JPEGInfo:
        """Read the header of a JPEG file.

        Parameters
        ----------
        path : path
            A baseline or progressive JPEG.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is not a JPEG or its header is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no file at {path}")
        with path.open("rb") as stream:
            return cls._from_stream(stream, str(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> JPEGInfo:
        """Read the header of a JPEG held in memory; errors are those of :meth:`from_file`."""
        return cls._from_stream(io.BytesIO(data), "the data")

    @classmethod
    def _from_stream(cls, stream: Any, name: str) -> JPEGInfo:
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings():
                # A header costs no memory; whoever decodes the pixels must mind their number.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(stream, formats=("JPEG",)) as image:
                    return cls.from_pillow(cast("JpegImageFile", image))
        except UnidentifiedImageError as error:
            raise ValueError(f"{name} is not a JPEG, or its header is damaged") from error
        except (OSError, SyntaxError, IndexError, KeyError, TypeError, Image.DecompressionBombError) as error:
            raise ValueError(f"{name} has a damaged JPEG header: {error}") from error

    @classmethod
    def from_pillow(cls, image: JpegImageFile) -> JPEGInfo:
        """Take the record from an open Pillow JPEG image."""
        layers: list[tuple[int, int, int, int]] = image.layer
        missing = sorted({table for *_, table in layers} - set(image.quantization))
        if missing:
            raise ValueError(f"the JPEG names quantization table {missing[0]} but does not define it")
        return cls(
            height=image.height,
            width=image.width,
            tables=tuple(tuple(int(step) for step in image.quantization[table]) for *_, table in layers),
            sampling=tuple((horizontal, vertical) for _, horizontal, vertical, _ in layers),
            color_space=_color_space(image),
            precision=int(getattr(image, "bits", 8)),
            progressive=bool(image.info.get("progressive", False)),
            orientation=int(image.getexif().get(_EXIF_ORIENTATION, 1)),
        )

    @classmethod
    def from_quality(
        cls, quality: int, *, height: int, width: int, subsampling: str | None = None
    ) -> JPEGInfo:
        """Describe what libjpeg would write.

        Parameters
        ----------
        quality : int
            1 to 100.
        height, width : int
            In pixels.
        subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"}, optional
            Of a colour JPEG; without it the JPEG is grey.

        Returns
        -------
        JPEGInfo
        """
        luma = _as_tuple(quality_table(quality))
        if subsampling is None:
            return cls(height, width, (luma,))
        if subsampling not in _SAMPLING_FACTORS:
            raise ValueError(
                f"subsampling is {subsampling!r}; expected one of {', '.join(_SAMPLING_FACTORS)}"
            )
        chroma = _as_tuple(quality_table(quality, chroma=True))
        return cls(height, width, (luma, chroma, chroma), _SAMPLING_FACTORS[subsampling], "ycbcr")

    def table(self, component: int) -> NDArray[np.int_]:
        """Return a component's quantization table, shape (8, 8), vertical frequency first."""
        return np.array(self.tables[component]).reshape(8, 8)

    @property
    def quality(self) -> int:
        """The libjpeg quality, 1 to 100, whose luma table is nearest to this one's."""
        return nearest_quality(self.tables[0])

    @property
    def has_standard_tables(self) -> bool:
        """Whether libjpeg writes exactly these tables at :attr:`quality`."""
        expected = [
            _as_tuple(quality_table(self.quality, chroma=index > 0)) for index in range(len(self.tables))
        ]
        return list(self.tables) == expected

    @property
    def subsampling(self) -> str:
        """The usual name of the sampling factors, such as ``"4:2:0"``, or the factors themselves."""
        if len(self.sampling) == 1:
            return "grey"
        horizontal = math.gcd(*(factor for factor, _ in self.sampling))
        vertical = math.gcd(*(factor for _, factor in self.sampling))
        reduced = tuple((h // horizontal, v // vertical) for h, v in self.sampling)
        return _SUBSAMPLING_NAMES.get(reduced, ",".join(f"{h}x{v}" for h, v in reduced))

    @property
    def mcu(self) -> tuple[int, int]:
        """Height and width of the minimum coded unit, in pixels: the period of the block grid."""
        if len(self.sampling) == 1:
            return 8, 8
        return 8 * max(v for _, v in self.sampling), 8 * max(h for h, _ in self.sampling)

    @property
    def grid(self) -> tuple[int, int]:
        """Row and column of the first 8×8 block corner, 0 to 7."""
        return -self.offset[0] % 8, -self.offset[1] % 8

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    def crop(self, y: slice, x: slice) -> JPEGInfo:
        """Describe ``image[y, x]``.

        Parameters
        ----------
        y, x : slice
            Rows and columns kept, step 1.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        ValueError
            For a step other than 1, which resamples the image.
        TypeError
            For what is no slice.
        """
        for axis in (y, x):
            if not isinstance(axis, slice):
                raise TypeError(f"crop with {axis!r}; expected slices, such as slice(0, 64)")
            if axis.step not in (None, 1):
                raise ValueError(f"crop with step {axis.step}; a JPEG's record only survives step 1")
        top, bottom, _ = y.indices(self.height)
        left, right, _ = x.indices(self.width)
        return replace(
            self,
            height=max(bottom - top, 0),
            width=max(right - left, 0),
            offset=(self.offset[0] + top, self.offset[1] + left),
        )


def _as_tuple(table: NDArray[np.int_]) -> tuple[int, ...]:
    return tuple(int(step) for step in table.ravel())


def _color_space(image: JpegImageFile) -> ColorSpace:
    transform = image.info.get("adobe_transform")
    identifiers = [layer[0] for layer in image.layer]
    if len(identifiers) == 1:
        return "grey"
    if len(identifiers) == 4:
        return "ycck" if transform == 2 else "cmyk"
    if transform == 0 or ("jfif" not in image.info and transform is None and identifiers == [82, 71, 66]):
        return "rgb"
    return "ycbcr"
