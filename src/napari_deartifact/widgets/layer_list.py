"""A list of the viewer's image layers with a box to tick before each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

SHOWN_ROWS = 4


class LayerList(QListWidget):
    """Choose any number of image layers; the list keeps up with the viewer's.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    parent : QWidget, optional
    """

    layers_changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._listed: list[Any] = []
        self.setToolTip("Clean images to learn from: tick them")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFixedHeight(SHOWN_ROWS * (self.fontMetrics().height() + 4))
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._refresh)
        self.itemChanged.connect(self.layers_changed)
        self._refresh()

    @property
    def layers(self) -> tuple[Image, ...]:
        """The layers that are ticked."""
        ticked = zip(self._listed, self._items(), strict=True)
        return tuple(layer for layer, item in ticked if item.checkState() == Qt.CheckState.Checked)

    @layers.setter
    def layers(self, layers: tuple[Image, ...]) -> None:
        for layer, item in zip(self._listed, self._items(), strict=True):
            item.setCheckState(Qt.CheckState.Checked if layer in layers else Qt.CheckState.Unchecked)

    def _items(self) -> list[Any]:
        return [self.item(row) for row in range(self.count())]

    def _refresh(self, event: Any = None) -> None:
        from napari.layers import Image

        ticked = self.layers
        self._listed = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        self.blockSignals(True)
        self.clear()
        for layer in self._listed:
            item = QListWidgetItem(layer.name, self)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if layer in ticked else Qt.CheckState.Unchecked)
            item.setToolTip(layer.name)
        self.blockSignals(False)
        self.layers_changed.emit()
