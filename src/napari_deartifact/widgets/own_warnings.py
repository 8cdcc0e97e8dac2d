"""Workers that keep their warnings to themselves.

superqt's own set the hook and the filters of the module `warnings`, which are the whole process's, for as
long as they work: what anyone warns of meanwhile comes out as theirs, and of two that overlap one leaves its
hook behind.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any

from napari_deartifact.warned import hooked_warnings, told_warnings


class _OwnWarnings:
    """Does what `WorkerBase.run` does but for the hook, and emits `warned` with a message, once for each."""

    def run(self: Any) -> None:
        told: set[str] = set()

        def tell(message: str) -> None:
            if message not in told:
                told.add(message)
                self.warned.emit((message,))

        self._running = True
        self.started.emit()
        try:
            with told_warnings(tell):
                answer = self.work()
            # Where a step that failed is not told as WorkError, Qt's part of the worker is gone.
            if not (self.abort_requested or isinstance(answer, RuntimeError)):
                self.returned.emit(answer)
        except Exception as error:  # noqa: BLE001  (whose signal is what workers are for)
            self.errored.emit(error)
        finally:
            self._running = False
            with suppress(RuntimeError):
                self.finished.emit()
                self._finished.emit(self)


@lru_cache(maxsize=1)
def generator_worker() -> Any:
    """Return the class of workers that step through a generator."""
    from superqt.utils import GeneratorWorker

    class OwnGeneratorWorker(_OwnWarnings, GeneratorWorker[Any, Any, Any]):
        """Ends a generator that it was told to leave, so that it cleans up at once and in its thread."""

        def work(self) -> Any:
            try:
                return super().work()
            finally:
                self._gen.close()

    return OwnGeneratorWorker


@lru_cache(maxsize=1)
def function_worker() -> Any:
    """Return the class of workers that call a function."""
    from superqt.utils import FunctionWorker

    class OwnFunctionWorker(_OwnWarnings, FunctionWorker[Any]):
        """Of one function."""

    return OwnFunctionWorker


class Sorting:
    """Sorts warnings while there are workers; only the GUI's thread begins and ends it.

    Meanwhile warnings for users are given each time, also those that somebody filters.
    """

    def __init__(self) -> None:
        self._workers = 0
        self._ending = ExitStack()

    def begin(self) -> None:
        """Count a worker that is about to start."""
        if self._workers == 0:
            self._ending.enter_context(hooked_warnings())
        self._workers += 1

    def end(self) -> None:
        """Discount one that has finished."""
        self._workers -= 1
        if self._workers == 0:
            self._ending.close()


@lru_cache(maxsize=1)
def sorting() -> Sorting:
    """Return the one of this process."""
    return Sorting()
