"""What became of one file of a batch, and what was known of it before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_deartifact.files.read import ImageFile

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate

Status = Literal["restored", "unchanged", "skipped", "failed"]


@dataclass(frozen=True)
class FileFacts:
    """What a file was, and what is known of its JPEG.

    Attributes
    ----------
    format : str
        As in :class:`~napari_deartifact.files.read.ImageFile`.
    shape : tuple of int
        Of its pixels.
    dtype : str
        Of its pixels.
    history : {"jpeg", "restored", "none", "uncertain"}
        As in :class:`~napari_deartifact.JPEGEstimate`.
    evidence : {"header", "pixels"}
        Who says so: the JPEG's header, or the pixels alone.
    confidence : float
        The probability that the history is right; 1 for a header.
    quality : int or None
        The nearest libjpeg quality.
    subsampling : str or None
        Such as ``"4:2:0"``, or ``"grey"``.
    grid : (int, int) or None
        Row and column of the first 8×8 block corner.
    """

    format: str
    shape: tuple[int, ...]
    dtype: str
    history: str
    evidence: Literal["header", "pixels"]
    confidence: float
    quality: int | None = None
    subsampling: str | None = None
    grid: tuple[int, int] | None = None

    @classmethod
    def of(cls, image: ImageFile, estimates: Mapping[int, JPEGEstimate]) -> FileFacts:
        """Sum up a file, and what its pixels told where it has no header."""
        known = image.format, image.pixels.shape, image.pixels.dtype.name
        jpeg = image.jpeg
        if jpeg is not None:
            return cls(*known, "jpeg", "header", 1.0, jpeg.quality, jpeg.subsampling, jpeg.grid)
        # Those of a series end with the one that tells most.
        found = list(estimates.values())[-1]
        return cls(
            *known, found.history, "pixels", found.confidence, found.quality, found.sampling, found.grid
        )


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes
    ----------
    source, target : Path
    status : {"restored", "unchanged", "skipped", "failed"}
        Unchanged files were written with the pixels that they had, most often because they show no JPEG
        history; skipped ones had a target already.
    message : str
        Why it failed or was skipped.
    warnings : tuple of str
        What the work on this file warned of.
    seconds : float
        For reading, restoring and writing.
    error : Exception or None
        What made it fail, where that was an exception.
    facts : FileFacts or None
        What was known of it, when it was read.
    psnr : (float, float) or None
        Of the file and of the answer against a reference, in dB.
    method : str
        What was done, by which model and how far, as formats with a place for it say it too.
    """

    source: Path
    target: Path
    status: Status
    message: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    error: Exception | None = None
    facts: FileFacts | None = None
    psnr: tuple[float, float] | None = None
    method: str = ""
