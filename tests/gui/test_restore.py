"""The Restore widget, with real clicks in a real viewer."""

from __future__ import annotations

import json
import re
import shutil
import threading

import dask.array as da
import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from skimage.data import astronaut, camera

from napari_deartifact import deartifact, restore_with_uncertainty
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.widgets.model_choice import model_news
from napari_deartifact.widgets.report import report_on_restored
from napari_deartifact.widgets.restore import EXAMINING, INVENTED, LOADING, REMOVED, SAME, UNCHANGED
from napari_deartifact.widgets.restore_inputs import NO_LAYER, RestoreInputs, parse_range
from napari_deartifact.widgets.script import restoration_script

GREY = jpeg_round_trip(camera()[100:164, 200:272], 10)  # what was no JPEG comes back unchanged
CAMERA = jpeg_round_trip(camera()[:128, :128], 10)
COLOR = jpeg_round_trip(astronaut()[100:164, 200:272], 10)
STACK = np.stack([GREY, GREY[::-1], GREY[:, ::-1]]).astype(np.uint16) * 16

LAYERS = {
    "grey": (GREY, {"colormap": "magenta", "gamma": 0.8, "blending": "additive", "opacity": 0.6}),
    "rgb": (COLOR, {"rgb": True, "rotate": 30, "translate": (5, -3)}),
    "rgba": (np.dstack([COLOR, GREY]), {"rgb": True}),
    "stack with units": (
        STACK,
        {
            "scale": (0.5, 0.1, 0.1),
            "units": ("um", "nm", "nm"),
            "axis_labels": ("z", "y", "x"),
            "contrast_limits": (100, 3000),
        },
    ),
    "sheared": (GREY, {"shear": [0.2], "affine": [[1, 0.1, 4], [0, 1, 5], [0, 0, 1]]}),
    "floats": (GREY / np.float32(255), {"metadata": {"dose": 3}}),
    "four pixels wide": (STACK[..., :4], {}),
    "multiscale": ([GREY, GREY[::2, ::2]], {"multiscale": True, "scale": (2, 2)}),
    "dask": (da.from_array(STACK, chunks=(1, 32, 32)), {"contrast_limits": (0, 4000)}),
    "dask pyramid": (
        [da.from_array(GREY, chunks=32), da.from_array(GREY[::2, ::2], chunks=32)],
        {"multiscale": True},
    ),
}
JPEG_PYRAMID = (
    [da.from_array(level.astype(np.uint16), chunks=32) for level in (GREY, GREY[::2, ::2])],
    {"multiscale": True, "metadata": {"jpeg": JPEGInfo.from_quality(10, height=64, width=72)}},
)
OPTIONS = {
    "rgb": {"channel_axis": -1},
    "rgba": {"channel_axis": -1},
    "four pixels wide": {"channel_axis": 0, "rgb": False},
    "dask": {"data_range": 4095},
}
KEPT = [
    "scale",
    "translate",
    "rotate",
    "shear",
    "units",
    "axis_labels",
    "contrast_limits",
    "contrast_limits_range",
    "gamma",
    "blending",
    "opacity",
    "rgb",
    "interpolation2d",
    "rendering",
    "projection_mode",
]


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def run(qtbot, widget):
    click(qtbot, widget.run_button)
    qtbot.waitUntil(lambda: widget.run_button.isEnabled(), timeout=20_000)


@pytest.mark.parametrize("case", LAYERS)
def test_run_adds_a_layer_like_the_first(case, viewer, restore, qtbot, model_file, notes):
    data, attributes = LAYERS[case]
    source = viewer.add_image(data, name="picture", **attributes)
    before = source.as_layer_data_tuple()[1] | {"visible": source.blending != "additive"}
    restore.force.setChecked(True)
    run(qtbot, restore)
    assert notes() == []
    assert [layer.name for layer in viewer.layers] == ["picture", "picture restored (tiny)"]
    restored = viewer.layers[1]
    for attribute in KEPT:
        np.testing.assert_array_equal(getattr(restored, attribute), getattr(source, attribute), attribute)
    assert restored.colormap.name == source.colormap.name
    np.testing.assert_array_equal(restored.affine.affine_matrix, source.affine.affine_matrix)
    assert source.metadata.items() <= restored.metadata.items()
    assert str(source.as_layer_data_tuple()[1]) == str(before)

    pyramid = case == "dask pyramid"
    assert restored.multiscale == pyramid
    pairs = (
        zip(data, restored.data, strict=True)
        if pyramid
        else [(data[0] if case == "multiscale" else data, restored.data)]
    )
    for original, answer in pairs:
        assert type(answer) is type(original)
        expected = deartifact(original, model_file, force=True, device="cpu", **OPTIONS.get(case, {}))
        assert answer.dtype == original.dtype
        np.testing.assert_array_equal(answer, expected)
        assert not np.array_equal(np.asarray(answer), np.asarray(original))


def test_another_answer_lies_on_top(viewer, restore, qtbot):
    viewer.add_image(GREY, name="picture")
    viewer.add_image(GREY[:64, :64], name="other")
    restore.layer.layer = viewer.layers["picture"]
    restore.force.setChecked(True)
    restore.uncertainty.setChecked(True)
    run(qtbot, restore)
    restore.uncertainty.setChecked(False)
    run(qtbot, restore)
    assert [layer.name for layer in viewer.layers] == [
        "picture",
        "picture restored (tiny)",
        "picture standard error",
        "picture restored (tiny) [1]",
        "other",
    ]
    assert all(layer.visible for layer in viewer.layers)


def test_what_would_be_added_up_is_hidden(viewer, restore, qtbot):
    source = viewer.add_image(GREY, name="picture", blending="additive")
    viewer.add_image(GREY, name="other", blending="additive")
    restore.layer.layer = source
    restore.force.setChecked(True)
    run(qtbot, restore)
    viewer.layers.move(1, 3)  # the answer above the other
    run(qtbot, restore)
    shown = {layer.name: layer.visible for layer in viewer.layers}
    assert shown == {
        "picture": False,
        "other": True,
        "picture restored (tiny)": False,
        "picture restored (tiny) [1]": True,
    }
    assert viewer.layers[-1].visible
    assert "is hidden" in restore.status.text()


def test_a_tile_that_is_too_small_is_refused_before_the_work(viewer, restore):
    viewer.add_image(STACK, name="stack")
    restore.tile_size.setValue(5)
    assert not restore.run_button.isEnabled()
    assert "Tile size is 5; expected" in restore.status.text()
    restore.tile_size.setValue(8)
    assert restore.run_button.isEnabled()


def test_provenance_is_json(viewer, restore, qtbot):
    source = viewer.add_image(STACK, name="stack")
    restore.strength.setValue(0.5)
    restore.tile_size.setValue(64)
    restore.data_range.setText("0 4095")
    run(qtbot, restore)
    record = json.loads(json.dumps(viewer.layers[-1].metadata["deartifact"]))
    assert record.pop("version")
    assert record == {
        "program": "napari-deartifact",
        "source": "stack",
        "source_id": str(source.unique_id),
        "model": "tiny",
        "strength": 0.5,
        "perceptual": 0.0,
        "tile_size": 64,
        "device": "cpu",
        "data_range": [0, 4095],
        "jpeg_quality": None,
    }


@pytest.fixture
def with_twin(restore, pair):
    """The Restore widget with a model chosen that has a perceptual twin."""
    restore.model.refresh()
    restore.model.setCurrentText("pair")
    return restore


def test_a_perceptual_answer_says_so(viewer, with_twin, qtbot, monkeypatch):
    viewer.add_image(GREY, name="picture")
    with_twin.perceptual.setValue(0.5)
    run(qtbot, with_twin)
    layer = viewer.layers[1]
    np.testing.assert_array_equal(layer.data, deartifact(GREY, "pair", perceptual=0.5, device="cpu"))
    assert layer.name == "picture restored (pair, perceptual 0.5)"
    provenance = layer.metadata["deartifact"]
    assert (provenance["model"], provenance["perceptual"]) == ("pair, perceptual 0.5", 0.5)
    assert dict(report_on_restored(provenance).facts)["Perceptual"] == "0.5"
    click(qtbot, with_twin.copy_button)
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    names: dict[str, object] = {}
    exec(QApplication.clipboard().text(), names)  # noqa: S102
    np.testing.assert_array_equal(names["restored"], layer.data)


def test_a_twin_by_its_own_name_is_recorded_as_such(viewer, with_twin, qtbot):
    viewer.add_image(GREY)
    with_twin.model.setCurrentText("pair-perceptual")
    run(qtbot, with_twin)
    layer = viewer.layers[1]
    np.testing.assert_array_equal(layer.data, deartifact(GREY, "pair", perceptual=1, device="cpu"))
    provenance = layer.metadata["deartifact"]
    assert (provenance["model"], provenance["perceptual"]) == ("pair-perceptual", 1)
    assert dict(report_on_restored(provenance).facts)["Perceptual"] == "1"


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        ("compact-cnn", 0, r"compact-cnn has no perceptual twin; [^/:]*pair have one"),
        ("spp", 0, r"spp has no perceptual twin; [^/:]*pair have one"),
        (
            "alone",
            0,
            r"alone has no perceptual twin: there is no file alone-perceptual\.safetensors beside",
        ),
        ("pair-perceptual", 1, "pair-perceptual is the perceptual twin of pair; choose pair to"),
    ],
)
def test_the_slider_moves_where_there_is_a_twin(
    viewer, with_twin, own_models, save_tiny, name, shown, reason
):
    save_tiny(own_models / "alone.safetensors")
    model_news().announce(own_models / "alone.safetensors")
    viewer.add_image(GREY)
    assert with_twin.perceptual.isEnabled()
    assert "detail may be invented" in with_twin.perceptual.toolTip()
    with_twin.perceptual.setValue(0.7)
    assert with_twin.inputs().options()["perceptual"] == 0.7
    with_twin.model.setCurrentText(name)
    assert not with_twin.perceptual.isEnabled()
    assert re.match(reason, with_twin.perceptual.toolTip())
    assert with_twin.perceptual.value() == shown
    assert with_twin.inputs().options()["perceptual"] == 0
    with_twin.model.setCurrentText("pair")
    assert with_twin.perceptual.isEnabled()
    assert with_twin.perceptual.value() == 0


def test_a_twin_by_its_own_name_has_no_uncertainty_map(viewer, with_twin):
    viewer.add_image(GREY)
    with_twin.model.setCurrentText("pair-perceptual")
    assert with_twin.run_button.isEnabled()
    with_twin.uncertainty.setChecked(True)
    assert not with_twin.run_button.isEnabled()
    assert "choose pair, or clear the box" in with_twin.status.text()
    with_twin.model.setCurrentText("pair")
    assert with_twin.run_button.isEnabled()


def test_invented_texture_is_warned_of_in_sight(viewer, with_twin):
    viewer.add_image(GREY)
    assert INVENTED not in with_twin.history.text()
    with_twin.perceptual.setValue(0.05)
    assert not with_twin.history.isHidden()
    assert with_twin.history.text() == f"No JPEG file is known for this layer.\n{INVENTED}"
    with_twin.perceptual.setValue(0)
    assert INVENTED not in with_twin.history.text()
    with_twin.model.setCurrentText("pair-perceptual")
    assert INVENTED in with_twin.history.text()
    with_twin.model.setCurrentText("spp")
    assert INVENTED not in with_twin.history.text()


def test_a_twin_may_come_later(restore, own_models, save_tiny):
    save_tiny(own_models / "late.safetensors")
    model_news().announce(own_models / "late.safetensors")
    restore.model.setCurrentText("late")
    assert not restore.perceptual.isEnabled()
    save_tiny(own_models / "late-perceptual.safetensors", 1)
    model_news().announce(own_models / "late-perceptual.safetensors")
    assert restore.perceptual.isEnabled()


def test_a_twin_of_another_architecture_is_reported_by_the_worker(
    viewer, with_twin, qtbot, notes, pair, save_tiny
):
    save_tiny(pair.with_name("pair-perceptual.safetensors"), arguments={"widths": [5], "dilations": [1, 1]})
    viewer.add_image(GREY)
    with_twin.perceptual.setValue(1)
    run(qtbot, with_twin)
    assert len(notes()) == 1
    assert "only models of one architecture" in notes()[0]
    assert len(viewer.layers) == 1
    assert_idle(with_twin)


def test_classical_method_on_a_jpeg(viewer, restore, qtbot, notes):
    (source,) = viewer.open_sample("napari-deartifact", "camera")
    restore.model.setCurrentText("spp")
    run(qtbot, restore)
    assert notes() == []
    restored = viewer.layers[1]
    assert restored.metadata["deartifact"]["jpeg_quality"] == 10
    jpeg = source.metadata["jpeg"]
    np.testing.assert_array_equal(restored.data, deartifact(source.data, "spp", jpeg=jpeg, device="cpu"))
    assert psnr(restored.data, camera()) > psnr(source.data, camera()) + 0.3


def psnr(image, reference):
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - reference) ** 2))


def test_a_clean_picture_is_left_alone_unless_forced(viewer, restore, qtbot, notes):
    layer = viewer.add_image(camera()[:256, :256])
    run(qtbot, restore)
    assert len(notes()) == 1
    assert "no JPEG history" in notes()[0]
    assert f"by ticking '{restore.force.text()}'" in notes()[0]
    assert "force=" not in notes()[0]
    assert "no layer was added" in restore.status.text()
    assert list(viewer.layers) == [layer]
    restore.force.setChecked(True)
    run(qtbot, restore)
    assert not np.array_equal(viewer.layers[1].data, layer.data)


def test_an_answer_that_changes_nothing_is_told_as_such(viewer, restore, qtbot):
    layer = viewer.add_image(np.full((64, 64), 7, np.uint8))
    restore.model.setCurrentText("compact-cnn")
    restore.strength.setValue(0.05)  # a correction that rounds to none
    run(qtbot, restore)
    assert restore.status.text() == UNCHANGED
    restore.force.setChecked(True)
    run(qtbot, restore)
    assert restore.status.text() == SAME
    assert list(viewer.layers) == [layer]


def test_at_strength_zero_the_copy_that_was_asked_for_is_added(viewer, restore, qtbot):
    viewer.add_image(GREY)
    restore.strength.setValue(0)
    run(qtbot, restore)
    np.testing.assert_array_equal(viewer.layers[1].data, GREY)


def test_second_run_starts_from_the_original(viewer, restore, qtbot):
    viewer.add_image(GREY, name="picture")
    run(qtbot, restore)
    assert viewer.layers.selection.active == viewer.layers[1]
    run(qtbot, restore)
    assert [layer.name for layer in viewer.layers] == [
        "picture", "picture restored (tiny)", "picture restored (tiny) [1]",
    ]  # fmt: skip
    assert restore.layer.layer.name == "picture"


def test_layer_choice_follows_the_viewer(viewer, restore):
    assert restore.layer.layer is None
    assert not restore.run_button.isEnabled()
    assert restore.status.text() == NO_LAYER
    first = viewer.add_image(GREY, name="first")
    viewer.add_labels(GREY.astype(int))
    second = viewer.add_image(GREY, name="second")
    assert restore.layer.layer == second
    assert [restore.layer.itemText(index) for index in range(restore.layer.count())] == ["first", "second"]
    viewer.layers.selection.active = first
    assert restore.layer.layer == first
    first.name = "renamed"
    assert restore.layer.currentText() == "renamed"
    viewer.layers.remove(first)
    assert restore.layer.layer == second
    assert restore.run_button.isEnabled()
    viewer.layers.clear()
    assert not restore.run_button.isEnabled()
    assert not restore.copy_button.isEnabled()


def test_cancel_stops_within_one_tile(viewer, restore, qtbot, gated):
    model = gated()
    viewer.add_image(CAMERA)
    restore.force.setChecked(True)
    restore.tile_size.setValue(64)
    click(qtbot, restore.run_button)
    assert not restore.run_button.isEnabled()
    assert model.entered.acquire(timeout=10)
    model.gate.release()
    assert model.entered.acquire(timeout=10)  # in the second of four tiles
    qtbot.waitUntil(lambda: restore.progress.value() == 1)
    assert restore.progress.maximum() == 4
    assert restore.status.text() == "1 of 4 tiles"
    click(qtbot, restore.cancel_button)
    model.gate.release(10)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    assert model.tiles == 2
    assert len(viewer.layers) == 1
    assert restore.status.text() == "Stopped; no layer was added."
    assert_idle(restore)


def assert_idle(widget):
    from napari.utils.progress import progress

    assert not widget.cancel_button.isEnabled()
    assert not widget.progress.isVisible()
    assert len(progress._all_instances) == 0


def test_cancel_before_the_model_is_loaded(viewer, restore, qtbot):
    viewer.add_image(GREY)
    click(qtbot, restore.run_button)
    click(qtbot, restore.cancel_button)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    assert len(viewer.layers) == 1


def test_changes_while_running_do_not_matter(viewer, restore, qtbot, gated):
    model = gated()
    viewer.add_image(GREY, name="source")
    restore.strength.setValue(0.5)
    click(qtbot, restore.run_button)
    assert model.entered.acquire(timeout=10)
    restore.strength.setValue(1)
    viewer.add_labels(GREY.astype(int), name="labels")
    viewer.add_image(COLOR, rgb=True, name="other")
    viewer.layers.reverse()
    model.gate.release()
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    names = ["other", "labels", "source", "source restored (gated)"]
    assert [layer.name for layer in viewer.layers] == names
    assert viewer.layers[-1].metadata["deartifact"]["strength"] == 0.5


@pytest.mark.parametrize("other", [np.flipud(GREY), GREY[:32], COLOR[..., 0][None] * np.ones((3, 1, 1))])
def test_a_layer_that_gets_other_pixels_meanwhile_loses_no_answer(other, viewer, restore, qtbot, gated):
    model = gated()
    source = viewer.add_image(GREY, name="source", scale=(2, 3), translate=(5, 6))
    restore.force.setChecked(True)
    click(qtbot, restore.run_button)
    assert model.entered.acquire(timeout=10)
    source.data = other
    model.gate.release()
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    assert "has other pixels now" in restore.status.text()
    restored = viewer.layers["source restored (gated)"]
    assert restored.data.shape == GREY.shape
    assert np.abs(restored.data - GREY.astype(float)).max() <= 1
    np.testing.assert_array_equal(restored.scale, (2, 3))
    np.testing.assert_array_equal(restored.translate, (5, 6))


def test_another_layer_of_the_same_name_is_none_of_its_answers(viewer, restore, qtbot):
    restore.force.setChecked(True)
    first = viewer.add_image(GREY, name="channel", blending="additive")
    run(qtbot, restore)
    viewer.layers.remove(first)
    answer = viewer.layers[0]
    answer.visible = True
    restore.layer.layer = viewer.add_image(np.flipud(GREY), name="channel", blending="additive")
    run(qtbot, restore)
    assert answer.visible


def test_what_was_said_last_stays_until_there_is_news(viewer, restore, qtbot):
    layer = viewer.add_image(GREY, name="source")
    restore.force.setChecked(True)
    run(qtbot, restore)
    said = restore.status.text()
    assert said.startswith("Done")
    layer.contrast_limits = (0, 99)
    assert restore.status.text() == said
    restore.data_range.setText("5")
    restore.data_range.setText("5 1")
    assert "write black and white" in restore.status.text()
    restore.data_range.setText("")
    assert restore.status.text() == ""


def test_removing_the_layer_stops_its_restoration(viewer, restore, qtbot, gated):
    model = gated()
    source, other = viewer.add_image(CAMERA), viewer.add_image(COLOR, rgb=True)
    restore.layer.layer = source
    restore.force.setChecked(True)
    restore.tile_size.setValue(64)
    click(qtbot, restore.run_button)
    assert model.entered.acquire(timeout=10)
    viewer.layers.remove(source)
    assert restore.is_stopping
    model.gate.release(10)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    assert model.tiles == 1
    assert list(viewer.layers) == [other]
    assert restore.status.text() == REMOVED
    assert_idle(restore)


def test_status_tells_what_goes_on_before_the_first_tile(viewer, restore, qtbot, gated, monkeypatch):
    model, loading, examining = gated(), threading.Event(), threading.Event()

    def load(*_, **__):
        assert loading.wait(20)
        return model

    def steps(*_, **__):
        assert examining.wait(20)
        raise ValueError("seen enough")
        yield

    monkeypatch.setattr("napari_deartifact.models.registry.load_model", load)
    monkeypatch.setattr("napari_deartifact.restoration.restoration_steps", steps)
    viewer.add_image(GREY)
    click(qtbot, restore.run_button)
    qtbot.wait(100)
    assert restore.status.text() == LOADING
    loading.set()
    qtbot.waitUntil(lambda: restore.status.text() == EXAMINING, timeout=10_000)
    examining.set()
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)


def test_vanished_model_file_is_reported(viewer, restore, qtbot, notes, model_file, tmp_path):
    viewer.add_image(GREY)
    gone = tmp_path / "gone.safetensors"
    shutil.copy(model_file, gone)
    restore.model.add_file(gone)
    gone.unlink()
    run(qtbot, restore)
    assert notes() == [f"no model file at {gone}"]
    assert restore.status.text() == notes()[0]
    assert len(viewer.layers) == 1
    assert_idle(restore)


@pytest.mark.parametrize("error", [RuntimeError("CUDA error\nlong story"), MemoryError("CUDA error")])
def test_errors_of_the_device_leave_nothing_spinning(error, viewer, restore, qtbot, notes, gated):
    model = gated(error)
    model.gate.release(10)
    viewer.add_image(GREY)
    run(qtbot, restore)
    assert len(notes()) == 1
    assert "\n" not in notes()[0]
    assert len(viewer.layers) == 1
    assert_idle(restore)


def test_file_that_is_no_model_is_refused(restore, notes, tmp_path, monkeypatch):
    bad = tmp_path / "bad.safetensors"
    bad.write_text("not a model")
    chosen = restore.model.summary
    monkeypatch.setattr(
        "napari_deartifact.widgets.model_choice.QFileDialog.getOpenFileName", lambda *_: (str(bad), "")
    )
    restore.model.setCurrentIndex(restore.model.count() - 1)
    restore.model.activated.emit(restore.model.count() - 1)
    assert len(notes()) == 1
    assert str(bad) in notes()[0]
    assert restore.model.summary == chosen


@pytest.mark.parametrize("key", [Qt.Key.Key_Down, Qt.Key.Key_End])
def test_no_dialog_at_the_end_of_the_arrow_keys(key, restore, qtbot, monkeypatch):
    def dialog(*_):
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr("napari_deartifact.widgets.model_choice.QFileDialog.getOpenFileName", dialog)
    restore.model.setCurrentIndex(restore.model.count() - 2)
    restore.model.activated.emit(restore.model.count() - 2)
    last = restore.model.argument
    qtbot.keyClick(restore.model, key)
    assert restore.model.argument == last


def test_open_model_file(restore, model_file, tmp_path, monkeypatch):
    path = tmp_path / "mine.safetensors"
    shutil.copy(model_file, path)
    monkeypatch.setattr(
        "napari_deartifact.widgets.model_choice.QFileDialog.getOpenFileName", lambda *_: (str(path), "")
    )
    restore.model.setCurrentIndex(restore.model.count() - 1)
    restore.model.activated.emit(restore.model.count() - 1)
    assert restore.model.argument == path
    assert restore.model.currentText() == "tiny (mine.safetensors)"


def test_devices_are_found_when_the_list_is_opened(restore, qtbot, monkeypatch):
    monkeypatch.setattr("napari_deartifact.devices.available_devices", lambda: ["cuda:0", "cpu"])
    restore.device.showPopup()
    qtbot.waitUntil(lambda: restore.device.findText("cuda:0") > 0, timeout=10_000)
    restore.device.hidePopup()
    names = [restore.device.itemText(index) for index in range(restore.device.count())]
    assert names == ["auto", "cpu", "cuda:0"]
    assert restore.device.device == "cpu"


def test_closing_the_dock_stops_the_work(viewer, restore, qtbot, gated):
    model = gated()
    viewer.add_image(CAMERA)
    restore.force.setChecked(True)
    restore.tile_size.setValue(64)
    click(qtbot, restore.run_button)
    assert model.entered.acquire(timeout=10)
    viewer.window.remove_dock_widget(restore)
    model.gate.release(10)
    qtbot.waitUntil(lambda: restore._worker is None, timeout=10_000)
    assert model.tiles == 1
    assert len(viewer.layers) == 1


def test_closing_the_viewer_stops_the_work(make_napari_viewer, qtbot, gated, model_file):
    model = gated()
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-deartifact", "Restore")
    viewer.add_image(CAMERA)
    widget.force.setChecked(True)
    widget.tile_size.setValue(64)
    click(qtbot, widget.run_button)
    assert model.entered.acquire(timeout=10)
    viewer.close()
    model.gate.release(10)
    qtbot.waitUntil(lambda: not widget_worker_runs(), timeout=10_000)
    assert model.tiles == 1


def widget_worker_runs() -> bool:
    from superqt.utils._qthreading import WorkerBase

    return bool(WorkerBase._worker_set)


def test_coarser_levels_take_the_range_of_the_jpeg(viewer, restore, qtbot, model_file, notes):
    levels, attributes = JPEG_PYRAMID
    viewer.add_image(levels, **attributes)
    run(qtbot, restore)
    assert notes() == []
    finest, coarser = viewer.layers[1].data
    jpeg = attributes["metadata"]["jpeg"]
    expected = [
        deartifact(levels[0], model_file, device="cpu", jpeg=jpeg, data_range=255),
        deartifact(levels[1], model_file, device="cpu", data_range=255),
    ]
    np.testing.assert_array_equal(finest, expected[0])
    np.testing.assert_array_equal(coarser, expected[1])


@pytest.mark.parametrize(
    "case", ["rgb", "stack with units", "multiscale", "dask", "dask pyramid", "JPEG's pyramid", "floats"]
)
def test_copied_script_does_the_same(case, viewer, restore, qtbot, monkeypatch):
    data, attributes = JPEG_PYRAMID if case == "JPEG's pyramid" else LAYERS[case]
    viewer.add_image(data, name="picture", **attributes)
    restore.strength.setValue(0.7)
    restore.force.setChecked(True)
    run(qtbot, restore)
    click(qtbot, restore.copy_button)
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    names: dict[str, object] = {}
    exec(QApplication.clipboard().text(), names)  # noqa: S102
    expected = viewer.layers[1].data
    if not case.endswith("pyramid"):
        expected, names["restored"] = [expected], [names["restored"]]
    for level, same in zip(names["restored"], expected, strict=True):
        np.testing.assert_array_equal(level, same)


def test_history_is_said(viewer, restore):
    jpeg = JPEGInfo.from_quality(30, height=64, width=72)
    layer = viewer.add_image(GREY, metadata={"jpeg": jpeg})
    assert "quality 30" in restore.history.text()
    assert restore.inputs().options()["jpeg"] == jpeg
    layer.data = GREY[1:]
    assert restore.inputs().options()["jpeg"] is None


def test_the_range_that_is_shown_is_the_one_that_is_taken(viewer, restore):
    data = da.from_array(GREY.astype(np.uint16) * 16, chunks=32)
    layer = viewer.add_image(data, contrast_limits=(0, 4080))
    assert restore.data_range.placeholderText().startswith("0 4095")
    layer.contrast_limits = (0, 20_000)
    assert restore.data_range.placeholderText().startswith("0 32767")
    assert restore.inputs().options()["data_range"] == (0, 32767)
    layer.contrast_limits = (0, 300)  # which is how it is looked at, and pixels above are restored too
    assert restore.inputs().options()["data_range"] == (0, 4095)
    viewer.layers.remove(layer)
    layer.contrast_limits = (0, 4080)  # of no concern any more


def test_alpha_is_no_intensity_of_a_lazy_layer(viewer, restore):
    data = np.dstack([COLOR.astype(np.uint16) * 3, np.full(COLOR.shape[:2], 65535, np.uint16)])
    viewer.add_image(da.from_array(data, chunks=(32, 32, 4)), rgb=True, contrast_limits=(0, 1000))
    assert restore.inputs().options()["data_range"] == (0, 1023)


def test_the_script_of_a_layer_that_no_longer_shows_its_file_takes_the_layer(viewer, tmp_path):
    path = tmp_path / "grey.jpg"
    Image.fromarray(GREY).save(path)
    (layer,) = viewer.open(path, plugin="napari-deartifact")
    script = restoration_script(layer, "spp", {})
    assert "read_image" in script
    layer.data = layer.data[8:]
    script = restoration_script(layer, "spp", {})
    assert "read_image" not in script
    assert "current_viewer" in script


def test_masks_are_not_lost(viewer, restore, qtbot, notes):
    viewer.add_image(np.ma.masked_less(GREY, 90))
    restore.force.setChecked(True)
    click(qtbot, restore.run_button)
    qtbot.waitUntil(lambda: not restore.is_working)
    assert len(viewer.layers) == 1
    assert any("masked pixels" in note for note in notes())


def test_spp_does_not_take_a_lazy_pyramid():
    from napari.layers import Image

    levels = [da.from_array(GREY[:64, :64]), da.from_array(GREY[:64:2, :64:2])]
    jpeg = JPEGInfo.from_quality(30, height=64, width=64)
    layer = Image(levels, multiscale=True, metadata={"jpeg": jpeg})
    error = RestoreInputs(layer, "spp", needs_tables=True).validation_error()
    assert error is not None
    assert "finest level" in error


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layer": None}, NO_LAYER),
        ({"model": None}, "model"),
        ({"range_text": "5 5"}, "0 4095"),
        ({"range_text": "dark"}, "0 4095"),
        ({"range_text": "0 inf"}, "0 4095"),
        ({"needs_tables": True}, "lazy"),
        ({"perceptual": 0.5, "uncertainty": True}, "learnt from faithful answers; clear the box, or set"),
        ({"twin_of": "pair", "uncertainty": True}, "faithful answers; choose pair, or clear the box."),
        ({}, None),
    ],
)
def test_validation(changes, expected):
    from napari.layers import Image

    layer = Image(da.from_array(GREY, chunks=32))
    error = RestoreInputs(**({"layer": layer, "model": "spp"} | changes)).validation_error()
    assert error == expected or (error and expected and expected in error)


def test_booleans_are_refused():
    from napari.layers import Image

    error = RestoreInputs(Image(GREY > 100), "spp").validation_error()
    assert error is not None
    assert "bool" in error


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("255", (0, 255)), ("-1000, 3000", (-1000, 3000)), ("0 1", (0, 1))]
)
def test_parse_range(text, expected):
    assert parse_range(text) == expected


@pytest.mark.parametrize(
    "case", ["grey", "rgb", "rgba", "stack with units", "sheared", "floats", "multiscale"]
)
def test_uncertainty_map_is_a_second_layer(case, viewer, restore, qtbot, model_file, notes):
    data, attributes = LAYERS[case]
    source = viewer.add_image(data, name="picture", **attributes)
    restore.uncertainty.setChecked(True)
    restore.force.setChecked(True)
    run(qtbot, restore)
    assert notes() == []
    names = ["picture", "picture restored (tiny)", "picture standard error"]
    assert [layer.name for layer in viewer.layers] == names
    layer = viewer.layers[2]
    finest = data[0] if case == "multiscale" else data
    answer = restore_with_uncertainty(finest, model_file, force=True, device="cpu", **OPTIONS.get(case, {}))
    np.testing.assert_array_equal(viewer.layers[1].data, answer.image)
    expected = answer.standard_error
    if source.rgb:
        expected = np.sqrt((expected[..., :3] ** 2).mean(axis=-1))
    np.testing.assert_array_equal(layer.data, expected)
    assert not layer.rgb
    for attribute in ("scale", "translate", "rotate", "shear", "units", "axis_labels"):
        np.testing.assert_array_equal(getattr(layer, attribute), getattr(source, attribute), attribute)
    np.testing.assert_array_equal(layer.affine.affine_matrix, source.affine.affine_matrix)
    assert layer.colormap.name == "magma"
    assert layer.contrast_limits[0] == 0
    assert np.median(expected) < layer.contrast_limits[1] <= expected.max()
    assert restore.layer.layer == source
    viewer.layers.remove(layer)
    assert [layer.name for layer in viewer.layers] == names[:2]


def test_uncertainty_map_counts_as_work_and_can_be_cancelled(viewer, restore, qtbot, gated):
    model = gated()
    viewer.add_image(CAMERA)
    restore.force.setChecked(True)
    restore.tile_size.setValue(64)
    restore.uncertainty.setChecked(True)
    click(qtbot, restore.run_button)
    assert model.entered.acquire(timeout=10)
    model.gate.release()
    qtbot.waitUntil(lambda: restore.progress.value() == 1)
    assert restore.progress.maximum() == 8
    click(qtbot, restore.cancel_button)
    model.gate.release(10)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled(), timeout=10_000)
    assert len(viewer.layers) == 1


def test_uncertainty_of_a_lazy_layer_is_refused(viewer, restore):
    viewer.add_image(da.from_array(GREY, chunks=32))
    assert restore.run_button.isEnabled()
    restore.uncertainty.setChecked(True)
    assert not restore.run_button.isEnabled()
    assert "lazy" in restore.status.text()


def test_copied_script_finds_the_standard_error_too(viewer, restore, qtbot, monkeypatch):
    viewer.add_image(GREY, name="picture")
    restore.uncertainty.setChecked(True)
    run(qtbot, restore)
    click(qtbot, restore.copy_button)
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    names: dict[str, object] = {}
    exec(QApplication.clipboard().text(), names)  # noqa: S102
    np.testing.assert_array_equal(names["restored"], viewer.layers[1].data)
    np.testing.assert_array_equal(names["standard_error"], viewer.layers[2].data)
