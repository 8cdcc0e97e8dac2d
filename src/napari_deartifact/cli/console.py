"""What the commands share when they talk: bars, complaints in one line, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from napari_deartifact.messages import printable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_LONGEST = 1000
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

    n = 0
    total: int | None = None

    def update(self, count: int = 1) -> None: ...

    def write(self, text: str, file: TextIO | None = None) -> None:
        print(text, file=file, flush=True)


@contextmanager
def bar(total: int | None, unit: str, position: int = 0, *, shown: bool = True) -> Iterator[Any]:
    """Show a bar on a terminal, and nothing in a pipe."""
    if not shown or not sys.stderr.isatty():
        yield _NoBar()
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, position=position, leave=False, dynamic_ncols=True) as bar:
        yield bar


def describe(error: BaseException) -> str:
    message = one_line(str(error))
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
    """Name options as the command line does, where a message of the library names arguments."""
    return message.replace("force=True", "--force")


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"warning: {one_line(str(message))}")


def complain(message: str) -> None:
    say(f"error: {message}")


def say(message: str) -> None:
    print(f"deartifact: {message}", file=sys.stderr, flush=True)
