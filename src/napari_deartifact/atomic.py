"""Files appear whole or not at all: written under a temporary name beside the target, then moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

_LONGEST_STEM = 40
"""Letters of a name that its temporary name keeps: file systems allow 255 bytes in all."""


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path that becomes `target` if the block ends without an error.

    Parameters
    ----------
    target : path
        The file to be made, or replaced by one of the same permissions; the target of a link.  Its folder
        must exist.  The temporary file has the
        same suffix, because writers choose the format by it.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    FileNotFoundError
        When the target's folder does not exist.
    PermissionError
        When the target's folder cannot be written to.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> folder = Path(mkdtemp())
    >>> with replacing(folder / "answer.txt") as path:
    ...     _ = path.write_text("42")
    >>> [item.name for item in folder.iterdir()]
    ['answer.txt']
    """
    target = Path(os.path.realpath(target))  # a link stays one
    check_target(target)
    temporary = _new_file_beside(target)
    mode = (target if target.exists() else temporary).stat().st_mode
    try:
        yield temporary
        if temporary.stat().st_mode != mode:  # of what is replaced; and some writers make a private file
            with suppress(OSError):  # some file systems have no modes
                temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_target(target: str | os.PathLike[str]) -> None:
    """Refuse a target that :func:`replacing` could not write, before work is spent on it.

    Parameters
    ----------
    target : path

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        When its folder does not exist, it is a folder itself, or its folder cannot be written to.
    """
    target = Path(target)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; name a file in it")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"folder {target.parent} is not writable; choose another target")


def _new_file_beside(target: Path) -> Path:
    """Create an empty file, as readable as any that the user makes, which those of `tempfile` are not."""
    while True:
        path = target.with_name(f".{target.stem[:_LONGEST_STEM]}-{token_hex(4)}{target.suffix}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return path
