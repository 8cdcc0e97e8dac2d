"""The plugin in napari's window: menus, looks, and what opening it costs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QPushButton, QSlider

PLUGIN = "napari-deartifact"
OPENING = """
import sys
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
viewer = ViewerModel()
before = set(sys.modules)
from napari_deartifact.widgets.inspection import InspectWidget
from napari_deartifact.widgets.restore import RestoreWidget
from napari_deartifact.widgets.train import TrainWidget
widgets = RestoreWidget(viewer), InspectWidget(viewer), TrainWidget(viewer)
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""

LEAVING = """
from qtpy.QtWidgets import QApplication
app = QApplication([])
import time
from napari_deartifact.widgets.workers import start_function
start_function(time.sleep, 1, connect={})
"""


@pytest.mark.parametrize("name", ["Restore", "Inspect", "Train"])
def test_widget_opens_and_closes(viewer, name):
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    assert type(widget).__name__ == f"{name}Widget"
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    for field in widget.findChildren(
        (QComboBox, QPushButton, QAbstractSpinBox, QLineEdit, QSlider), options=direct
    ):
        assert field.toolTip(), field
    viewer.window.remove_dock_widget(dock)
    viewer.open_sample(PLUGIN, "camera")


def test_menus(viewer):
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    submenus = [item.submenu for item in menus.get_menu("napari/layers/filter") if hasattr(item, "submenu")]
    assert "deartifact" in submenus
    commands = {item.command.id for item in menus.get_menu("deartifact")}
    names = {"restore", "inspect", "train"}
    assert {command.split(":")[0] for command in commands} == {f"{PLUGIN}.{name}" for name in names}


def test_screenshot_shows_the_picture_and_the_widget(make_napari_viewer, qtbot, tmp_path):
    from PIL import Image

    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    viewer.open_sample(PLUGIN, "camera")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    qtbot.waitExposed(widget)
    qtbot.wait(200)
    path = tmp_path / "window.png"
    viewer.screenshot(path, canvas_only=False, flash=False)
    window = np.asarray(Image.open(path).convert("L")).astype(float)
    canvas = viewer.screenshot(flash=False)[..., 0].astype(float)
    assert canvas.std() > 30
    assert window.std() > 30
    for button in (widget.run_button, widget.cancel_button, widget.copy_button):
        assert button.width() >= button.fontMetrics().horizontalAdvance(button.text())
    assert widget.width() < 400


def test_opening_loads_nothing_heavy():
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", OPENING], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(ran.stdout.split())
    assert "napari_deartifact" in loaded
    assert not loaded & {"torch", "dask", "matplotlib", "imagecodecs", "pydicom", "scipy", "zarr"}


def test_leaving_with_work_in_hand_does_not_crash():
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
