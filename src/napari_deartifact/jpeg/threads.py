"""Threads that each compute on one core."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch  # noqa: TID253  (nothing loads this module before there is something to compute)


@contextmanager
def side_by_side(most: int) -> Iterator[ThreadPoolExecutor]:
    """Give as many threads as torch may use, in each of which torch uses one.

    Parameters
    ----------
    most : int
        Threads, at most.

    Examples
    --------
    >>> with side_by_side(4) as threads:
    ...     set(threads.map(lambda _: torch.get_num_threads(), range(8)))
    {1}
    """
    count = torch.get_num_threads()
    with ThreadPoolExecutor(min(count, most), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        try:
            yield threads
        finally:
            # torch keeps the number for each thread, and the last one said for threads to come.
            torch.set_num_threads(count)
