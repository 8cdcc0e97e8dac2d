"""A drop-down whose last line opens a file."""

from __future__ import annotations

from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QComboBox


class ListWithFile(QComboBox):
    """Knows whether a line was reached by a key while the list was closed.

    Whoever goes through the lines with the arrow keys does not ask for a dialog at the end of them.
    """

    is_stepping = False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Note that the line to come was not picked from the open list."""
        self.is_stepping = True
        try:
            super().keyPressEvent(event)
        finally:
            self.is_stepping = False
