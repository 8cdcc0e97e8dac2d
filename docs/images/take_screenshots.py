"""Take the pictures of the widgets that the documentation shows.

Needs a screen, or ``xvfb-run -s "-screen 0 1600x1000x24" python docs/images/take_screenshots.py``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QApplication

PLUGIN = "napari-deartifact"
HERE = Path(__file__).parent
TRAINED_MINUTES = 4


def wait(condition: Callable[[], bool] = bool, seconds: float = 120) -> None:
    """Handle events until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        QApplication.processEvents()
        time.sleep(0.01)


def train(viewer: Any, folder: str) -> None:
    """Fine-tune the general model on fields of a micrograph, and take a picture when most of it is done."""
    from skimage.data import cell

    viewer.layers.clear()
    picture = cell()
    middle, half = picture.shape[0] // 2, picture.shape[1] // 2
    fields = [picture[rows, columns] for rows in _halves(middle) for columns in _halves(half)]
    for number, field in enumerate(fields, start=1):
        viewer.add_image(field, name=f"field {number}")
    viewer.grid.enabled = True
    viewer.grid.shape = (2, 2)
    viewer.reset_view()
    os.environ["NAPARI_DEARTIFACT_MODELS"] = folder
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
    widget.layers.layers = tuple(viewer.layers)
    widget.recipe.setCurrentText("microscopy")
    widget.length.setValue(TRAINED_MINUTES)
    widget.start_button.click()
    wait(lambda: widget.progress.value() > 0.9 * widget.progress.maximum() > 0, seconds=90 * TRAINED_MINUTES)
    viewer.screenshot(HERE / "train-widget.png", canvas_only=False, flash=False)
    widget.stop_button.click()
    wait(widget.start_button.isEnabled)
    viewer.window.remove_dock_widget(dock)


def _halves(middle: int) -> tuple[slice, slice]:
    return slice(middle), slice(middle, None)


def main(model: str) -> None:
    """Restore the photograph, without and with its standard error, and inspect it; train."""
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 720)
    viewer.open_sample(PLUGIN, "camera")
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    widget.model.setCurrentText(model)
    wait(seconds=1)
    widget.run_button.click()
    wait(lambda: len(viewer.layers) == 2 and widget.run_button.isEnabled())
    viewer.grid.enabled = True
    wait(seconds=1)
    viewer.camera.zoom *= 1.9
    viewer.camera.center = (190, 256)
    wait(seconds=1)
    viewer.screenshot(HERE / "restore-widget.png", canvas_only=False, flash=False)

    viewer.layers.pop(1)
    viewer.layers.selection = {viewer.layers[0]}
    widget.uncertainty.setChecked(True)
    widget.run_button.click()
    wait(lambda: len(viewer.layers) == 3 and widget.run_button.isEnabled())
    viewer.grid.shape = (1, 3)
    wait(seconds=1)
    viewer.screenshot(HERE / "uncertainty.png", canvas_only=False, flash=False)

    viewer.window.remove_dock_widget(dock)
    for _ in range(2):
        viewer.layers.pop()
    viewer.grid.enabled = False
    viewer.window.add_plugin_dock_widget(PLUGIN, "Inspect")
    viewer.reset_view()
    wait(seconds=1)
    viewer.screenshot(HERE / "inspect-widget.png", canvas_only=False, flash=False)
    with tempfile.TemporaryDirectory() as folder:
        train(viewer, folder)
    viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:] or ["general"])
