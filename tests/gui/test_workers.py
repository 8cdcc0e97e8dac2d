"""Work in threads: its warnings stay with it, and nothing of it is left behind."""

from __future__ import annotations

import threading
import warnings

import pytest
from qtpy.QtCore import QThreadPool
from skimage.data import camera

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.warned import hooked_warnings
from napari_deartifact.widgets.workers import start_function


def test_warnings_of_others_stay_theirs_while_there_is_work(viewer, restore, gated, monkeypatch):
    told = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: told.append(str(message)))
    model = gated()
    viewer.add_image(jpeg_round_trip(camera()[:64, :64], 10))
    restore.force.setChecked(True)
    restore.run_button.click()
    assert model.entered.acquire(timeout=10)
    warnings.warn("of somebody else", UserWarning, stacklevel=1)
    assert told == ["of somebody else"]


def test_blocks_of_others_may_end_later(viewer, restore, qtbot, gated):
    before = list(warnings.filters), warnings.showwarning
    model = gated()
    viewer.add_image(jpeg_round_trip(camera()[:64, :64], 10))
    restore.force.setChecked(True)
    restore.run_button.click()
    assert model.entered.acquire(timeout=10)
    with warnings.catch_warnings():
        model.gate.release()
        qtbot.waitUntil(lambda: not restore.is_working, timeout=20_000)
    with hooked_warnings():  # which takes away what that block has put back
        pass
    assert (list(warnings.filters), warnings.showwarning) == before


@pytest.mark.parametrize("first_ends", [True, False])
def test_workers_that_overlap_leave_nothing_behind(first_ends, viewer, qtbot, monkeypatch):
    pool = QThreadPool.globalInstance()
    threads = pool.maxThreadCount()
    pool.setMaxThreadCount(2)
    gates = [threading.Event(), threading.Event()]
    told, finished = [], []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    before = list(warnings.filters), warnings.showwarning

    def work(gate):
        warnings.warn(f"of worker {gates.index(gate)}", UserWarning, stacklevel=1)
        warnings.warn("of a library", RuntimeWarning, stacklevel=1)
        assert gate.wait(20)

    for gate in gates:
        start_function(work, gate, connect={"finished": lambda: finished.append(1)})
    qtbot.waitUntil(lambda: len(told) == 2, timeout=10_000)
    for gate in gates if first_ends else gates[::-1]:
        gate.set()
        count = len(finished)
        qtbot.waitUntil(lambda count=count: len(finished) > count, timeout=10_000)
    assert sorted(told) == ["of worker 0", "of worker 1"]
    assert (list(warnings.filters), warnings.showwarning) == before
    pool.setMaxThreadCount(threads)
