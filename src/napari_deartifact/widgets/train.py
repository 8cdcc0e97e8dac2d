"""The Train dock widget: choose clean images and a recipe, press Start, watch, get a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_deartifact.models.model_file import SUFFIX
from napari_deartifact.models.registry import models_folder
from napari_deartifact.widgets.crop_view import CropView
from napari_deartifact.widgets.device_choice import DeviceChoice
from napari_deartifact.widgets.form import make_form, show_row
from napari_deartifact.widgets.layer_list import LayerList
from napari_deartifact.widgets.model_choice import model_news
from napari_deartifact.widgets.notes import make_note, say
from napari_deartifact.widgets.path_field import PathField
from napari_deartifact.widgets.recipe_choice import RecipeChoice, StartChoice
from napari_deartifact.widgets.scrolled import Scrolled
from napari_deartifact.widgets.train_inputs import (
    LayerPictures,
    TrainInputs,
    has_torchvision,
    model_path,
    unused_name,
)
from napari_deartifact.widgets.training_curve import TrainingCurve
from napari_deartifact.widgets.training_steps import Trained, TrainingControl, TrainingNews, training_steps
from napari_deartifact.widgets.work_widget import WorkWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

MINUTES, STEPS = "minutes", "steps"
USUAL_LENGTH = {MINUTES: 10.0, STEPS: 2000.0}
PERMILLE = 1000
SHOWN_HEIGHT = 240
"""In pixels; what does not fit is scrolled to."""
CONTINUED = "A training of this name goes on where it stopped; another name starts anew."
FEATURES_TIP = (
    "The weights of SqueezeNet 1.1, VGG16 or VGG19 (.npz, .pth or .safetensors), whose features the recipe "
    "compares; without a file torchvision's are taken, if it is installed"
)
AT_ITS_END = "This training was at its end already; give it more time, or another name."


class TrainWidget(WorkWidget):
    """Dock widget that trains a model on clean images.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._control = TrainingControl()
        self._output = Path()
        self._phase = 0
        self._failed = False
        self._gain = ""
        self._left_out = ""

        self.layers = LayerList(napari_viewer)
        self.folder = PathField(_ask_folder, "A folder of clean images, with its subfolders", "none")
        self.recipe = RecipeChoice()
        self.start_from = StartChoice(self.recipe)
        self.features = PathField(_ask_features, FEATURES_TIP)
        self.length = QDoubleSpinBox()
        self.unit = QComboBox()
        self.device = DeviceChoice()
        self.name = PathField(_ask_output, f"The name of the model, or the path of a {SUFFIX} file")
        self.start_button = QPushButton("Start")
        self.pause_button = QPushButton("Pause")
        self.stop_button = QPushButton("Stop")
        self.save_button = QPushButton("Save now")
        self.live = make_note()
        self.curve = TrainingCurve()
        self.crops = CropView()

        self._set_up()
        self._lay_out()
        self._connect()
        self._follow_recipe()

    def _set_up(self) -> None:
        self.unit.addItems([MINUTES, STEPS])
        self.unit.setToolTip("Whether the training ends after a time or after a number of steps")
        self.length.setToolTip("How long to train; the learning rate falls over that length")
        self.length.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._set_unit()
        self.start_button.setToolTip("Train; a training of the same name that was stopped goes on")
        self.pause_button.setToolTip("Write everything and wait, without using the processor")
        self.stop_button.setToolTip("Write everything and end; Start goes on from there")
        self.save_button.setToolTip("Write the model as it is now, so that it can be tried")
        for widget in (self.curve, self.crops):
            widget.setVisible(False)

    def _lay_out(self) -> None:
        length = QHBoxLayout()
        length.addWidget(self.length, 1)
        length.addWidget(self.unit)
        self.form = make_form(
            ("Layers", self.layers),
            ("Folder", self.folder),
            ("Recipe", self.recipe),
            ("Features", self.features),
            ("Start from", self.start_from),
            ("Train for", length),
            ("Device", self.device),
            ("Save as", self.name),
        )
        buttons = QGridLayout()
        for place, button in enumerate(
            (self.start_button, self.stop_button, self.pause_button, self.save_button)
        ):
            buttons.addWidget(button, *divmod(place, 2))
        content = QVBoxLayout()
        content.addLayout(self.form)
        content.addLayout(buttons)
        content.addWidget(self.progress)
        content.addWidget(self.live)
        content.addWidget(self.status)
        content.addWidget(self.curve, 1)
        content.addWidget(self.crops, 2)
        content.addStretch()
        layout = QVBoxLayout(self)
        layout.addWidget(Scrolled(content, SHOWN_HEIGHT), 1)

    def _connect(self) -> None:
        self.layers.layers_changed.connect(self.update_state)
        self.folder.textChanged.connect(self.update_state)
        self.recipe.recipe_changed.connect(self._follow_recipe)
        self.features.textChanged.connect(self.update_state)
        self.name.textChanged.connect(self.update_state)
        self.unit.currentIndexChanged.connect(self._set_unit)
        self.start_button.clicked.connect(self.start)
        self.pause_button.clicked.connect(self.pause)
        self.stop_button.clicked.connect(self.stop)
        self.save_button.clicked.connect(self.save)

    def _set_unit(self, index: int = 0) -> None:
        minutes = self.unit.currentText() == MINUTES
        self.length.setDecimals(1 if minutes else 0)
        self.length.setRange(0.1 if minutes else 1, 10_000 if minutes else 10_000_000)
        self.length.setSingleStep(5 if minutes else 500)
        self.length.setValue(USUAL_LENGTH[self.unit.currentText()])

    def _follow_recipe(self) -> None:
        recipe = self.recipe.recipe
        self.name.setText(unused_name(recipe.name))
        show_row(self.form, self.features, shown=recipe.needs_features)
        if recipe.needs_features:
            downloaded = recipe.features and has_torchvision()
            self.features.line.setPlaceholderText(f"{recipe.features} of torchvision" if downloaded else "")
        self.update_state()

    def inputs(self) -> TrainInputs:
        """Read the fields.

        Returns
        -------
        TrainInputs
        """
        recipe = self.recipe.recipe
        length, minutes = self.length.value(), self.unit.currentText() == MINUTES
        return TrainInputs(
            layers=self.layers.layers,
            folder=self.folder.text(),
            recipe=recipe,
            output=model_path(self.name.text()),
            init=self.start_from.path,
            minutes=length if minutes else None,
            steps=None if minutes else round(length),
            device=self.device.device,
            features=self.features.text() if recipe.needs_features else "",
        )

    def update_state(self) -> None:
        """Show what the inputs allow."""
        inputs = self.inputs()
        error = inputs.validation_error()
        self.start_button.setEnabled(error is None and not self.is_working)
        for button in (self.pause_button, self.stop_button, self.save_button):
            button.setEnabled(self.is_working and not self.is_stopping)
        self.pause_button.setText("Resume" if self._control.paused else "Pause")
        if not self.is_working:
            say(self.status, error or (CONTINUED if inputs.is_resumed else ""))

    def start(self) -> None:
        """Start to train, or go on."""
        inputs = self.inputs()
        if self.is_working or inputs.validation_error() is not None:
            return
        self._control = TrainingControl()
        self._output = inputs.output
        self._failed = False
        self._gain = self._left_out = ""
        self.curve.clear()
        self.crops.clear()
        for widget in (self.curve, self.crops):
            widget.setVisible(True)
        self._begin(
            training_steps,
            [LayerPictures.of(layer) for layer in inputs.layers],
            inputs.folder,
            inputs.options(),
            self._control,
            description=f"Training {inputs.output.stem}",
        )

    def pause(self) -> None:
        """Wait after the step in hand, or go on."""
        if self.is_working:
            self._control.paused = not self._control.paused
            self.update_state()

    def save(self) -> None:
        """Write the model after the step in hand."""
        self._control.save = True

    def _on_step(self, news: TrainingNews) -> None:
        if not self.is_working:
            return
        if news.phase != self._phase:
            self._phase = news.phase
            self.curve.loss.clear()  # the losses of another phase may be others
        if news.past is not None:
            self.curve.start_with(news.past)
        if news.loss is not None or news.gain is not None:
            self.curve.add(news.step, news.loss, news.gain)
        if news.crops is not None:
            self.crops.show_crops(news.crops)
        if news.saved:
            model_news().announce(self._output)
        self._tell(news)
        if news.fraction > 0 and not self.is_stopping:
            self._show_progress(round(PERMILLE * news.fraction), PERMILLE)  # last, as it handles events

    def _tell(self, news: TrainingNews) -> None:
        if news.doing:
            say(self.live, news.doing)
        if news.left_out:
            self._left_out = news.left_out
            say(self.status, self._left_out)
        if news.gain is not None:
            self._gain = f"gain {news.gain:+.2f} dB"
        if news.loss is not None:
            parts = [f"step {news.step:,}", f"{news.seconds:.0f} s", f"loss {news.loss:.3g}", self._gain]
            say(self.live, ", ".join(filter(None, parts)))
        if news.paused:
            say(self.live, f"Paused at step {news.step:,}; everything is saved.")
        elif news.saved:
            say(self.status, f"Saved {self._output.name} at step {news.step:,}.")

    def _on_done(self, trained: Trained) -> None:
        done = f"Done: {trained.output.stem} is in the list of models. {self._left_out}"
        say(self.status, done.strip() if trained.new_steps else AT_ITS_END)

    def _on_error(self, error: Exception) -> None:
        self._failed = True
        super()._on_error(error)

    def _end_message(self, *, stopped: bool) -> str:
        if stopped and self._output.is_file() and not self._failed:
            return f"Stopped; {self._output.stem} is saved as it is, and Start goes on."
        return self.status.text()

    def _on_finished(self) -> None:
        self._control = TrainingControl()
        super()._on_finished()
        if self._output.is_file():
            model_news().announce(self._output)


def _ask_folder(parent: QWidget) -> str:
    return str(QFileDialog.getExistingDirectory(parent, "Choose a folder of clean images"))


def _ask_features(parent: QWidget) -> str:
    path, _ = QFileDialog.getOpenFileName(
        parent, "Choose the weights of a classifier", "", "Weights (*.npz *.pth *.safetensors)"
    )
    return str(path)


def _ask_output(parent: QWidget) -> str:
    path, _ = QFileDialog.getSaveFileName(
        parent, "Save the model as", str(models_folder()), f"Model files (*{SUFFIX})"
    )
    return str(path)
