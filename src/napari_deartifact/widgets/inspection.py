"""The Inspect dock widget: what an image layer's JPEG history is, from its file or from its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_deartifact.widgets.form import fill_the_width, make_form
from napari_deartifact.widgets.layer_choice import LayerChoice
from napari_deartifact.widgets.layers import JPEG_KEY, PROVENANCE_KEY, finest, known_jpeg, sample_plane
from napari_deartifact.widgets.report import (
    FORMER_JPEG,
    Report,
    report_on_estimate,
    report_on_file,
    report_on_restored,
)
from napari_deartifact.widgets.restore_inputs import NO_LAYER
from napari_deartifact.widgets.scrolled import Scrolled
from napari_deartifact.widgets.table_view import QuantizationTableView
from napari_deartifact.widgets.workers import EXPECTED_ERRORS, first_line, show_failure, start_function

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

LOOKING = "Looking at the pixels…"
SETTLING = 300
"""Milliseconds without another change after which pixels are looked at again."""
SHOWN_HEIGHT = 220
"""In pixels; what does not fit is scrolled to."""


class InspectWidget(QWidget):
    """Dock widget that tells a layer's JPEG history.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._request = 0
        self._seen: tuple[Any, ...] = ()
        self.report = Report("")
        self.layer = LayerChoice(napari_viewer)
        self.verdict = QLabel()
        self.facts = make_form()
        self.component = QComboBox()
        self.table = QuantizationTableView()
        self.note = QLabel()
        self._lay_out()
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(SETTLING)
        self._again.timeout.connect(self._inspect_anew)
        self.layer.layer_changed.connect(self.inspect)
        self.layer.layer_altered.connect(self._again.start)
        napari_viewer.dims.events.current_step.connect(self._on_moved)
        self.component.currentIndexChanged.connect(self._show_table)
        self.inspect()

    def _lay_out(self) -> None:
        for label in (self.verdict, self.note):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        fill_the_width(self.component)
        self.component.setToolTip("The component whose quantization table is shown")
        body = QVBoxLayout()
        body.addWidget(self.verdict)
        body.addLayout(self.facts)
        body.addWidget(self.component)
        body.addWidget(self.table)
        body.addWidget(self.note)
        body.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(make_form(("Layer", self.layer)))
        layout.addWidget(Scrolled(body, SHOWN_HEIGHT), 1)

    def inspect(self) -> None:
        """Show what is known of the chosen layer; what is not, estimate in a thread."""
        self._request += 1
        self._again.stop()
        self._seen = self._in_view()
        layer = self.layer.layer
        if layer is None:
            self._show(Report(NO_LAYER))
        elif (jpeg := known_jpeg(layer)) is not None:
            self._show(report_on_file(jpeg))
        elif isinstance(layer.metadata.get(PROVENANCE_KEY), Mapping):
            self._show(report_on_restored(layer.metadata[PROVENANCE_KEY]))
        else:
            self._show(Report(LOOKING, note=FORMER_JPEG if layer.metadata.get(JPEG_KEY) else ""))
            start_function(
                _examine,
                self._request,
                finest(layer),
                rgb=layer.rgb,
                position=self._position(layer),
                connect={"returned": self._on_examined, "errored": self._on_error},
            )

    def _position(self, layer: Image) -> tuple[float, ...]:
        """Return where the viewer stands, in the layer's own coordinates."""
        return tuple(layer.world_to_data(self._viewer.dims.point))

    def _in_view(self) -> tuple[Any, ...]:
        """Return what tells one look from the next: the layer, its array, and the plane."""
        layer = self.layer.layer
        if layer is None:
            return ()
        data = finest(layer)
        planes = data.ndim - 2 - layer.rgb
        return layer, data, tuple(round(place) for place in self._position(layer)[:planes])

    def _on_moved(self, event: Any = None) -> None:
        self._again.start()

    def _inspect_anew(self) -> None:
        window: Any = self.window()
        in_sight = self.isVisible() if window is self else self.isVisibleTo(window)
        if not in_sight:
            return
        now, seen = self._in_view(), self._seen
        if len(now) != len(seen) or any(
            new is not old and (index < 2 or new != old)
            for index, (new, old) in enumerate(zip(now, seen, strict=True))
        ):
            self.inspect()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Catch up with what happened out of sight."""
        super().showEvent(event)
        self._again.start()

    def _on_examined(self, answer: tuple[int, Report]) -> None:
        request, report = answer
        if request == self._request:
            self._show(report)

    def _on_error(self, error: Exception) -> None:
        message = show_failure(error)
        if self.report.verdict == LOOKING:
            self._show(Report(f"The pixels could not be examined: {message}"))

    def _show(self, report: Report) -> None:
        self.report = report
        self.verdict.setText(report.verdict)
        self.note.setText(report.note)
        self.note.setVisible(bool(report.note))
        while self.facts.rowCount():
            self.facts.removeRow(0)
        for label, value in report.facts:
            text = QLabel(value)
            text.setWordWrap(True)
            # Without this a form gives a wrapped text less width, and then too little height.
            text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
            self.facts.addRow(label, text)
        self.component.blockSignals(True)
        self.component.clear()
        self.component.addItems([f"Quantization table: {name}" for name, _ in report.tables])
        self.component.blockSignals(False)
        for widget in (self.component, self.table):
            widget.setVisible(bool(report.tables))
        self._show_table(0)

    def _show_table(self, index: int) -> None:
        if 0 <= index < len(self.report.tables):
            self.table.show_steps(self.report.tables[index][1])


def _examine(request: int, data: Any, *, rgb: bool, position: tuple[float, ...]) -> tuple[int, Report]:
    """Estimate in a thread; errors come back as reports, under the number of the request."""
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    try:
        plane = sample_plane(data, position, rgb=rgb)
        estimate = estimate_jpeg(plane, channel_axis=-1 if rgb else None)
        return request, report_on_estimate(estimate, plane.shape[:2])
    except (*EXPECTED_ERRORS, RuntimeError) as error:
        return request, Report(f"The pixels could not be examined: {first_line(error)}")
