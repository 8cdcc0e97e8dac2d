"""What decoders of other packages raise on damaged files, as one error that names the file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, EOFError, struct.error,
)  # fmt: skip


@contextmanager
def reported_damage(path: str | PathLike[str], *others: type[Exception]) -> Iterator[None]:
    """Turn whatever a decoder raises into a ValueError that names the file.

    Parameters
    ----------
    path : path
        Of the file; an error whose message has it already is let through.
    *others : exception types
        That a decoder raises beside those of Python.

    Raises
    ------
    ValueError
        When the file is damaged, or does not fit into memory.
    OSError
        When a file cannot be opened, as the system says it.

    Examples
    --------
    >>> with reported_damage("slide.tif"):
    ...     {}["tag"]
    Traceback (most recent call last):
        ...
    ValueError: slide.tif is truncated or damaged ('tag'); get a complete copy of the file
    """
    damage: tuple[type[Exception], ...] = (*DAMAGE, *others)
    try:
        yield
    except damage as error:
        if isinstance(error, ValueError | FileNotFoundError) and str(path) in str(error):
            raise
        if isinstance(error, OSError) and error.filename is not None:  # decoders name none
            raise
        if isinstance(error, MemoryError):
            raise ValueError(
                f"{path} does not fit into memory ({str(error) or 'all of it is taken'}); free some, or, if "
                "the picture is smaller than that, get a complete copy of the file"
            ) from error
        raise ValueError(
            f"{path} is truncated or damaged ({error}); get a complete copy of the file"
        ) from error
