"""A line for a path, with a button beside it that opens a dialog."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QWidget


class PathField(QWidget):
    """Type a path, or choose it.

    Parameters
    ----------
    ask : callable
        Gets this widget, opens a dialog and returns a path, or "" when the user gave up.
    tip : str
        What the path is for.
    placeholder : str
    """

    def __init__(self, ask: Callable[[QWidget], str], tip: str, placeholder: str = "") -> None:
        super().__init__()
        self._ask = ask
        self.line = QLineEdit()
        self.line.setToolTip(tip)
        self.line.setPlaceholderText(placeholder)
        self.line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = QPushButton("…")
        self.button.setToolTip("Choose it in a dialog")
        self.button.setFixedWidth(self.line.sizeHint().height() + 8)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)
        self.textChanged = self.line.textChanged
        self.button.clicked.connect(self._choose)

    def text(self) -> str:
        """What is typed, without spaces around it."""
        return self.line.text().strip()

    def setText(self, text: str) -> None:
        """Put a path in the line."""
        self.line.setText(text)

    def _choose(self) -> None:
        path = self._ask(self)
        if path:
            self.line.setText(path)
