"""Slides open as pyramids that are read where they are looked at, and are restored as such."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage import data

from napari_deartifact.files.ome_zarr import Pyramid, PyramidLayout
from napari_deartifact.widgets.layers import LayerImage
from napari_deartifact.widgets.reader import get_reader

PLUGIN = "napari-deartifact"
COLOR = data.astronaut()[:160, 100:260]
APERIO = "Aperio Image Library v11.2.1\n160x160 (48x48) JPEG Q=60|AppMag = 20|MPP = 0.25"


@pytest.fixture
def slide(tmp_path):
    """An Aperio slide of two levels."""
    path = tmp_path / "slide.svs"
    options = {"tile": (48, 48), "compression": "jpeg", "photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(COLOR, description=APERIO, subsampling=(1, 1), **options)
        file.write(COLOR[:100, :90], description="Aperio thumbnail", **options)  # no level
        file.write(COLOR[::4, ::4], description=APERIO.replace("160x160", "40x40"), **options)
    return path


def test_slide_is_a_lazy_pyramid_in_micrometres(viewer, slide):
    (layer,) = viewer.open(slide, plugin=PLUGIN)
    assert layer.multiscale
    assert layer.rgb
    assert [level.shape for level in layer.data] == [(160, 160, 3), (40, 40, 3)]
    assert tuple(layer.scale) == (0.25, 0.25)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert LayerImage.of(layer).is_lazy
    assert LayerImage.of(layer).jpeg.shape == (160, 160)
    np.testing.assert_array_equal(np.asarray(layer.data[0]), tifffile.imread(slide, key=0))


def test_restoring_computes_what_is_looked_at(viewer, slide):
    from napari_deartifact import deartifact

    (layer,) = viewer.open(slide, plugin=PLUGIN)
    image = LayerImage.of(layer)
    restored = deartifact(image.levels[0], "compact-cnn", jpeg=image.jpeg, device="cpu", **image.options)
    whole = deartifact(
        tifffile.imread(slide, key=0), "compact-cnn", jpeg=image.jpeg, device="cpu", channel_axis=-1
    )
    part = np.asarray(restored[:64, :64])
    assert part.shape == (64, 64, 3)
    assert np.mean(np.abs(part.astype(int) - whole[:64, :64]) <= 1) > 0.99


def test_the_widget_adds_a_lazy_pyramid(viewer, restore, slide, qtbot):
    (layer,) = viewer.open(slide, plugin=PLUGIN)
    qtbot.waitUntil(restore.run_button.isEnabled, timeout=20_000)
    restore.run_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    restored = viewer.layers[1]
    assert restored.multiscale
    assert tuple(restored.scale) == tuple(layer.scale)
    for before, after in zip(layer.data, restored.data, strict=True):
        assert hasattr(after, "__dask_graph__")
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert not np.array_equal(np.asarray(restored.data[0]), np.asarray(layer.data[0]))


@pytest.mark.parametrize("levels", [1, 2])
def test_copied_script_restores_every_level(viewer, restore, slide, qtbot, monkeypatch, levels):
    from qtpy.QtWidgets import QApplication

    if levels == 1:
        with tifffile.TiffFile(slide) as whole:
            first = whole.pages[0].asarray()
        tifffile.imwrite(
            slide,
            first,
            tile=(48, 48),
            compression="jpeg",
            photometric="rgb",
            metadata=None,
            description=APERIO,
        )
    viewer.open(slide, plugin=PLUGIN)
    qtbot.waitUntil(restore.run_button.isEnabled, timeout=20_000)
    restore.run_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    restore.copy_button.click()
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    names: dict[str, object] = {}
    exec(QApplication.clipboard().text(), names)  # noqa: S102
    script, widget = names["restored"], viewer.layers[1].data
    if levels == 1:
        script, widget = [script], [widget]
    assert len(script) == len(widget) == levels
    for level, same in zip(script, widget, strict=True):
        assert hasattr(level, "__dask_graph__")
        np.testing.assert_array_equal(np.asarray(level), np.asarray(same))


@pytest.mark.parametrize(("channels", "rgb"), [(3, True), (2, False)])
def test_ome_zarr(viewer, tmp_path, channels, rgb):
    layout = PyramidLayout((channels, 70, 60), np.dtype("uint8"), 32, (0.5, 0.25), rgb=rgb, name="slide")
    made = Pyramid(tmp_path / "slide.ome.zarr", layout)
    pixels = np.arange(channels * 70 * 60, dtype=np.uint8).reshape(layout.shape)
    for level in range(3):
        made.write(level, slice(None), slice(None), pixels[:, :: 2**level, :: 2**level])
    made.describe({"program": "napari-deartifact"})
    layers = viewer.open(tmp_path / "slide.ome.zarr", plugin=PLUGIN)
    assert [layer.name for layer in layers] == (["slide"] if rgb else ["slide channel 0", "slide channel 1"])
    for index, layer in enumerate(layers):
        assert tuple(layer.scale) == (0.5, 0.25)
        assert len(layer.data) == 3
        assert layer.metadata["deartifact"] == {"program": "napari-deartifact"}
        expected = np.moveaxis(pixels, 0, -1) if rgb else pixels[index]
        np.testing.assert_array_equal(np.asarray(layer.data[0]), expected)


@pytest.mark.parametrize("name", ["a.svs", "a.ome.tif", "a.zarr"])
def test_what_is_no_slide_is_left_to_others(tmp_path, name):
    path = tmp_path / name
    if name.endswith("zarr"):
        path.mkdir()
    elif name.endswith("svs"):
        path.write_text("no slide")
    else:
        tifffile.imwrite(path, COLOR)
    assert get_reader(str(path)) is None
