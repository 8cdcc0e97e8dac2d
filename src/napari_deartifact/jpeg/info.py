"""What a JPEG says about what it lost: quantization tables, chroma subsampling, block grid."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.header import (
    ColorSpace,
    JPEGHeader,
)
from napari_deartifact.jpeg.sampling import sampling_factors, subsampling_name
from napari_deartifact.jpeg.tables import nearest_quality, quality_table
from napari_deartifact.messages import check_is_file


@dataclass(frozen=True, repr=False)
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
        Bits per sample.
    offset : (int, int)
        Row and column, in the coded image, of the described image's first pixel; not (0, 0)
        after :meth:`crop`.
    progressive : bool
        Whether the scans were progressive.
    orientation : int
        EXIF orientation, 1 to 8.  Pixels are always handled as stored.
    indices : tuple of ndarray of int16, optional
        The quantized coefficients of each component, shape (block rows, block columns, 8, 8), vertical
        frequency first.  They are those of the coded image, up to whole coded units, from its first
        block on: `offset` tells where in it the described image begins.  They do not count when records
        are compared.

    Examples
    --------
    >>> info = JPEGInfo.from_quality(20, height=48, width=64, subsampling="4:2:0")
    >>> info.quality, info.subsampling, info.mcu
    (20, '4:2:0', (16, 16))
    >>> info
    <JPEGInfo 48×64, quality 20, 4:2:0 ycbcr, grid (0, 0)>
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
    indices: tuple[NDArray[np.int16], ...] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if len(self.tables) != len(self.sampling):
            raise ValueError(
                f"{len(self.tables)} quantization tables for {len(self.sampling)} components; give one each"
            )
        for table in self.tables:
            if len(table) != 64 or min(table) < 1:
                raise ValueError("a quantization table must have 64 steps of at least 1")
        if self.indices is not None and len(self.indices) != len(self.tables):
            raise ValueError(
                f"indices of {len(self.indices)} components and {len(self.tables)} tables; give one each"
            )

    def __repr__(self) -> str:
        facts = [
            f"{self.height}×{self.width}",
            f"quality {self.quality}"
            if self.has_standard_tables
            else f"own tables, quality about {self.quality}",
            self.subsampling if self.color_space == "grey" else f"{self.subsampling} {self.color_space}",
            *([f"{self.precision} bits"] if self.precision != 8 else []),
            *(["progressive"] if self.progressive else []),
            f"grid {self.grid}",
            *(["with coefficients"] if self.indices is not None else []),
        ]
        return f"<JPEGInfo {', '.join(facts)}>"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, coefficients: bool | None = None) -> JPEGInfo:
        """Read the header of a JPEG file.

        Parameters
        ----------
        path : path
            A baseline, extended or progressive JPEG of 8 or 12 bits.
        coefficients : bool or None
            Read the quantized coefficients too, into :attr:`indices`.  That needs the extra
            ``coefficients`` and 8 bits per sample; None reads them where that is so, False never.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        UnsupportedJPEGError
            A ValueError, for lossless, hierarchical and arithmetic-coded JPEG.
        ValueError
            When the file is a folder, not a JPEG, or its header is damaged.
        ModuleNotFoundError
            When the extra is not installed.

        Warns
        -----
        UserWarning
            Of damage behind the header that libjpeg notices and passes over; it is only looked for where
            the coefficients are read.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from skimage.data import camera
        >>> from napari_deartifact.degradation import jpeg_encode
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "camera.jpg"
        ...     _ = path.write_bytes(jpeg_encode(camera(), 20))
        ...     JPEGInfo.from_file(path, coefficients=False)
        <JPEGInfo 512×512, quality 20, grey, grid (0, 0)>
        """
        from napari_deartifact.jpeg.in_file import read_record

        path = check_is_file(path)
        with path.open("rb") as stream:
            return read_record(stream, str(path), coefficients)

    @classmethod
    def from_bytes(cls, data: bytes, *, coefficients: bool | None = None) -> JPEGInfo:
        """Read the header of a JPEG held in memory; all is as for :meth:`from_file`.

        Examples
        --------
        >>> from skimage.data import camera
        >>> from napari_deartifact.degradation import jpeg_encode
        >>> JPEGInfo.from_bytes(jpeg_encode(camera(), 20), coefficients=False)
        <JPEGInfo 512×512, quality 20, grey, grid (0, 0)>
        """
        from napari_deartifact.jpeg.in_file import read_record

        return read_record(io.BytesIO(data), "the data", coefficients)

    @classmethod
    def from_header(cls, header: JPEGHeader, *, color_space: ColorSpace | None = None) -> JPEGInfo:
        """Take the record from a header.

        Parameters
        ----------
        header : JPEGHeader
        color_space : str, optional
            What the components are, where something outside of the JPEG says it.
        """
        return cls(
            height=header.height,
            width=header.width,
            tables=header.tables,
            sampling=tuple((part.horizontal, part.vertical) for part in header.components),
            color_space=color_space or header.color_space,
            precision=header.precision,
            progressive=header.progressive,
            orientation=header.orientation,
        )

    @classmethod
    def from_tiff(cls, path: str | os.PathLike[str], page: int = 0, tile: int | None = None) -> JPEGInfo:
        """Read the record of a page of a TIFF that is compressed by JPEG.

        Parameters
        ----------
        path : path
            A TIFF, SVS or NDPI file.
        page : int
            Its number, from 0.
        tile : int, optional
            A tile or strip, by its number in the file; the record is then that of the JPEG in it.
            Without it the record is that of the whole page.

        Returns
        -------
        JPEGInfo
            Its colour space is the one by which tifffile decodes the pixels.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is damaged, has no such page or tile, is compressed otherwise, or when no one
            record fits the page: its tiles differ in their tables, or cut through coded units.
        """
        from napari_deartifact.jpeg.in_tiff import read_tiff_record

        return read_tiff_record(path, page, tile)

    @classmethod
    def from_dicom(cls, path: str | os.PathLike[str], frame: int = 0) -> JPEGInfo:
        """Read the record of a DICOM frame that is compressed by lossy JPEG.

        Parameters
        ----------
        path : path
            A DICOM file of process 1, 2/4, 6/8 or 10/12.
        frame : int
            Its number, from 0.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the file is no DICOM, is damaged, has no such frame or is compressed otherwise.
        ModuleNotFoundError
            When the extra ``dicom`` is not installed.
        """
        from napari_deartifact.jpeg.in_dicom import read_dicom_record

        return read_dicom_record(path, frame)

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

        Examples
        --------
        >>> JPEGInfo.from_quality(90, height=48, width=64, subsampling="4:2:2")
        <JPEGInfo 48×64, quality 90, 4:2:2 ycbcr, grid (0, 0)>
        """
        luma = _as_tuple(quality_table(quality))
        if subsampling is None:
            return cls(height, width, (luma,))
        chroma = _as_tuple(quality_table(quality, chroma=True))
        return cls(height, width, (luma, chroma, chroma), sampling_factors(subsampling), "ycbcr")

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
        has_chroma = self.color_space in ("ycbcr", "ycck")
        expected = [
            _as_tuple(quality_table(self.quality, chroma=has_chroma and index in (1, 2)))
            for index in range(len(self.tables))
        ]
        return list(self.tables) == expected

    @property
    def subsampling(self) -> str:
        """The usual name of the sampling factors, such as ``"4:2:0"``, or the factors themselves."""
        return subsampling_name(self.sampling)

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

        Examples
        --------
        >>> JPEGInfo.from_quality(90, height=48, width=64).crop(slice(3, 40), slice(10, None))
        <JPEGInfo 37×54, quality 90, grey, grid (5, 6)>
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
            indices=self._indices_before(bottom, right),
        )

    def _indices_before(self, bottom: int, right: int) -> tuple[NDArray[np.int16], ...] | None:
        """Leave out the blocks over the border of a cut-out, which no longer tells what lies beyond."""
        if self.indices is None:
            return None
        kept = []
        factors = self.sampling if len(self.sampling) > 1 else ((1, 1),)
        for (horizontal, vertical), coded in zip(factors, self.indices, strict=True):
            height, width = self.mcu[0] // vertical, self.mcu[1] // horizontal
            rows = None if bottom == self.height else (self.offset[0] + bottom) // height
            columns = None if right == self.width else (self.offset[1] + right) // width
            kept.append(coded[:rows, :columns])
        return tuple(kept)


def _as_tuple(table: NDArray[np.int_]) -> tuple[int, ...]:
    return tuple(int(step) for step in table.ravel())
