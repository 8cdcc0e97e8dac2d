"""Threads among which torch's own are shared out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def side_by_side(most: int) -> Iterator[ThreadPoolExecutor]:
    """Do several things at once, each on its share of the cores.

    Two cores do two things faster so than one after the other: whatever has steps that only one of them can
    take leaves the other one idle.

    Parameters
    ----------
    most : int
        Threads, at most; there are never more than torch may use.

    Examples
    --------
    >>> import torch
    >>> with side_by_side(torch.get_num_threads()) as threads:
    ...     set(threads.map(lambda _: torch.get_num_threads(), range(8)))
    {1}
    """
    import torch

    count = torch.get_num_threads()
    workers = max(min(count, most), 1)
    share = count // workers
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as threads:
        try:
            yield threads
        finally:
            # torch keeps the number for each thread, and the last one said for threads to come.
            torch.set_num_threads(count)
