"""Threads among which torch's own are shared out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Lock

_sharing = Lock()


@contextmanager
def side_by_side(most: int) -> Iterator[ThreadPoolExecutor]:
    """Do several things at once, each on its share of the cores.

    Two cores do two things faster so than one after the other: serial steps of one thing would leave the
    other core idle.

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

    def take_share(share: int, all_have: Barrier) -> None:
        torch.get_num_threads()  # a thread that asks first keeps what it is told then
        torch.set_num_threads(share)
        all_have.wait()

    # torch keeps the number for each thread, and the last one said for threads to come: that one must not
    # stay the lower one, nor be read by somebody else meanwhile.
    with _sharing:
        count = torch.get_num_threads()
        workers = max(min(count, most), 1)
        all_have = Barrier(workers)
        threads = ThreadPoolExecutor(workers)
        try:
            list(threads.map(take_share, [count // workers] * workers, [all_have] * workers))
        except BaseException:  # the others would wait for one that could not start
            all_have.abort()
            threads.shutdown(wait=False)
            raise
        finally:
            torch.set_num_threads(count)
    with threads:
        yield threads
