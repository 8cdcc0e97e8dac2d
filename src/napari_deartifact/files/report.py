"""A batch as a table: one line a file in a CSV, which is valid whenever the program is killed."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_deartifact.atomic import check_target
from napari_deartifact.files.result import FileResult
from napari_deartifact.messages import printable

COLUMNS = (
    "source", "target", "status", "method", "format", "shape", "dtype", "history", "evidence", "confidence",
    "quality", "subsampling", "grid_row", "grid_column", "seconds", "psnr_before", "psnr_after", "gain",
    "warnings", "error",
)  # fmt: skip
"""Of a report, in order."""

_LONGEST_MESSAGE = 500
_PASSING = frozenset({errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ETIMEDOUT})
_PAUSES = (0.1, 1.0)
"""In seconds, before another attempt."""


@dataclass(frozen=True)
class Report:
    """A CSV file to which lines are added.

    Attributes
    ----------
    path : Path
    told : set of str
        Sources that it has a line about.
    wording : callable
        Turns messages into the words of those who read the report.

    Notes
    -----
    Each line is written by a single call, so that a killed program leaves whole lines, and half a line, as
    a full disk may leave it, is removed when the report is opened again.
    """

    path: Path
    told: set[str] = field(default_factory=set)
    wording: Callable[[str], str] = str

    @classmethod
    def open(cls, path: str | os.PathLike[str], wording: Callable[[str], str] = str) -> Report:
        """Begin a report, or go on with one.

        Parameters
        ----------
        path : path
            Of a CSV file; what it holds is kept.
        wording : callable
            Turns messages into the words of those who read the report.

        Returns
        -------
        Report

        Raises
        ------
        ValueError
            When the file is no such report.
        FileNotFoundError, IsADirectoryError, PermissionError
            When it cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> report = Report.open(Path(tempfile.mkdtemp()) / "report.csv")
        >>> report.add(FileResult(Path("a.jpg"), Path("a.png"), "failed", message="a.jpg is empty"))
        >>> Report.open(report.path).told
        {'a.jpg'}
        """
        path = Path(path)
        check_target(path)
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is a device, not a file; name another")
        header = _line(COLUMNS)
        with path.open("a+b") as stream:
            stream.seek(0)
            begun = stream.readline()
            if begun != header and header.startswith(begun):
                stream.truncate(0)
                stream.write(header)
            elif begun != header:
                raise ValueError(f"{path} is not a report of this version; name another")
            _cut_half_line(stream)
        with path.open(encoding="utf-8", newline="") as text:
            return cls(path, {row["source"] for row in csv.DictReader(text)}, wording)

    def add(self, result: FileResult) -> None:
        """Add the line of a file; one that was skipped has none if it was told of before.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        row = row_of(result, self.wording)
        if result.status == "skipped" and row["source"] in self.told:
            return
        line = _line([row[column] for column in COLUMNS])
        try:
            _append(self.path, line)
        except OSError as error:
            raise OSError(
                error.errno,
                f"report {self.path} cannot be written ({error.strerror}); mend that and run the same again: "
                "what is done is skipped",
            ) from error
        self.told.add(row["source"])


def _append(path: Path, line: bytes) -> None:
    """Write a line in one call; a share may lose a file for a moment."""
    for pause in (*_PAUSES, None):
        try:
            with path.open("ab", buffering=0) as stream:
                if stream.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if pause is None or error.errno not in _PASSING:
                raise
            time.sleep(pause)
        else:
            return


def row_of(result: FileResult, wording: Callable[[str], str] = str) -> dict[str, str]:
    """Return what a report says of a file, by column; what is unknown is empty.

    Parameters
    ----------
    result : FileResult
    wording : callable
        As in :class:`Report`.

    Examples
    --------
    >>> row = row_of(FileResult(Path("a.jpg"), Path("a.png"), "restored", seconds=1.5, psnr=(27.1, 28.3)))
    >>> row["source"], row["status"], row["seconds"], row["gain"], row["quality"]
    ('a.jpg', 'restored', '1.500', '1.200', '')
    """
    facts = result.facts
    before, after = result.psnr or (math.nan, math.nan)
    values: dict[str, Any] = {
        "source": printable(os.fspath(result.source)),
        "target": printable(os.fspath(result.target)),
        "status": result.status,
        "method": result.method,
        "seconds": result.seconds,
        "psnr_before": before,
        "psnr_after": after,
        "gain": after - before,
        "warnings": printable(wording("; ".join(result.warnings)), _LONGEST_MESSAGE),
        "error": printable(wording(result.message), _LONGEST_MESSAGE) if result.status == "failed" else "",
    }
    if facts is not None:
        row, column = facts.grid or (None, None)
        values |= {
            "format": facts.format,
            "shape": "x".join(map(str, facts.shape)),
            "dtype": facts.dtype,
            "history": facts.history,
            "evidence": facts.evidence,
            "confidence": facts.confidence,
            "quality": facts.quality,
            "subsampling": facts.subsampling,
            "grid_row": row,
            "grid_column": column,
        }
    return {column: _text(values.get(column)) for column in COLUMNS}


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _line(values: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _cut_half_line(stream: Any) -> None:
    content = stream.read()
    if content and not content.endswith(b"\n"):
        stream.truncate(stream.tell() - len(content) + content.rfind(b"\n") + 1)
