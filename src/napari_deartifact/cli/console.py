"""What the commands share when they talk: bars, complaints in one line, exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from napari_deartifact.messages import printable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_LONGEST = 1000
_EVERY = 60.0
"""Seconds between two lines about work that goes on, where no bar is shown."""
_WORDS = (
    (r"\b(force|overwrite)=True\b", r"--\1"),
    (r"\bperceptual=(?=[01])", "--perceptual "),
    (r"\btile_size\b(?= is )", "--tile-size"),
    (r"\b(strength|perceptual|shares|init|encoder)\b(?= (is|has) )", r"--\1"),
    (r"\bsuffix\b(?= is )", "--format"),
    (r"\bdata_range\b(?= is )", "--data-range"),
    (r"\bdata_range=\(([-\d.e+]+), ([-\d.e+]+)\)", r"--data-range \1 \2"),
    (r"\bjpeg_info and consistency\b", "--jpeg-info and --consistency"),
    (r"\bwithout color\b", "without --color"),
    (r"\bpass resume=False \(--restart\)", "begin anew with --restart"),
    (r"\bwith poisoned=\"keep\" \(--keep-jpegs\)", "with --keep-jpegs"),
    (r"\bgive its JPEG with jpeg= if you have it\b", "restore the JPEG file itself if you have it"),
)
# What says that the command, not the machine, is at fault.
USAGE_ERRORS = (
    ValueError,
    TypeError,
    FileNotFoundError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)


class Parser(argparse.ArgumentParser):
    """Complains in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message}; see {self.prog} --help")
        self.exit(USAGE)


class _NoBar:
    """Stands in for a bar where nobody would see one."""

    def __init__(self, total: int | None) -> None:
        self.n, self.total = 0, total

    def update(self, count: int = 1) -> None:
        self.n += count

    def write(self, text: str, file: TextIO | None = None) -> None:
        tell(text, file)


class _Lines(_NoBar):
    """Stands in for a bar in a pipe or a log: a line a minute."""

    def __init__(self, total: int | None, unit: str) -> None:
        super().__init__(total)
        self._unit = unit
        self._begun = self._told = time.monotonic()

    def update(self, count: int = 1) -> None:
        super().update(count)
        now = time.monotonic()
        if count < 0:  # the work on another file begins
            self._begun = self._told = now
        elif now - self._told >= _EVERY and self.n != self.total:
            self._told = now
            total = "" if self.total is None else f" of {self.total}"
            say(f"{self.n}{total} {self._unit}s after {_duration(now - self._begun)}")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


@contextmanager
def bar(total: int | None, unit: str, position: int = 0, *, shown: bool = True) -> Iterator[Any]:
    """Show a bar on a terminal, and in a pipe a line now and then."""
    if not shown:
        yield _NoBar(total)
        return
    if not sys.stderr.isatty():
        yield _Lines(total, unit)
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, position=position, leave=False, dynamic_ncols=True) as bar:
        yield bar


def describe(error: BaseException) -> str:
    message = one_line(in_words_of_options(str(error)))
    if isinstance(error, OSError) and error.strerror:
        message = one_line(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if not message or not isinstance(
        error, (*USAGE_ERRORS, OSError, RuntimeError, ArithmeticError, ImportError)
    ):
        return f"{type(error).__name__}: {message}; run it again with --debug and report what it shows"
    return message


def one_line(message: str) -> str:
    return printable(" ".join(message.split()), _LONGEST)


def in_words_of_options(message: str) -> str:
    """Name options as the command line does, where a message of the library names arguments.

    Examples
    --------
    >>> in_words_of_options("tile_size is 3; restore it all the same with force=True")
    '--tile-size is 3; restore it all the same with --force'
    >>> in_words_of_options("name model 'general' with perceptual=1")
    "name model 'general' with --perceptual 1"
    """
    for of_the_library, of_the_command in _WORDS:
        message = re.sub(of_the_library, of_the_command, message)
    return message


class WarningLines:
    """Shows each warning once: Python forgets what it has shown whenever somebody changes a filter.

    Attributes
    ----------
    incomplete : bool
        Whether one of them said that a folder was passed over.
    """

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self.incomplete = False

    def __call__(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        # By its name: what reads files is loaded when a command asks for it.
        self.incomplete |= category.__name__ == "UnlistedFolderWarning"
        if str(message) not in self._shown:
            self._shown.add(str(message))
            say(f"warning: {one_line(in_words_of_options(str(message)))}")


def complain(message: str) -> None:
    say(f"error: {message}")


def say(message: str) -> None:
    tell(f"deartifact: {message}", sys.stderr)


def tell(text: str, file: TextIO | None = None) -> None:
    """Print a line; the work goes on when nobody reads it any more."""
    stream = file or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Let what is printed to a closed pipe go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
