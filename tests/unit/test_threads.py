"""Threads that share torch's out among them leave the numbers of all others alone."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread

import pytest
import torch

from napari_deartifact.threads import side_by_side


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def numbers(threads, count):
    """Say how many threads torch has in each of so many."""
    together = Barrier(count)

    def number(_):
        together.wait()
        return torch.get_num_threads()

    return list(threads.map(number, range(count)))


@pytest.mark.parametrize(("most", "each"), [(1, [4]), (2, [2, 2]), (3, [1, 1, 1]), (9, [1, 1, 1, 1])])
def test_each_gets_its_share(four_threads, most, each):
    with side_by_side(most) as threads:
        assert numbers(threads, len(each)) == each
        with ThreadPoolExecutor(1) as others:
            assert numbers(others, 1) == [4]
    assert torch.get_num_threads() == 4


def test_two_at_once_do_not_lower_each_other(four_threads):
    together = Barrier(2)

    def use(_):
        together.wait()
        with side_by_side(2) as threads:
            together.wait()
            shares = numbers(threads, 2)
            together.wait()
        return shares, torch.get_num_threads()

    with ThreadPoolExecutor(2) as users:
        assert list(users.map(use, range(2))) == [([2, 2], 4)] * 2
    with ThreadPoolExecutor(1) as others:
        assert numbers(others, 1) == [4]


def test_a_thread_that_cannot_start_is_an_error_and_no_end(monkeypatch, four_threads):
    start, started = Thread.start, []

    def refuses(self):
        started.append(self)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(Thread, "start", refuses)
    with pytest.raises(RuntimeError, match="can't start"), side_by_side(4):
        pass
    started[0].join(timeout=20)
    assert not started[0].is_alive()
    assert torch.get_num_threads() == 4
