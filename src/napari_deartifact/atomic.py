"""Files appear whole or not at all: written under a temporary name beside the target, then moved."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_STEM = 40
"""Letters of a name that its temporary name keeps: file systems allow 255 bytes in all."""


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path that becomes `target` if the block ends without an error.

    Parameters
    ----------
    target : path
        The file to be made or replaced.  Its folder must exist.  The temporary file has the
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
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "answer.txt") as path:
    ...     _ = path.write_text("42")
    >>> [item.name for item in folder.iterdir()]
    ['answer.txt']
    """
    target = Path(target)
    check_target(target)
    prefix = f".{target.stem[:_LONGEST_STEM]}-"
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _use_default_permissions(temporary)
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


def _use_default_permissions(path: Path) -> None:
    """Undo mkstemp's private mode: a result is as readable as any file the user makes."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
