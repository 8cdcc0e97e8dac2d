"""Samples and the JPEG reader, as napari calls them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.errors import MultipleReaderError
from PIL import Image
from skimage import data

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.widgets.reader import get_reader

PLUGIN = "napari-deartifact"


@pytest.fixture
def colored(tmp_path):
    path = tmp_path / "colored.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()[:64, :100]).save(path, quality=30, subsampling="4:2:0", exif=exif)
    return path


@pytest.mark.parametrize("name", ["camera", "cell"])
def test_samples_open(viewer, name):
    (layer,) = viewer.open_sample(PLUGIN, name)
    clean = getattr(data, name)()
    assert layer.name == f"{name}_q10"
    assert not layer.rgb
    np.testing.assert_array_equal(layer.data, jpeg_round_trip(clean, 10))
    info = layer.metadata["jpeg"]
    assert (info.quality, info.shape) == (10, clean.shape)


def test_reader_keeps_the_record(viewer, colored):
    (layer,) = viewer.open(colored, plugin=PLUGIN)
    assert layer.name == "colored"
    assert layer.rgb
    assert layer.data.shape == (64, 100, 3)  # as stored, not as EXIF would turn it
    assert layer.metadata["jpeg"] == JPEGInfo.from_file(colored)
    assert layer.metadata["jpeg"].orientation == 6


def test_grey_jpeg(viewer, tmp_path):
    path = tmp_path / "grey.JPEG"
    Image.fromarray(data.camera()[:40, :40]).save(path, quality=50)
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert not layer.rgb
    assert layer.metadata["jpeg"].color_space == "grey"


def test_napari_asks_which_reader(viewer, colored):
    with pytest.raises(MultipleReaderError) as caught:
        viewer.open(colored, plugin=None)
    assert set(caught.value.available_plugins) == {"napari", PLUGIN}


def test_napari_keeps_its_default(viewer, colored):
    (layer,) = viewer.open(colored)
    assert layer.source.reader_plugin == "napari"
    assert "jpeg" not in layer.metadata


@pytest.mark.parametrize("name", ["text.jpg", "missing.jpg", "folder.jpg", "picture.jpg"])
def test_what_is_no_jpeg_is_left_to_others(name, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    Image.fromarray(data.camera()[:40, :40]).save(tmp_path / "picture.jpg", format="PNG")
    assert get_reader(str(tmp_path / name)) is None


def test_a_stack_of_files_is_one_layer(viewer, colored, tmp_path):
    other = tmp_path / "other.jpg"
    Image.open(colored).transpose(Image.Transpose.ROTATE_180).save(other)
    (layer,) = viewer.open([colored, other], plugin=PLUGIN, stack=True)
    assert layer.rgb
    assert layer.name == "colored"
    for plane, path in zip(layer.data, (colored, other), strict=True):
        np.testing.assert_array_equal(plane, np.asarray(Image.open(path)))
    assert layer.metadata["jpeg"] is None  # there is one for each plane


def test_files_of_different_shapes_make_no_stack(colored, tmp_path):
    other = tmp_path / "other.jpg"
    Image.open(colored).convert("L").save(other)
    paths = [str(colored), str(other)]
    layers = get_reader(paths)(paths)
    assert [attributes["name"] for _, attributes, _ in layers] == ["colored", "other"]


def test_truncated_jpeg_is_one_clear_error(viewer, tmp_path, colored):
    path = tmp_path / "cut.jpg"
    path.write_bytes(colored.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"cut\.jpg"):
        viewer.open(path, plugin=PLUGIN)


def test_script_of_a_file_runs_without_a_viewer(viewer, restore, colored, qtbot):
    from napari_deartifact.widgets.script import restoration_script

    (layer,) = viewer.open(colored, plugin=PLUGIN)
    inputs = restore.inputs()
    assert inputs.layer == layer
    script = restoration_script(layer, inputs.model, inputs.options())
    assert "napari." not in script
    names: dict[str, object] = {}
    exec(script, names)  # noqa: S102
    assert names["restored"].shape == layer.data.shape
