"""The Train widget: real trainings of a tiny network, with real clicks in a real viewer."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from qtpy.QtCore import Qt
from skimage.data import astronaut, camera, cell, moon

from napari_deartifact import JPEGInfo
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.generators import build
from napari_deartifact.models.model_file import ModelCard, read_card, read_model, save_model
from napari_deartifact.models.registry import list_models, load_model
from napari_deartifact.training.data_history import CLEAN_QUALITY
from napari_deartifact.widgets import train_inputs
from napari_deartifact.widgets.train import AT_ITS_END, CONTINUED
from napari_deartifact.widgets.train_inputs import NO_IMAGES, TrainInputs, model_path
from napari_deartifact.widgets.training_curve import Curve

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
PICTURES = {"astronaut": astronaut, "camera": camera, "cell": cell, "moon": moon}


def jpeg_info(quality):
    return JPEGInfo.from_quality(quality, height=128, width=160)


def cut(name):
    return PICTURES[name]()[100:228, 150:310]


@pytest.fixture(autouse=True)
def recipes(tmp_path, monkeypatch):
    """Two recipes that train in a second, in place of those of the package."""
    for name, text in (("tiny", TINY), ("other", OTHER)):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("napari_deartifact.widgets.recipe_choice.RECIPES", tmp_path)
    monkeypatch.setattr("napari_deartifact.training.recipe.RECIPES", tmp_path)


@pytest.fixture
def train(viewer):
    """The Train widget in its dock, beside two clean layers, with nothing ticked."""
    viewer.add_image(cut("astronaut"), name="astronaut", rgb=True)
    viewer.add_image(np.stack([cut("camera"), cut("moon")]).astype(np.uint16) * 16, name="stack")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
    widget.recipe.setCurrentText("tiny")
    widget.device.setCurrentText("cpu")
    widget.unit.setCurrentText("steps")
    return widget


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
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari.components import ViewerModel
from napari_deartifact.training import recipe
from napari_deartifact.widgets import recipe_choice
from pathlib import Path
from skimage.data import camera
recipe.RECIPES = recipe_choice.RECIPES = Path(sys.argv[1])
from napari_deartifact.widgets.train import TrainWidget
viewer = ViewerModel()
layer = viewer.add_image(camera()[:128, :160])
widget = TrainWidget(viewer)
widget.recipe.setCurrentText("tiny")
widget.device.setCurrentText("cpu")
widget.layers.layers = (layer,)
widget.start_button.click()
while not widget.curve.loss.points:
    app.processEvents()
    time.sleep(0.01)
"""


def trained_steps(path):
    return read_card(path).recipe["run"]["steps"]


def names(choice):
    return [choice.itemText(index) for index in range(choice.count())]


def test_a_training_runs_to_its_end(viewer, train, qtbot, notes, own_models):
    _, restore = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    assert train.name.text() == "my-tiny"
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


def test_pause_holds_no_core_and_resume_goes_on(train, qtbot, own_models):
    begin(qtbot, train, ENDLESS)
    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: train.live.text().startswith("Paused at step"), timeout=20_000)
    paused = int(train.live.text().split()[3].rstrip(";").replace(",", ""))
    assert trained_steps(own_models / "my-tiny.safetensors") == paused
    assert not [thread for thread in threading.enumerate() if thread.name == "pairs"]
    points = len(train.curve.loss.points)
    qtbot.wait(500)
    assert len(train.curve.loss.points) == points
    assert train.pause_button.text() == "Resume"
    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: len(train.curve.loss.points) > points, timeout=20_000)
    assert train.pause_button.text() == "Pause"
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    assert trained_steps(own_models / "my-tiny.safetensors") > paused


def test_a_paused_training_can_be_stopped(train, qtbot, own_models):
    begin(qtbot, train, ENDLESS)
    click(qtbot, train.pause_button)
    qtbot.waitUntil(lambda: train.live.text().startswith("Paused"), timeout=20_000)
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    assert train.status.text() == "Stopped; my-tiny is saved as it is, and Start goes on."
    assert train.pause_button.text() == "Pause"


def test_save_now_lists_the_model_while_training_goes_on(viewer, train, qtbot):
    _, restore = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    begin(qtbot, train, ENDLESS)
    assert "my-tiny" not in names(restore.model)
    click(qtbot, train.save_button)
    qtbot.waitUntil(lambda: "my-tiny" in names(restore.model), timeout=20_000)
    assert train.status.text().startswith("Saved my-tiny.safetensors at step ")
    assert train.stop_button.isEnabled()
    click(qtbot, train.stop_button)
    finish(qtbot, train)


def test_a_stopped_training_goes_on(train, qtbot, own_models):
    begin(qtbot, train, ENDLESS)
    click(qtbot, train.stop_button)
    finish(qtbot, train)
    path = own_models / "my-tiny.safetensors"
    stopped = trained_steps(path)
    begin(qtbot, train, stopped + 5)
    finish(qtbot, train)
    assert trained_steps(path) == stopped + 5
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


def test_closing_in_the_middle_loses_nothing(viewer, train, qtbot, own_models):
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


def test_leaving_the_program_in_the_middle_loses_nothing(tmp_path, own_models):
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LEAVING, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr
    assert trained_steps(own_models / "my-tiny.safetensors") > 0
    assert (own_models / "my-tiny.checkpoint").is_file()


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
def test_bad_inputs_are_said(viewer, train, own_models, case):
    bad, message = BAD[case]
    own_models.mkdir()
    (own_models / "there.safetensors").touch()
    if case not in ("nothing", "no folder"):
        layer = viewer.add_image(cut("camera"), name="mine", metadata=bad.get("metadata", {}))
        train.layers.layers = (layer,)
    if "output" in bad:
        train.name.setText(bad["output"])
    train.folder.setText(bad.get("folder", ""))
    assert message in train.status.text()
    assert not train.start_button.isEnabled()


def test_good_inputs_have_no_error(viewer, train):
    layer = viewer.add_image(cut("cell"), metadata={"jpeg": jpeg_info(97)})
    train.layers.layers = (layer,)
    assert train.inputs().validation_error() is None
    assert train.start_button.isEnabled()
    assert not train.status.isVisible()


def test_ticks_follow_the_viewer(viewer, train):
    first = viewer.layers[0]
    train.layers.layers = (first,)
    viewer.add_labels(np.zeros((4, 4), int))
    first.name = "renamed"
    assert names_of(train.layers) == ["renamed", "stack"]
    assert train.layers.layers == (first,)
    viewer.layers.remove(first)
    assert train.layers.layers == ()
    assert train.status.text() == NO_IMAGES


def names_of(layers):
    return [layers.item(row).text() for row in range(layers.count())]


def test_the_quality_that_passes_is_that_of_the_training():
    assert train_inputs.CLEAN_QUALITY == CLEAN_QUALITY


def test_inputs_become_the_arguments_of_a_training():
    inputs = TrainInputs((), "here", "tiny", model_path("mine"), None, 2.5, None, "cpu")
    assert inputs.options() == {
        "recipe": "tiny", "output": model_path("mine"), "init": None, "minutes": 2.5, "steps": None,
        "device": "cpu",
    }  # fmt: skip


def test_a_long_curve_keeps_its_shape():
    curve = Curve(most=100)
    for step in range(12_345):
        curve.add(step, step % 2 + step / 12_345)
    steps, values = np.transpose(curve.points)
    assert 25 < len(curve.points) <= 100
    assert (np.diff(steps) > 0).all()
    np.testing.assert_allclose(values, 0.5 + steps / 12_345, atol=0.01)
    assert steps[-1] > 12_000
