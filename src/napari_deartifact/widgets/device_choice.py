"""A drop-down of devices; what this machine has is found out when the list is first opened."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_deartifact.widgets.workers import show_failure, start_function

SEARCHING = "looking for GPUs…"


class DeviceChoice(QComboBox):
    """Choose a device.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asked = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.addItems(["auto", "cpu"])
        self.setToolTip("Where the model computes; auto takes a GPU when there is one")

    @property
    def device(self) -> str:
        """The device chosen, as :func:`~napari_deartifact.deartifact` takes it."""
        return self.currentText()

    def showPopup(self) -> None:
        """Open the list; the first time, start to look for GPUs in a thread, as that loads torch."""
        if not self._asked:
            self._asked = True
            self.addItem(SEARCHING)
            items: Any = self.model()
            items.item(self.count() - 1).setEnabled(False)
            start_function(
                _available_devices, connect={"returned": self._on_found, "errored": self._on_error}
            )
        super().showPopup()

    def _on_found(self, devices: list[str]) -> None:
        self._end_search()
        known = {self.itemText(index) for index in range(self.count())}
        self.addItems([device for device in devices if device not in known])

    def _on_error(self, error: Exception) -> None:
        self._end_search()
        show_failure(error)

    def _end_search(self) -> None:
        self.removeItem(self.findText(SEARCHING))


def _available_devices() -> list[str]:
    from napari_deartifact.devices import available_devices

    return available_devices()
