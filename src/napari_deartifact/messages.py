"""What messages share: the nearest known name, refusals, what to install, one line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest known name, or nothing.

    Examples
    --------
    >>> nearest_name("compact-cn", ["compact-cnn", "spp"])
    " (did you mean 'compact-cnn'?)"
    >>> nearest_name("zebra", ["compact-cnn", "spp"])
    ''
    """
    matches = get_close_matches(name, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def check_options(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keyword arguments that nobody knows.

    Raises
    ------
    TypeError
        Naming the first of them and the nearest that is known.

    Examples
    --------
    >>> check_options(["strength"], ["strength", "device"])
    >>> check_options(["strenght"], ["strength", "device"])
    Traceback (most recent call last):
    ...
    TypeError: unknown option 'strenght' (did you mean 'strength'?); known: strength, device
    """
    known = list(known)
    for name in given:
        if name not in known:
            raise TypeError(f"unknown option {name!r}{nearest_name(name, known)}; known: {', '.join(known)}")


def check_fraction(name: str, value: Any) -> float:
    """Refuse what is no number from 0 to 1; return it as Python's, from an array without axes too.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> import numpy as np
    >>> check_fraction("strength", np.array(0.5))
    0.5
    >>> check_fraction("strength", 1.5)
    Traceback (most recent call last):
    ...
    ValueError: strength is 1.5; expected a number from 0 to 1
    """
    # By its looks, as to load numpy takes longer than all else that --help does.
    number = value.item() if getattr(value, "ndim", None) == 0 else value
    if not isinstance(number, int | float) or not 0 <= number <= 1:
        raise ValueError(f"{name} is {number!r}; expected a number from 0 to 1")
    return float(number)


def check_is_file(path: str | os.PathLike[str], what: str = "file") -> Path:
    """Refuse a folder, a pipe and what is not there; return the path.

    Parameters
    ----------
    path : path
    what : str
        What to name instead.

    Raises
    ------
    FileNotFoundError, ValueError

    Examples
    --------
    >>> check_is_file(".")
    Traceback (most recent call last):
    ...
    ValueError: . is a folder; name a file
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a {what}")
    if not path.exists():
        raise FileNotFoundError(f"no file at {path}; check the name")
    if not path.is_file():  # from a pipe one would read for ever
        raise ValueError(f"{path} is a device or a pipe; name a {what}")
    return path


def needs_extra(path: str | os.PathLike[str], extra: str) -> str:
    """Say what to install so that a file can be read.

    Examples
    --------
    >>> needs_extra("scan.dcm", "dicom")
    "scan.dcm needs another package to be read: pip install 'napari-deartifact[dicom]'"
    """
    return f"{os.fspath(path)} needs another package to be read: pip install 'napari-deartifact[{extra}]'"


def printable(text: str, longest: int | None = None) -> str:
    r"""Return a text as one line that any terminal and any UTF-8 file can hold.

    Parameters
    ----------
    text : str
        A message or the name of a file, which may hold line breaks, control characters and bytes that
        are no UTF-8.
    longest : int, optional
        Letters after which it is cut.

    Returns
    -------
    str
        With such characters as Python would write them.

    Examples
    --------
    >>> print(printable("two\nlines"), printable("caf\udce9.jpg"), printable("a very long story", 9))
    two\nlines caf\xe9.jpg a very l…
    """
    text = text if longest is None else text[: longest + 1]
    line = text if text.isprintable() else "".join(map(_printable, text))
    return line if longest is None or len(line) <= longest else line[: longest - 1] + "…"


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    byte = ord(letter) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape").decode()


def refuse_masked(image: Any) -> None:
    """Refuse an array of which something is masked, as the mask would be lost.

    Raises
    ------
    TypeError
    """
    import numpy as np  # which help does without

    if np.ma.is_masked(image):
        raise TypeError(
            "image has masked pixels; give image.filled(numpy.nan) as floats, which are left as they are and "
            "not looked at, or image.filled() with a value of your choice, and mask the answer again"
        )
