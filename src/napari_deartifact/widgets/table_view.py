"""A quantization table, 8×8, shaded by its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFrame, QHeaderView, QSizePolicy, QTableWidget, QTableWidgetItem, QWidget

COARSEST = 255
CELL = QSize(30, 22)
NARROWEST = 22
"""Width of a cell, which holds three digits of the smaller font."""
FONT_SHARE = 0.8


class QuantizationTableView(QTableWidget):
    """Shows the 64 steps of a quantization table, lowest frequency at the top left.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(8, 8, parent)
        self.setToolTip(
            "Quantization steps: rows by vertical, columns by horizontal frequency; "
            "large steps lose more detail"
        )
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        columns: Any = self.horizontalHeader()
        rows: Any = self.verticalHeader()
        for header, size, least in (
            (columns, CELL.width(), NARROWEST),
            (rows, CELL.height(), CELL.height()),
        ):
            header.setVisible(False)
            header.setMinimumSectionSize(least)
            header.setDefaultSectionSize(size)
        font = self.font()
        font.setPointSizeF(FONT_SHARE * font.pointSizeF())
        self.setFont(font)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the size of 64 cells."""
        return QSize(8 * CELL.width(), 8 * CELL.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the size of 64 cells as narrow as they may be."""
        return QSize(8 * NARROWEST, self.sizeHint().height())

    def show_steps(self, steps: Sequence[int]) -> None:
        """Show a table.

        Parameters
        ----------
        steps : sequence of 64 int
            In natural (row by row) order.
        """
        for index, step in enumerate(steps):
            item = QTableWidgetItem(str(step))
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            shade = min(step, COARSEST) / COARSEST
            item.setBackground(QColor(232, 130, 60, int(200 * shade)))
            self.setItem(index // 8, index % 8, item)
