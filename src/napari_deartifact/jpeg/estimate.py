"""What pixels alone tell about their JPEG, as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_deartifact.jpeg.info import JPEGInfo


@dataclass(frozen=True, repr=False)
class JPEGEstimate:
    """What the pixels tell about their JPEG.

    Attributes
    ----------
    is_jpeg : bool
        Whether the picture went through JPEG and was not resampled since.
    confidence : float
        The probability that `history` is right; of an uncertain one, that there was any compression.
        0 where nothing could be read.
    quality : int or None
        The libjpeg quality, 1 to 100, nearest to the luma table.
    grid : (int, int) or None
        Row and column of the first 8×8 block corner, 0 to 7.
    tables : tuple of tuple of int, or None
        As in :class:`JPEGInfo`: 64 steps in natural order for each component.  Steps of frequencies
        that the picture does not have are those of the nearest libjpeg quality.
    first_grid : (int, int) or None
        As `grid`, of an earlier compression that has left traces.  It may be the same grid.
    sampling : str or None
        ``"grey"``, ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"`` or ``"4:4:0"``.
    offset : (int, int)
        Row and column of the first pixel in the coded unit.
    precision : int
        Bits per sample.
    data_range : (float, float) or None
        Intensities of the lowest and the highest level.
    is_clean : bool
        Whether the picture tells with confidence that it never went through a lossy codec.
    is_restored : bool
        Whether it is an answer of :func:`deartifact` that agrees with its JPEG.
    knows_chroma : bool
        Whether the pixels tell chroma's table and sampling beyond doubt, as those of libjpeg that they are
        taken for.  Where they do not, only luma's cells bind an answer.

    Examples
    --------
    >>> estimate = JPEGEstimate(True, 0.99, 20, (0, 0), ((16,) * 64,), sampling="grey")
    >>> estimate
    <JPEGEstimate jpeg, confidence 0.99, quality 20, grey, grid (0, 0)>
    >>> estimate.to_jpeg_info(48, 64).shape
    (48, 64)
    """

    is_jpeg: bool
    confidence: float
    quality: int | None = None
    grid: tuple[int, int] | None = None
    tables: tuple[tuple[int, ...], ...] | None = None
    first_grid: tuple[int, int] | None = None
    sampling: str | None = None
    offset: tuple[int, int] = (0, 0)
    precision: int = 8
    data_range: tuple[float, float] | None = None
    is_clean: bool = False
    is_restored: bool = False
    knows_chroma: bool = True

    @property
    def history(self) -> Literal["jpeg", "restored", "none", "uncertain"]:
        """``"jpeg"``, ``"restored"``, ``"none"`` (never compressed), or ``"uncertain"``.

        Uncertain are pictures with traces of a codec but no JPEG's lattice, such as those that were
        resized after JPEG, and pictures that tell too little either way.
        """
        if self.is_jpeg or self.is_restored:
            return "jpeg" if self.is_jpeg else "restored"
        return "none" if self.is_clean else "uncertain"

    @property
    def double(self) -> bool:
        """Whether there are traces of an earlier compression."""
        return self.first_grid is not None

    def __repr__(self) -> str:
        found = f", quality {self.quality}, {self.sampling}, grid {self.grid}" if self.is_jpeg else ""
        twice = ", compressed twice" if self.double else ""
        return f"<JPEGEstimate {self.history}, confidence {self.confidence:.2f}{found}{twice}>"

    def to_jpeg_info(self, height: int, width: int) -> JPEGInfo:
        """Write the estimate as if it had been read from a file.

        Parameters
        ----------
        height, width : int
            Of the picture, in pixels.

        Returns
        -------
        JPEGInfo

        Raises
        ------
        ValueError
            When the picture is no JPEG.
        """
        if self.tables is None or self.sampling is None:
            raise ValueError("no JPEG history was found, so there are no tables; check is_jpeg first")
        if self.sampling == "grey":
            return JPEGInfo(height, width, self.tables, offset=self.offset, precision=self.precision)
        pattern = JPEGInfo.from_quality(50, height=height, width=width, subsampling=self.sampling).sampling
        return JPEGInfo(
            height, width, self.tables, pattern, "ycbcr", offset=self.offset, precision=self.precision
        )
