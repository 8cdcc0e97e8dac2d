"""Take the pictures of the widgets that the documentation shows.

Needs a screen, or ``xvfb-run -s "-screen 0 1600x1000x24" python docs/images/take_screenshots.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QApplication

PLUGIN = "napari-deartifact"
HERE = Path(__file__).parent


def wait(condition: Callable[[], bool] = bool, seconds: float = 120) -> None:
    """Handle events until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        QApplication.processEvents()
        time.sleep(0.01)


def main(model: str) -> None:
    """Restore the photograph, without and with its standard error, and inspect it."""
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
    viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:] or ["general"])
