"""The Restore dock widget: choose a layer and a model, press Run, get a new layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
)
from superqt import QLabeledDoubleSlider

from napari_deartifact.tiling import Progress
from napari_deartifact.widgets.answer_layer import made_of, restored_layer_data
from napari_deartifact.widgets.device_choice import DeviceChoice
from napari_deartifact.widgets.error_layer import standard_error_layer_data
from napari_deartifact.widgets.form import make_form
from napari_deartifact.widgets.layer_choice import LayerChoice
from napari_deartifact.widgets.layers import LayerImage
from napari_deartifact.widgets.model_choice import ModelChoice, model_news
from napari_deartifact.widgets.notes import make_note, say
from napari_deartifact.widgets.perceptual_slider import PerceptualSlider
from napari_deartifact.widgets.restore_inputs import RestoreInputs, RestoreJob
from napari_deartifact.widgets.script import restoration_script
from napari_deartifact.widgets.scrolled import Scrolled
from napari_deartifact.widgets.wording import FORCE
from napari_deartifact.widgets.work_widget import WorkWidget
from napari_deartifact.widgets.workers import Restored, restore_levels

if TYPE_CHECKING:
    from napari.viewer import Viewer

UNCHANGED = (
    "Nothing to restore: the image shows no JPEG history, or was restored before, so no layer was added. "
    "Tick the box above to restore it all the same."
)
SAME = "The answer is the same as the image, so no layer was added."
LOADING = "Loading the model…"
EXAMINING = "Examining the image…"
CHANGED = " It is of what the layer held when it was started, which has other pixels now."
REMOVED = "Stopped, as the layer was removed; no layer was added."
INVENTED = "Texture may be invented: not for measuring."
TILE_STEP = 64
FORM_HEIGHT = 140
"""In pixels, of the fields that are always in sight."""
LARGEST_TILE = 8192


class RestoreWidget(WorkWidget):
    """Dock widget that restores an image layer into a new one.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: RestoreJob | None = None
        self._is_loading = False
        self._error: str | None = None

        self.layer = LayerChoice(napari_viewer, skip_restored=True)
        self.history = make_note()
        self.model = ModelChoice()
        self.strength = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.perceptual = PerceptualSlider()
        self.data_range = QLineEdit()
        self.device = DeviceChoice()
        self.tile_size = QSpinBox()
        self.force = QCheckBox(FORCE)
        self.uncertainty = QCheckBox("Uncertainty map")
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.copy_button = QPushButton("Copy as Python")

        self._set_up()
        self._lay_out()
        self._connect()
        self.update_state()

    def _set_up(self) -> None:
        for slider, value in ((self.strength, 1), (self.perceptual, 0)):
            slider.setRange(0, 1)
            slider.setSingleStep(0.05)  # type: ignore[arg-type]
            slider.setDecimals(2)
            slider.setValue(value)
        self.strength.setToolTip("0 leaves the image as it is, 1 is the model's answer")
        self.tile_size.setRange(0, LARGEST_TILE)
        self.tile_size.setSingleStep(TILE_STEP)
        self.tile_size.setSpecialValueText("auto")
        self.tile_size.setSuffix(" px")
        self.tile_size.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.tile_size.setToolTip(
            "Edge of a tile; smaller takes less memory, the answer is the same but for rounding"
        )
        self.force.setToolTip(
            "Restore also what shows no JPEG history or was restored before; otherwise it is left as it is"
        )
        self.uncertainty.setToolTip("Add a second layer: the standard error of every restored pixel")
        self.data_range.setToolTip("Black and white, such as 0 4095; empty takes the range shown in grey")
        self.run_button.setToolTip("Restore the layer into a new one")
        self.cancel_button.setToolTip("Stop after the tile in hand; nothing is added")
        self.copy_button.setToolTip("Put the same restoration on the clipboard, as a Python script")

    def _lay_out(self) -> None:
        form = make_form(
            ("Layer", self.layer),
            ("", self.history),
            ("Model", self.model),
            ("Strength", self.strength),
            ("Perceptual", self.perceptual),
            ("Range", self.data_range),
            ("Device", self.device),
            ("Tile size", self.tile_size),
            ("", self.force),
            ("", self.uncertainty),
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(Scrolled(form, FORM_HEIGHT))
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.copy_button)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.layer.layer_changed.connect(self.update_state)
        self.layer.layer_altered.connect(self.update_state)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self.model.currentIndexChanged.connect(self.update_state)
        model_news().trained.connect(self.update_state)  # it may be a twin
        for number in (self.perceptual, self.tile_size):
            number.valueChanged.connect(self.update_state)
        self.data_range.textChanged.connect(self.update_state)
        self.uncertainty.toggled.connect(self.update_state)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.stop)
        self.copy_button.clicked.connect(self.copy_script)

    def inputs(self) -> RestoreInputs:
        """Read the fields.

        Returns
        -------
        RestoreInputs
        """
        model = self.model.summary
        return RestoreInputs(
            layer=self.layer.layer,
            model=self.model.argument,
            strength=round(self.strength.value(), 4),
            perceptual=self.perceptual.share,
            twin_of=None if model is None else model.twin_of,
            device=self.device.device,
            tile_size=self.tile_size.value() or None,
            range_text=self.data_range.text(),
            needs_tables=model is not None and model.kind == "classical",
            force=self.force.isChecked(),
            uncertainty=self.uncertainty.isChecked(),
        )

    def update_state(self) -> None:
        """Show what the inputs allow."""
        if self.model.summary is not None:
            self.perceptual.offer(self.model.summary, self.model.models)
        inputs = self.inputs()
        error = inputs.validation_error()
        self.run_button.setEnabled(error is None and not self.is_working)
        self.copy_button.setEnabled(error is None)
        self.cancel_button.setEnabled(self.is_working and not self.is_stopping)
        if not self.is_working and error != self._error:
            say(self.status, error or "")
            self._error = error
        image = None if inputs.layer is None else LayerImage.of(inputs.layer)
        self.data_range.setPlaceholderText("" if image is None else _range_hint(image))
        hints = [] if image is None else [_history_hint(image)]
        say(self.history, "\n".join([*hints, INVENTED] if inputs.may_invent else hints))

    def run(self) -> None:
        """Start to restore the chosen layer."""
        inputs = self.inputs()
        if self.is_working or inputs.validation_error() is not None:
            return
        self._job = RestoreJob.of(inputs)
        self._is_loading = True
        say(self.status, LOADING)
        self._begin(
            restore_levels,
            LayerImage.of(inputs.layer).levels,
            inputs.model,
            description=f"Restoring {inputs.layer.name}",
            uncertainty=inputs.uncertainty,
            **inputs.options(),
        )

    def copy_script(self) -> None:
        """Put a Python script that does the same on the clipboard."""
        inputs = self.inputs()
        if inputs.layer is not None and inputs.model is not None:
            script = restoration_script(
                inputs.layer, inputs.model, inputs.options(), uncertainty=inputs.uncertainty
            )
            clipboard: Any = QApplication.clipboard()
            clipboard.setText(script)
            say(self.status, "The script is on the clipboard.")

    def _on_step(self, step: Progress) -> None:
        if not self.is_working:
            return
        if not self.is_stopping:
            say(self.status, self._news(step))
        if step.total:
            self._show_progress(step.done, step.total)  # last, as it handles events

    def _news(self, step: Progress) -> str:
        if step.total:
            return f"{step.done} of {step.total} tiles"
        # The first step comes before the model is loaded, the second after.
        was_loading, self._is_loading = self._is_loading, False
        return LOADING if was_loading else EXAMINING

    def _on_done(self, restored: Restored) -> None:
        if not self.is_working or self.is_stopping or self._job is None:
            return
        from napari.layers import Layer

        if restored.unchanged:
            say(self.status, SAME if self._job.is_certain else UNCHANGED)
            return
        source, provenance = self._job.layer, self._job.provenance(restored)
        shown = self._job.as_it_was() if self._job.has_other_shape else source
        layer = Layer.create(*restored_layer_data(shown, restored.levels, provenance))
        layers = self._viewer.layers
        others = made_of(source, layers)
        place = max(map(layers.index, others)) + 1
        layers.insert(place, layer)
        done = f"Done: {layer.name}"
        if source.blending == "additive":
            for other in others:
                other.visible = False
            done += "; what it was made of is hidden, since additive layers add up."
        if self._job.has_other_data:
            done += ("" if done.endswith(".") else ".") + CHANGED
        layer.contrast_limits_range = shown.contrast_limits_range
        if restored.standard_error is not None:
            error = standard_error_layer_data(shown, restored.standard_error, provenance)
            layers.insert(place + 1, Layer.create(*error))
        say(self.status, done)

    def _end_message(self, *, stopped: bool) -> str:
        if not stopped:
            return self.status.text()
        return REMOVED if self._lacks_its_layer() else "Stopped; no layer was added."

    def _on_removed(self, event: Any) -> None:
        if self._lacks_its_layer():
            self.stop()

    def _lacks_its_layer(self) -> bool:
        return self._job is not None and self._job.layer not in self._viewer.layers

    def _on_finished(self) -> None:
        super()._on_finished()
        self._job = None
        if self._error is not None and self._error != self.status.text():
            say(self.status, f"{self.status.text()}\n{self._error}".strip())


def _range_hint(image: LayerImage) -> str:
    if image.data_range is not None and image.jpeg is None:
        return "{:g} {:g} (of what is shown)".format(*image.data_range)
    if image.levels[0].dtype == "uint8":
        return "0 255"
    if image.jpeg is not None:
        return f"0 {2**image.jpeg.precision - 1}"
    return "of the JPEG's levels, or minimum to maximum"


def _history_hint(image: LayerImage) -> str:
    if image.jpeg is None:
        return "No JPEG file is known for this layer."
    return f"From a JPEG of quality {image.jpeg.quality}, if unchanged since; the answer agrees with it."
