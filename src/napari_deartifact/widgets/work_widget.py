"""A dock widget that does one long piece of work at a time, shows how far it is, and can stop it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_deartifact.widgets.notes import make_note, say
from napari_deartifact.widgets.workers import show_failure, start_steps

STOPPING = "Stopping…"


class WorkWidget(QWidget):
    """What the widgets share whose work is a generator of steps in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._worker: Any = None
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.status = make_note()

    @property
    def is_working(self) -> bool:
        """Whether there is work, also when it was told to stop and has not yet."""
        return self._worker is not None

    @property
    def is_stopping(self) -> bool:
        """Whether the work was told to stop."""
        return self._worker is not None and bool(self._worker.abort_requested)

    @abstractmethod
    def update_state(self) -> None:
        """Show what the inputs allow."""

    @abstractmethod
    def _on_step(self, step: Any) -> None:
        """Show a step."""

    @abstractmethod
    def _on_done(self, answer: Any) -> None:
        """Take what came out."""

    @abstractmethod
    def _end_message(self, *, stopped: bool) -> str:
        """Return what to say when the work has ended, for whatever reason."""

    def stop(self) -> None:
        """Stop after the step in hand."""
        if self._worker is not None:
            self._worker.quit()
            self.update_state()
            say(self.status, STOPPING)

    def _begin(
        self,
        steps: Callable[..., Generator[Any, None, Any]],
        *arguments: Any,
        description: str,
        **options: Any,
    ) -> None:
        """Start the work; the parameters are those of `start_steps`."""
        self._worker = start_steps(
            steps,
            *arguments,
            description=description,
            connect={
                "yielded": self._on_step,
                "returned": self._on_done,
                "errored": self._on_error,
                "finished": self._on_finished,
            },
            **options,
        )
        self.destroyed.connect(self._worker.quit)
        self.progress.setRange(0, 0)
        self.progress.setVisible(True)
        self.update_state()

    def _show_progress(self, done: int, total: int) -> None:
        """Show how far the work is; napari handles events meanwhile, more steps and the end among them."""
        worker = self._worker
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        worker.pbar.total = total
        worker.pbar.update(done - worker.pbar.n)

    def _on_error(self, error: Exception) -> None:
        say(self.status, show_failure(error))

    def _on_finished(self) -> None:
        if self._worker is None:
            return
        stopped = self.is_stopping
        self.destroyed.disconnect(self._worker.quit)
        message = self._end_message(stopped=stopped)
        self._worker = None
        self.progress.setVisible(False)
        self.update_state()
        if message:
            say(self.status, message)

    def event(self, event: QEvent | None) -> bool:
        """Stop when napari takes the widget out of its dock; it does not close or delete it."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.stop()
        return bool(super().event(event))
