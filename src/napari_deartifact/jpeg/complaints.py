"""What libjpeg says of damaged data: it decodes what it can, and complains on the standard error."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_STANDARD_ERROR = 2
_DAMAGE = re.compile(rb"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression")
# Of a header that is odd but sound, or so damaged that an error follows.
_OTHER_WORDS = re.compile(
    rb"Warning: unknown JFIF|Unknown Adobe|Invalid |Bogus |Unsupported |Huffman table|Quantization table"
)
_one_at_a_time = Lock()


@contextmanager
def caught_complaints() -> Iterator[list[str]]:
    """Catch what libjpeg complains of in this block, and let through what others write meanwhile.

    Yields
    ------
    list of str
        Filled when the block ends: each complaint about the data, once, in libjpeg's words.

    Notes
    -----
    Packages that wrap libjpeg leave its error manager as it is, which writes to the descriptor of the
    standard error; there is no other way to hear it.  The descriptor belongs to the whole process, so only
    one thread at a time listens, and a process that another thread starts meanwhile inherits what catches,
    so that its own words are lost.

    Examples
    --------
    >>> with caught_complaints() as complaints:
    ...     _ = os.write(2, b"Corrupt JPEG data: bad Huffman code\\n")
    >>> complaints
    ['Corrupt JPEG data: bad Huffman code']
    """
    complaints: list[str] = []
    with _one_at_a_time, tempfile.TemporaryFile() as caught:
        try:
            usual = os.dup(_STANDARD_ERROR)
        except OSError:  # a program without a standard error
            yield complaints
            return
        os.dup2(caught.fileno(), _STANDARD_ERROR)
        try:
            yield complaints
        finally:
            os.dup2(usual, _STANDARD_ERROR)
            os.close(usual)
            caught.seek(0)
            _sort(caught.read(), complaints)


def _sort(text: bytes, complaints: list[str]) -> None:
    for line in text.splitlines(keepends=True):
        if _DAMAGE.match(line):
            complaint = line.decode(errors="replace").strip()
            if complaint not in complaints:
                complaints.append(complaint)
        elif not _OTHER_WORDS.match(line):
            os.write(_STANDARD_ERROR, line)
