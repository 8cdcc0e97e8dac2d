"""Fixed crops of the pictures kept for validation: as JPEG, as restored now, and clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

Crops = Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]
TITLES = ("JPEG", "restored", "clean")
GAP = 4
SHOWN = 2
"""Rows: the crops that are shown."""


class CropView(QWidget):
    """Rows of three crops, with a title above each column.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[list[QPixmap]] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setSizePolicy(policy)
        self.setMinimumHeight(110)
        self.setToolTip("Parts of images kept for validation: compressed, restored by the model, and clean")

    @property
    def rows(self) -> int:
        """How many crops are shown."""
        return len(self._rows)

    def sizeHint(self) -> QSize:
        """Ask for a height that shows square crops."""
        return QSize(240, 180)

    def show_crops(self, crops: Crops) -> None:
        """Show crops.

        Parameters
        ----------
        crops : sequence of (degraded, restored, clean)
            Each of uint8, shape (Y, X, 3).
        """
        self._rows = [[_pixmap(picture) for picture in crop] for crop in crops[:SHOWN]]
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._rows = []
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the crops, as large as they fit, and nothing before there are any."""
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        title = painter.fontMetrics().height() + 2
        width = (self.width() - 2 * GAP) / len(TITLES)
        height = (self.height() - title) / len(self._rows) - GAP
        edge = min(width, height)
        left = (self.width() - 3 * edge - 2 * GAP) / 2
        for column, name in enumerate(TITLES):
            x = left + column * (edge + GAP)
            painter.drawText(QRectF(x, 0, edge, title), int(Qt.AlignmentFlag.AlignHCenter), name)
            for row, pixmaps in enumerate(self._rows):
                place = QRectF(x, title + row * (edge + GAP), edge, edge)
                painter.drawPixmap(place, pixmaps[column], QRectF(pixmaps[column].rect()))
        painter.end()


def _pixmap(picture: NDArray[Any]) -> QPixmap:
    height, width = picture.shape[:2]
    pixels = picture.astype(np.uint8).tobytes()
    # The pixmap is a copy, so that the bytes may go.
    return QPixmap.fromImage(QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888))
