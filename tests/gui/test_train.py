"""The Train widget: real trainings of a tiny network, with real clicks in a real viewer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import Qt, QThreadPool
from skimage.data import astronaut, camera, cell, moon

from napari_deartifact import JPEGInfo
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.generators import build
from napari_deartifact.models.model_file import ModelCard, read_card, read_model, save_model
from napari_deartifact.models.registry import list_models, load_model
from napari_deartifact.training.feature_weights import SQUEEZENET_CAFFE
from napari_deartifact.training.loop import Trainer
from napari_deartifact.training.recipe import NEW_WEIGHTS, list_recipes, read_recipe
from napari_deartifact.training.reporting import COLUMNS, table_rows
from napari_deartifact.widgets import recipe_choice, train_inputs
from napari_deartifact.widgets.model_choice import ModelChoice
from napari_deartifact.widgets.recipe_summary import RecipeSummary, read_summaries
from napari_deartifact.widgets.train import AT_ITS_END, CONTINUED, TrainWidget
from napari_deartifact.widgets.train_inputs import NO_IMAGES, LayerPictures, TrainInputs, model_path
from napari_deartifact.widgets.training_curve import Curve
from napari_deartifact.widgets.training_past import MOST_LOSSES, Past, read_past
from napari_deartifact.widgets.training_steps import training_steps

PLUGIN = "napari-deartifact"
ENDLESS = 1_000_000
TINY = """
name = "tiny"
description = "For tests."
[generator]
architecture = "compact-cnn"
[generator.arguments]
widths = [8]
dilations = [1, 1]
[data]
patch_size = 32
batch_size = 2
qualities = [{ low = 10, high = 20 }]
validation_fraction = 0.3
[[phases]]
steps = 6
losses = { l1 = 1.0 }
ema_decay = 0.5
"""
OTHER = TINY.replace('"tiny"', '"other"').replace("[8]", "[4]")
COMPARING = TINY.replace("l1 = 1.0", "l1 = 1.0, feature = 1.0") + '[features]\nnetwork = "vgg19"\n'
TUNING = 'init = "base"\n' + TINY
RECIPES = {"tiny": TINY, "tuning": TUNING, "other": OTHER, "comparing": COMPARING}
PICTURES = {"astronaut": astronaut, "camera": camera, "cell": cell, "moon": moon}


def jpeg_info(quality):
    return JPEGInfo.from_quality(quality, height=128, width=160)


def cut(name):
    return PICTURES[name]()[100:228, 150:310]


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    """Recipes that train in a second, in place of those of the package."""
    for name, text in RECIPES.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("napari_deartifact.widgets.recipe_summary.RECIPES", tmp_path)
    monkeypatch.setattr("napari_deartifact.training.recipe.RECIPES", tmp_path)


def prepared(widget):
    widget.recipe.setCurrentText("tiny")
    widget.device.setCurrentText("cpu")
    widget.unit.setCurrentText("steps")
    return widget


def add_layers(viewer):
    viewer.add_image(cut("astronaut"), name="astronaut", rgb=True)
    viewer.add_image(np.stack([cut("camera"), cut("moon")]).astype(np.uint16) * 16, name="stack")


@pytest.fixture
def docked(recipes, viewer):
    """The Train widget in its dock in a real viewer, beside two clean layers, with nothing ticked."""
    add_layers(viewer)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
    return prepared(widget)


@pytest.fixture
def layers():
    """A list of layers that no window shows."""
    viewer = ViewerModel()
    add_layers(viewer)
    return viewer


@pytest.fixture
def train(recipes, layers, qtbot):
    """The Train widget by itself, for what needs no window around it."""
    widget = TrainWidget(layers)
    qtbot.addWidget(widget)
    widget.show()
    yield prepared(widget)
    widget.stop()
    assert QThreadPool.globalInstance().waitForDone(20_000)


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def begin(qtbot, widget, steps):
    """Start on both layers, and wait until it has trained."""
    widget.layers.layers = tuple(widget.layers._listed)
    widget.length.setValue(steps)
    click(qtbot, widget.start_button)
    qtbot.waitUntil(lambda: steps < ENDLESS or bool(widget.curve.loss.points), timeout=60_000)


def finish(qtbot, widget):
    qtbot.waitUntil(lambda: widget._worker is None, timeout=60_000)


LEAVING = """
import sys, time
from pathlib import Path
from qtpy.QtCore import QTimer
from skimage.data import camera
from napari_deartifact.training import recipe
from napari_deartifact.widgets import recipe_summary
recipe.RECIPES = recipe_summary.RECIPES = Path(sys.argv[1])

def start(viewer, widget):
    widget.recipe.setCurrentText("tiny")
    widget.device.setCurrentText("cpu")
    widget.layers.layers = (viewer.add_image(camera()[:128, :160]),)
    widget.start_button.click()
"""
LEAVES = {
    "the script ends": LEAVING
    + """
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
from napari_deartifact.widgets.train import TrainWidget
viewer = ViewerModel()
widget = TrainWidget(viewer)
start(viewer, widget)
while not widget.curve.loss.points:
    app.processEvents()
    time.sleep(0.01)
""",
    "the main window is closed": LEAVING
    + """
import napari
viewer = napari.Viewer()
_, widget = viewer.window.add_plugin_dock_widget("napari-deartifact", "Train")
start(viewer, widget)
timer = QTimer()
timer.timeout.connect(lambda: widget.curve.loss.points and viewer.window._qt_window.close())
timer.start(20)
napari.run()
""",
}


def pair_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pairs")]


def trained_steps(path):
    return read_card(path).recipe["run"]["steps"]


def names(choice):
    return [choice.itemText(index) for index in range(choice.count())]


def test_a_model_that_is_saved_elsewhere_is_offered_too(viewer, docked, qtbot, own_models, tmp_path):
    train = docked
    _, restore = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    chosen = restore.model.currentText()
    train.name.setText(str(tmp_path / "elsewhere"))
    begin(qtbot, train, 3)
    finish(qtbot, train)
    assert train.status.text() == "Done: elsewhere is in the list of models."
    begin(qtbot, train, 6)  # a second run on the same file
    finish(qtbot, train)
    _, later = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    for model in (restore.model, later.model):
        assert names(model).count("elsewhere (elsewhere.safetensors)") == 1
    assert "elsewhere" in names(train.start_from)
    assert restore.model.currentText() == chosen
    restore.model.setCurrentText("elsewhere (elsewhere.safetensors)")
    assert restore.model.argument == tmp_path / "elsewhere.safetensors"


def test_a_training_runs_to_its_end(viewer, docked, qtbot, notes, own_models):
    train = docked
    _, restore = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    assert train.name.text() == "my-tiny"
    assert train.features.isHidden()
    begin(qtbot, train, 120)
    finish(qtbot, train)
    assert notes() == []
    assert train.status.text() == "Done: my-tiny is in the list of models."
    path = own_models / "my-tiny.safetensors"
    assert trained_steps(path) == 120
    assert {entry["name"] for entry in read_card(path).data} == {"astronaut", "stack"}
    assert train.live.text().startswith("step 120, ")
    assert "gain " in train.live.text()
    assert [step for step, _ in train.curve.gain.points] == [1, 120]
    assert train.crops.rows == 1
    assert not train.progress.isVisible()
    assert [model.name for model in list_models()][-2] == "my-tiny"
    restore.model.setCurrentText("my-tiny")
    assert restore.model.argument == "my-tiny"
    assert load_model("my-tiny", "cpu").name == "my-tiny"
    restore.model.refresh()
    assert names(restore.model).count("my-tiny") == 1
    assert "my-tiny" in names(train.start_from)


def test_save_pause_resume_and_stop(train, qtbot, own_models):
    models = ModelChoice()
    qtbot.addWidget(models)
    begin(qtbot, train, ENDLESS)
    path = own_models / "my-tiny.safetensors"
    assert pair_threads()
    assert "my-tiny" not in names(models)

    click(qtbot, train.save_button)
    qtbot.waitUntil(lambda: "my-tiny" in names(models), timeout=20_000)
    assert train.status.text().startswith("Saved my-tiny.safetensors at step ")
    assert train.stop_button.isEnabled()

    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: train.live.text().startswith("Paused at step"), timeout=20_000)
    paused = int(train.live.text().split()[3].rstrip(";").replace(",", ""))
    assert trained_steps(path) == paused
    assert pair_threads() == []
    points = len(train.curve.loss.points)
    qtbot.wait(300)
    assert len(train.curve.loss.points) == points
    assert train.pause_button.text() == "Resume"

    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: len(train.curve.loss.points) > points, timeout=20_000)
    assert train.pause_button.text() == "Pause"

    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: train.live.text().startswith("Paused"), timeout=20_000)
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    assert train.status.text() == "Stopped; my-tiny is saved as it is, and Start goes on."
    assert train.pause_button.text() == "Pause"
    assert trained_steps(path) > paused


def test_a_stopped_training_goes_on(train, qtbot, own_models):
    begin(qtbot, train, ENDLESS)
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    path = own_models / "my-tiny.safetensors"
    stopped = trained_steps(path)
    begin(qtbot, train, stopped + 5)
    finish(qtbot, train)
    assert trained_steps(path) == stopped + 5
    steps = [step for step, _ in train.curve.loss.points]
    assert steps[0] <= stopped < steps[-1] <= stopped + 5
    begin(qtbot, train, stopped + 5)
    finish(qtbot, train)
    assert train.status.text() == AT_ITS_END


def test_a_full_disk_is_told(train, qtbot, monkeypatch, notes):
    from napari_deartifact.training.session import TrainingRun

    def fail(run):
        raise OSError(28, "No space left on device")

    begin(qtbot, train, ENDLESS)
    monkeypatch.setattr(TrainingRun, "save", fail)
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    assert "No space left on device" in train.status.text()
    assert len(notes()) == 1


def test_closing_in_the_middle_loses_nothing(viewer, docked, qtbot, own_models):
    train = docked
    begin(qtbot, train, ENDLESS)
    worker = train._worker
    viewer.window.remove_dock_widget(train.parent())
    qtbot.waitUntil(lambda: train._worker is None, timeout=20_000)
    assert not worker.is_running
    path = own_models / "my-tiny.safetensors"
    read_model(path)
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
    again.recipe.setCurrentText("other")
    again.recipe.setCurrentText("tiny")
    assert again.name.text() == "my-tiny"  # which is not finished
    again.layers.layers = tuple(again.layers._listed)
    assert again.status.text() == CONTINUED
    again.unit.setCurrentText("steps")
    begin(qtbot, again, trained_steps(path) + 3)
    finish(qtbot, again)
    assert again.status.text().startswith("Done")
    again.recipe.setCurrentText("other")
    again.recipe.setCurrentText("tiny")
    assert again.name.text() == "my-tiny-2"


@pytest.mark.parametrize("leave", LEAVES)
def test_leaving_in_the_middle_loses_nothing(recipes, tmp_path, own_models, leave):
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LEAVES[leave], str(tmp_path)],
        env={**os.environ, "NAPARI_CONFIG": str(tmp_path / "settings.yaml")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    endings = ("checkpoint", "csv", "png", "safetensors")
    assert sorted(path.name for path in own_models.iterdir()) == [f"my-tiny.{ending}" for ending in endings]
    steps = trained_steps(own_models / "my-tiny.safetensors")
    assert steps > 0
    assert torch.load(own_models / "my-tiny.checkpoint", weights_only=True)["clock"]["step"] == steps
    assert int(list(table_rows(own_models / "my-tiny.csv"))[-1]["step"]) == steps


def test_fine_tuning_offers_the_models_that_fit(train, qtbot, own_models, tmp_path):
    assert names(train.start_from) == ["new weights"]
    own_models.mkdir()
    arguments = {"widths": [8], "dilations": [1, 1], "channels": 3}
    torch.manual_seed(0)
    save_model(
        own_models / "base.safetensors",
        build("compact-cnn", arguments),
        ModelCard("base", "compact-cnn", arguments),
    )
    train.recipe.setCurrentText("other")
    assert names(train.start_from) == ["new weights"]
    train.recipe.setCurrentText("tiny")
    assert names(train.start_from) == ["new weights", "base"]
    assert train.start_from.currentText() == "base"
    begin(qtbot, train, 2)
    finish(qtbot, train)
    assert read_card(own_models / "my-tiny.safetensors").recipe["run"]["init"] == "base.safetensors"


def test_a_folder_in_which_some_pictures_were_jpegs(train, qtbot, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("camera", "cell"):
        Image.fromarray(cut(name)).save(folder / f"{name}.png")
    Image.fromarray(cut("moon")).save(folder / "moon.jpg", quality=30)
    train.folder.setText(str(folder))
    train.length.setValue(2)
    click(qtbot, train.start_button)
    finish(qtbot, train)
    assert train.status.text() == (
        "Done: my-tiny is in the list of models. 1 left out as compressed with loss before, such as "
        "moon.jpg: it is stored as JPEG of quality 30."
    )


def test_a_folder_of_nothing_but_jpegs_is_refused(train, qtbot, tmp_path, notes, own_models):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(jpeg_round_trip(camera(), 40)).save(folder / "camera.png")
    train.folder.setText(str(folder))
    click(qtbot, train.start_button)
    finish(qtbot, train)
    assert "were compressed with loss before" in train.status.text()
    assert "camera.png" in train.status.text()
    assert len(notes()) == 1
    assert list(own_models.glob("*")) == []
    assert train.start_button.isEnabled()


@pytest.fixture
def weights(tmp_path):
    """A file of features, untrained."""
    torch.manual_seed(0)
    stack = torch.nn.Sequential(*(module for _, module in SQUEEZENET_CAFFE.build()))
    path = tmp_path / "squeezenet.npz"
    np.savez(path, **{f"features.{name}": value.numpy() for name, value in stack.state_dict().items()})
    return path


def test_features_are_asked_for_where_a_recipe_compares_them(train, qtbot, own_models, weights, monkeypatch):
    label = train.form.labelForField(train.features)
    assert (train.features.isVisible(), label.isVisible()) == (False, False)
    monkeypatch.setattr(train_inputs, "find_spec", lambda name: None)
    train.layers.layers = tuple(train.layers._listed)
    train.recipe.setCurrentText("comparing")
    assert (train.features.isVisible(), label.isVisible()) == (True, True)
    assert "or pip install 'napari-deartifact[perceptual]' for torchvision's vgg19." in train.status.text()
    assert not train.start_button.isEnabled()
    train.features.setText(str(weights))
    begin(qtbot, train, 2)
    finish(qtbot, train)
    assert (
        read_card(own_models / "my-comparing.safetensors").recipe["run"]["features"] == SQUEEZENET_CAFFE.name
    )
    train.recipe.setCurrentText("tiny")
    assert not train.features.isVisible()
    assert train.inputs().options()["features"] is None


@pytest.mark.parametrize(
    ("needs", "named", "installed", "given", "message"),
    [
        (False, "", False, "", None),
        (True, "vgg19", True, "", None),
        (True, "vgg19", False, "", "choose a file of its weights as Features, or pip install"),
        (True, "", True, "", "choose a file of its weights as Features."),
        (True, "", False, "weights", None),
        (True, "weights", False, "", None),
        (True, "vgg19", True, "/no/such.npz", "There is no file /no/such.npz"),
    ],
)
def test_where_features_come_from(layers, weights, monkeypatch, needs, named, installed, given, message):
    monkeypatch.setattr(train_inputs, "find_spec", lambda name: installed or None)
    file = {"weights": str(weights)}
    recipe = RecipeSummary("mine", "mine", needs_features=needs, features=file.get(named, named))
    inputs = TrainInputs((layers.layers[0],), "", recipe, model_path("mine"), features=file.get(given, given))
    error = inputs.validation_error()
    assert error is None if message is None else message in error


def test_summaries_say_what_recipes_say():
    assert [summary.name for summary in read_summaries()] == list_recipes()
    for summary in read_summaries():
        recipe = read_recipe(summary.source)
        named = "" if recipe.features is None else recipe.features.network
        assert (summary.needs_features, summary.features) == (recipe.needs_features, named)
        network = build(recipe.generator.architecture, recipe.generator.arguments)
        assert summary.can_start_from(network.architecture, network.arguments)
        smaller = {"luma": {"widths": [8], "blocks": [1]}, "chroma": {}}
        assert "luma" not in network.arguments or not summary.can_start_from(network.architecture, smaller)


def open_recipe(qtbot, train, monkeypatch, path):
    """Take the last line of the list, and a file in the dialog that it opens."""
    monkeypatch.setattr(recipe_choice.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    train.recipe.setCurrentIndex(train.recipe.count() - 1)
    train.recipe.activated.emit(train.recipe.count() - 1)
    qtbot.waitUntil(train.recipe.isEnabled, timeout=20_000)


def test_a_recipe_of_ones_own(train, qtbot, monkeypatch, tmp_path, own_models, notes):
    own = tmp_path / "own" / "mine.toml"
    own.parent.mkdir()
    own.write_text(TINY, encoding="utf-8")
    before = names(train.recipe)
    train.name.setText("typed")
    open_recipe(qtbot, train, monkeypatch, "")
    assert (train.recipe.currentText(), train.name.text()) == ("tiny", "typed")
    for description in ("first", "second"):
        own.write_text(TINY.replace("For tests", description), encoding="utf-8")
        open_recipe(qtbot, train, monkeypatch, own)
        assert train.recipe.recipe.description == f"{description}."
    assert names(train.recipe) == [*before[:-1], "mine.toml", before[-1]]
    assert train.name.text() == "my-mine"
    begin(qtbot, train, 2)
    finish(qtbot, train)
    assert read_card(own_models / "my-mine.safetensors").recipe["description"] == "second."

    own.write_text(TINY.replace("l1", "l3"), encoding="utf-8")
    open_recipe(qtbot, train, monkeypatch, own)
    assert "losses" in notes()[-1]
    assert "'l3'" in notes()[-1]
    assert train.recipe.recipe.description == "second."


BAD = {
    "nothing": ({}, NO_IMAGES),
    "no folder": ({"folder": "/no/such"}, "There is no folder /no/such"),
    "no name": ({"output": ""}, "Give the model a name."),
    "a name that is taken": ({"output": "general"}, "a model that ships"),
    "the name of a method": ({"output": "spp"}, "a model that ships"),
    "no folder to write to": ({"output": "/no/such/mine"}, "Nothing can be written to the folder /no/such"),
    "a model without a checkpoint": ({"output": "there"}, "there.safetensors exists"),
    "a JPEG": (
        {"metadata": {"jpeg": JPEGInfo.from_quality(60, height=128, width=160)}},
        "JPEG of quality 60",
    ),
    "an answer": ({"metadata": {"deartifact": {}}}, "was restored by Deartifact"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_inputs_are_said(layers, train, own_models, case):
    bad, message = BAD[case]
    own_models.mkdir()
    (own_models / "there.safetensors").touch()
    if case not in ("nothing", "no folder"):
        layer = layers.add_image(cut("camera"), name="mine", metadata=bad.get("metadata", {}))
        train.layers.layers = (layer,)
    if "output" in bad:
        train.name.setText(bad["output"])
    train.folder.setText(bad.get("folder", ""))
    assert message in train.status.text()
    assert not train.start_button.isEnabled()


def test_good_inputs_have_no_error(layers, train):
    layer = layers.add_image(cut("cell"), metadata={"jpeg": jpeg_info(97)})
    train.layers.layers = (layer,)
    assert train.inputs().validation_error() is None
    assert train.start_button.isEnabled()
    assert not train.status.isVisible()


def test_ticks_follow_the_viewer(layers, train):
    first = layers.layers[0]
    train.layers.layers = (first,)
    layers.add_labels(np.zeros((4, 4), int))
    first.name = "renamed"
    assert names_of(train.layers) == ["renamed", "stack"]
    assert train.layers.layers == (first,)
    layers.layers.remove(first)
    assert train.layers.layers == ()
    assert train.status.text() == NO_IMAGES


def names_of(layers):
    return [layers.item(row).text() for row in range(layers.count())]


def test_new_weights_are_called_what_the_training_calls_them():
    assert train_inputs.NEW_WEIGHTS == NEW_WEIGHTS


def test_inputs_become_the_arguments_of_a_training():
    recipe = RecipeSummary("tiny", "tiny")
    inputs = TrainInputs((), "here", recipe, model_path("mine"), None, 2.5, None, "cpu")
    assert inputs.options() == {
        "recipe": "tiny", "output": model_path("mine"), "init": NEW_WEIGHTS, "minutes": 2.5,
        "steps": None, "device": "cpu", "features": None,
    }  # fmt: skip


def test_the_model_that_a_recipe_fine_tunes_is_offered_first(train, own_models, recipes):
    own_models.mkdir()
    arguments = {"widths": [8], "dilations": [1, 1], "channels": 3}
    for name in ("another", "base"):
        model = build("compact-cnn", arguments)
        save_model(own_models / f"{name}.safetensors", model, ModelCard(name, "compact-cnn", arguments))
    train.recipe.setCurrentText("tuning")
    assert names(train.start_from) == ["new weights", "another", "base"]
    assert train.start_from.currentText() == "base"


def test_a_long_curve_keeps_its_shape():
    curve = Curve(most=100)
    for step in range(12_345):
        curve.add(step, step % 2 + step / 12_345)
    steps, values = np.transpose(curve.points)
    assert 25 < len(curve.points) <= 100
    assert (np.diff(steps) > 0).all()
    np.testing.assert_allclose(values, 0.5 + steps / 12_345, atol=0.01)
    assert steps[-1] > 12_000


def test_the_past_ends_at_the_checkpoint(tmp_path):
    def row(step, phase, player="generator", gains=""):
        entries = {"step": step, "phase": phase, "player": player, "loss": 10 * step, "gain_q10": gains}
        return ",".join(str(entries.get(column, "")) for column in COLUMNS)

    table = tmp_path / "mine.csv"
    lines = [row(1, 0, gains=0.5), row(2, 1, "discriminator"), *(row(step, 1) for step in range(3, 1000))]
    lines += [row(1000, 1, gains=2.5), row(1001, 1, gains=9), "1002,1,gen"]
    table.write_text("\n".join([",".join(COLUMNS), *lines]), encoding="utf-8")
    past = read_past(table, 1000, 1)
    assert past.gain == [(1, 0.5), (1000, 2.5)]
    steps, losses = np.transpose(past.loss)
    assert len(steps) == MOST_LOSSES
    assert 3 <= steps[0] < steps[-1] <= 1000
    np.testing.assert_allclose(losses, 10 * steps)
    assert read_past(table, 0, 0) == read_past(tmp_path / "none.csv", 7, 0) == Past([], [])


class PausedAfterTwoSteps:
    """What the buttons want, by how often it was asked: after each step, and after each pause."""

    save = False

    def __init__(self):
        self.asked = 0

    @property
    def paused(self):
        self.asked += 1
        return self.asked in (2, 3)


def test_a_pause_in_the_last_step_takes_the_best_weights_back(recipes, tmp_path, monkeypatch):
    left = []
    monkeypatch.setattr(Trainer, "_leave_phase", lambda self: left.append(self.step))
    options = {"recipe": "tiny", "output": tmp_path / "own.safetensors", "steps": 2, "device": "cpu"}
    control = PausedAfterTwoSteps()
    news = list(
        training_steps([LayerPictures("camera", camera()[:96, :96], False, None)], "", options, control)
    )
    assert any(entry.paused for entry in news)
    assert left == [2]
