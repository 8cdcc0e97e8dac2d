"""A drop-down of the viewer's image layers that keeps up with the layer list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

from napari_deartifact.widgets.form import fill_the_width
from napari_deartifact.widgets.layers import PROVENANCE_KEY

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


class LayerChoice(QComboBox):
    """Choose an image layer.

    The layer that the user makes active is chosen, too; with `skip_restored` not when it is an
    answer of this program, so that a second run starts from the same original.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    skip_restored : bool
    parent : QWidget, optional
    """

    layer_changed = Signal()
    layer_altered = Signal()
    """The one that is chosen has other data or another contrast now, or shows another part of them."""

    def __init__(self, viewer: Viewer, *, skip_restored: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._skip_restored = skip_restored
        self._layers: list[Any] = []
        self._watched: Any = None
        fill_the_width(self)
        self.setPlaceholderText("no image layer")
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self.currentIndexChanged.connect(self._announce)
        self._refresh()
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The layer chosen, if there is one."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @layer.setter
    def layer(self, layer: Image) -> None:
        self.setCurrentIndex(self._layers.index(layer))

    def _refresh(self, event: Any = None) -> None:
        from napari.layers import Image

        chosen = self.layer
        self._layers = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in self._layers])
        self.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else len(self._layers) - 1)
        self.blockSignals(False)
        self._describe()
        if self.layer != chosen:
            self._watch()
            self.layer_changed.emit()

    def _follow(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if active not in self._layers:
            return
        if not (self._skip_restored and PROVENANCE_KEY in active.metadata and self.layer is not None):
            self.layer = active

    def _announce(self, index: int) -> None:
        self._describe()
        self._watch()
        self.layer_changed.emit()

    def _watch(self) -> None:
        if self._watched is not None:
            for event in self._events_of(self._watched):
                event.disconnect(self._on_altered)
        self._watched = self.layer
        if self._watched is not None:
            for event in self._events_of(self._watched):
                event.connect(self._on_altered)

    @staticmethod
    def _events_of(layer: Image) -> tuple[Any, ...]:
        return layer.events.data, layer.events.set_data, layer.events.contrast_limits

    def _on_altered(self, event: Any = None) -> None:
        self.layer_altered.emit()

    def _describe(self) -> None:
        layer = self.layer
        name = "Image layer" if layer is None else layer.name
        self.setToolTip(f"{name}; the layer that is made active in the list is chosen here")
