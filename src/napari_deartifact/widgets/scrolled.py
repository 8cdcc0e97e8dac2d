"""A part of a widget that is scrolled where a dock, or two of them, are too low for it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QLayout, QScrollArea, QSizePolicy, QWidget

STYLE = 6
"""Pixels of the height that a style sheet may take for borders."""


class Scrolled(QScrollArea):
    """Takes the height of its content where there is as much, and never less than its width.

    Parameters
    ----------
    content : QLayout
    least_height : int
        What is always seen of it, in pixels.
    """

    def __init__(self, content: QLayout, least_height: int) -> None:
        super().__init__()
        self._least_height = least_height
        self._inner = QWidget()
        content.setContentsMargins(0, 0, 0, 0)
        self._inner.setLayout(content)
        self.setWidget(self._inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        """Return the size of the content, with room for the bar."""
        # Wrapped texts ask for more at least, where they would be narrow, than they hint at.
        hint = self._inner.sizeHint().expandedTo(self._inner.minimumSizeHint())
        return hint + QSize(self._bar(), STYLE)

    def minimumSizeHint(self) -> QSize:
        """Return the least width of the content, and the least height that was asked for."""
        return QSize(self._inner.minimumSizeHint().width() + self._bar(), self._least_height)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for another height when the content has one."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def _bar(self) -> int:
        bar = self.verticalScrollBar()
        return 0 if bar is None else bar.sizeHint().width()
