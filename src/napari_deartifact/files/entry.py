"""A file of a batch on its way: what is known of it, and how a stage works on it without ever raising."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_deartifact.files.plan import Job
from napari_deartifact.files.read import ImageFile
from napari_deartifact.files.result import FileFacts, FileResult, Status
from napari_deartifact.warned import kept_warnings

# Whatever a decoder, the network or the disk may raise on one file.
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A file on its way; `status` is None until it is known what became of it.

    Attributes
    ----------
    job : Job
    wanted : tuple of Path
        The targets that are to be written.
    image, original : ImageFile or None
        The file and its reference, between reading and restoring.
    answers : tuple of (Path, ndarray)
        Targets and their pixels, between restoring and writing.
    changed : bool
        Whether the answer is another picture than the file.
    status, message, warnings, seconds, error, facts, psnr, method
        As in :class:`~napari_deartifact.files.result.FileResult`.
    """

    job: Job
    wanted: tuple[Path, ...] = ()
    image: ImageFile | None = None
    original: ImageFile | None = None
    answers: tuple[tuple[Path, NDArray[Any]], ...] = ()
    changed: bool = True
    status: Status | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    error: Exception | None = None
    facts: FileFacts | None = None
    psnr: tuple[float, float] | None = None
    method: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels that it holds."""
        images = [image.pixels for image in (self.image, self.original) if image is not None]
        return sum(pixels.nbytes for pixels in (*images, *(pixels for _, pixels in self.answers)))

    def result(self) -> FileResult:
        """Say what became of the file."""
        return FileResult(
            self.job.source,
            self.job.target,
            self.status or "restored",
            self.message,
            self.warnings,
            self.seconds,
            self.error,
            self.facts,
            self.psnr,
            self.method,
        )


def attempted(entry: Entry, stage: Callable[[Entry], Entry]) -> Entry:
    """Let a stage work on an entry that nothing has become of yet; what it raises, the entry tells."""
    if entry.status is not None:
        return entry
    start = time.perf_counter()
    with kept_warnings() as told:
        try:
            after = stage(entry)
        except _FAILURES as error:
            message = _describe(entry.job.source, error)
            after = Entry(entry.job, status="failed", message=message, error=error, facts=entry.facts)
    return replace(
        after,
        warnings=tuple(dict.fromkeys((*entry.warnings, *told))),
        seconds=entry.seconds + time.perf_counter() - start,
    )


def _describe(source: Path, error: BaseException) -> str:
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename or source}: {error.strerror}"
    elif isinstance(error, MemoryError) and not message:
        message = "not enough memory"
    message = message or type(error).__name__
    return message if str(source) in message else f"{source}: {message}"
