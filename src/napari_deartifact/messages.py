"""Wording shared by error messages: the nearest known name for a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
