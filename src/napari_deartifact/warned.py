"""Warnings of work in several threads, and what libraries log, each kept with the work that gave it.

The filters and the hook of the module `warnings` belong to the whole process: `catch_warnings` in two threads
at once mixes them up and may leave them changed for good.  Here one thread changes them once, while it waits
for the others, and the hook sorts by context.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import FrameType
from typing import Any

_PACKAGE = __name__.split(".")[0]
_FOR_USERS = UserWarning, RuntimeWarning
_told: ContextVar[Callable[[str], object] | None] = ContextVar("told", default=None)
_logged: ContextVar[list[str] | None] = ContextVar("logged", default=None)


def warn_caller(message: str) -> None:
    """Warn of what somebody has asked of this package, in the name of the line that has asked.

    Python shows the same words once for each line; one of this package would stand for all of theirs.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == _PACKAGE:
        frame = frame.f_back
    if frame is None:  # asked by the package itself, as its command line does
        warnings.warn(message, UserWarning, stacklevel=2)
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    name = frame.f_globals.get("__name__", "<unknown>")
    warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno, name, registry)


@contextmanager
def sorted_warnings() -> Iterator[None]:
    """Let the other three of this module's blocks for warnings work in any thread until the block ends.

    The block is to end after the work of those threads.
    """
    with warnings.catch_warnings():
        for category in _FOR_USERS:
            warnings.simplefilter("always", category)
        warnings.showwarning = partial(_keep, warnings.showwarning)
        yield


@contextmanager
def hooked_warnings() -> Iterator[None]:
    """Do the same where blocks of others may begin within this one and end after it, or the other way round.

    What they leave behind stays; only what this one has set is taken back.
    """
    for category in _FOR_USERS:
        warnings.simplefilter("always", category)
    before = warnings.showwarning
    while isinstance(before, partial) and before.func is _keep:  # left behind by a block that ended later
        before = before.args[0]
    hook = warnings.showwarning = partial(_keep, before)
    try:
        yield
    finally:
        for category in _FOR_USERS:
            if (own := ("always", None, category, None, 0)) in warnings.filters:
                warnings.filters.remove(own)  # type: ignore[attr-defined]
        if warnings.showwarning is hook:
            warnings.showwarning = before


@contextmanager
def kept_warnings() -> Iterator[list[str]]:
    """Give a list to which the warnings of this thread are added, each once; others are not disturbed.

    Only what is meant for users, `UserWarning`, is kept, and only within :func:`sorted_warnings`.

    Examples
    --------
    >>> with sorted_warnings(), kept_warnings() as told:
    ...     for _ in range(2):
    ...         warnings.warn("mind the gap", UserWarning)
    >>> told
    ['mind the gap']
    """
    told: list[str] = []

    def tell(message: str) -> None:
        if message not in told:
            told.append(message)

    with told_warnings(tell):
        yield told


@contextmanager
def told_warnings(tell: Callable[[str], object]) -> Iterator[None]:
    """Hand each warning of this thread that is meant for users to `tell`, as :func:`kept_warnings` keeps it.

    Examples
    --------
    >>> with sorted_warnings(), told_warnings(print):
    ...     warnings.warn("mind the gap", UserWarning)
    mind the gap
    """
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Hold back what libraries warn of in this block, and in no other thread where that can be done."""
    if _told.get() is not None:
        with kept_warnings():
            yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def kept_log(name: str) -> Iterator[list[str]]:
    """Give a list to which a logger adds what it has to say in this thread, each once, and shows nothing.

    Parameters
    ----------
    name : str
        Of the logger of a library.

    Examples
    --------
    >>> with kept_log("tifffile") as told:
    ...     logging.getLogger("tifffile").warning("no pages")
    >>> told
    ['no pages']
    """
    logging.getLogger(name).addFilter(_divert)  # which a second time changes nothing
    told: list[str] = []
    token = _logged.set(told)
    try:
        yield told
    finally:
        _logged.reset(token)


def _divert(record: logging.LogRecord) -> bool:
    told = _logged.get()
    if told is None:
        return True
    message = record.getMessage()
    if record.levelno >= logging.WARNING and message not in told:
        told.append(message)
    return False


def _keep(
    show: Callable[..., Any], message: Warning | str, category: type[Warning], *place: Any, **more: Any
) -> None:
    tell = _told.get()
    if tell is None:
        show(message, category, *place, **more)
    elif issubclass(category, UserWarning):
        tell(str(message))
