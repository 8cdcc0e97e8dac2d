"""TIFF files, opened once their chain of directories is known to end."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal

from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.warned import kept_log

_CLASSIC, _BIG = 42, 43
_UNREACHABLE = 2**63
_SPEAKER = re.compile(r"<[^>]*>\s*")
_TOLD = 3


@contextmanager
def opened_tiff(path: str | os.PathLike[str], *, quiet: bool = False) -> Iterator[Any]:
    """Open a file with tifffile, and name it in whatever error follows.

    Parameters
    ----------
    path : path
        Of any TIFF.
    quiet : bool
        Do not warn.

    Yields
    ------
    tifffile.TiffFile

    Raises
    ------
    ValueError
        When the file is damaged.

    Warns
    -----
    UserWarning
        When the block ends, of oddities that tifffile has passed over.

    Notes
    -----
    tifffile follows a chain of directories that bites its own tail for ever, if it iterates over them.
    """
    import tifffile

    with kept_log("tifffile") as told, reported_damage(path, tifffile.TiffFileError):
        with open(path, "rb") as stream:
            check_directories(stream, ndpi=str(path).lower().endswith(".ndpi"))
        with tifffile.TiffFile(path) as file:
            yield file
    if told and not quiet:
        oddities = "; ".join(_SPEAKER.sub("", message) for message in told[:_TOLD])
        warnings.warn(
            f"{path} is no sound TIFF ({oddities}); check that the picture is whole",
            UserWarning,
            stacklevel=3,
        )


def check_directories(stream: BinaryIO, *, ndpi: bool = False) -> None:
    """Follow the chain of directories to its end.

    Parameters
    ----------
    stream : binary file
        At its start.
    ndpi : bool
        Whether it is Hamamatsu's dialect of classic TIFF, with places of 64 bits.  As it says so nowhere,
        tifffile goes by the suffix of the file.

    Raises
    ------
    ValueError
        When a directory comes twice.  All other damage is left to be found by the reader.
    """
    start = stream.read(16)
    order: Literal["little", "big"] = "little" if start[:2] == b"II" else "big"
    version = int.from_bytes(start[2:4], order)
    big = version == _BIG
    wide = ndpi and order == "little" and version == _CLASSIC
    count_size, tag_size, offset_size = (8, 20, 8) if big else (2, 12, 8 if wide else 4)
    offset = int.from_bytes(start[8:16] if big else start[4 : 4 + offset_size], order)
    seen: set[int] = set()
    while 0 < offset < _UNREACHABLE:
        if offset in seen:
            raise ValueError(f"its directory at {offset} follows upon itself")
        seen.add(offset)
        stream.seek(offset)
        count = int.from_bytes(stream.read(count_size), order)
        if count > 0xFFFF:
            return
        stream.seek(count * tag_size, os.SEEK_CUR)
        offset = int.from_bytes(stream.read(offset_size), order)
