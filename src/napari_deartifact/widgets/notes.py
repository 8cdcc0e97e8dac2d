"""Labels that take no room while they have nothing to say."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QSizePolicy


def make_note() -> QLabel:
    """Return a label for sentences, hidden as yet."""
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    label.setVisible(False)
    return label


def say(label: QLabel, text: str) -> None:
    """Show a text, or hide the label when there is none."""
    label.setText(text)
    label.setVisible(bool(text))
