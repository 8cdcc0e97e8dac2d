"""A slide that is restored where the viewer looks, and nowhere else."""

from __future__ import annotations

from functools import partial

import dask.array as da
import numpy as np
import pytest
import zarr
from qtpy.QtCore import Qt
from skimage.data import camera

from napari_deartifact import deartifact
from napari_deartifact.degradation import jpeg_round_trip

TILE = 256
PICTURE = jpeg_round_trip(camera()[:TILE, :TILE], 20)
SIZES = [16, 8, 4]
"""Tiles along each side of the levels: 4096, 2048 and 1024 pixels."""


@pytest.fixture
def read():
    """Which tiles of which level have been read since it was cleared."""
    return set()


@pytest.fixture
def slide(read):
    def source(level, block_id):
        read.add((level, *block_id))
        return PICTURE

    return [
        da.map_blocks(
            partial(source, level),
            chunks=((TILE,) * size, (TILE,) * size),
            dtype=np.uint8,
            meta=np.empty((0, 0), np.uint8),
        )
        for level, size in enumerate(SIZES)
    ]


def look_at_corner(viewer, qtbot):
    """Show about 400 × 300 pixels of the finest level."""
    camera_of(viewer).center = (0, 150, 200)
    camera_of(viewer).zoom = 2
    qtbot.wait(50)


def camera_of(viewer):
    return getattr(viewer, "scene", viewer).camera  # napari 0.9 has moved it


def test_only_what_is_in_view_is_restored(viewer, restore, slide, read, qtbot, notes):
    viewer.window._qt_viewer.setFixedSize(800, 600)
    viewer.show()
    layer = viewer.add_image(slide, multiscale=True, contrast_limits=(0, 255))
    look_at_corner(viewer, qtbot)
    layer.visible = False
    read.clear()
    qtbot.mouseClick(restore.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled() and len(viewer.layers) == 2, timeout=20_000)
    qtbot.wait(50)
    assert notes() == []
    restored = viewer.layers[1]
    assert restored.multiscale
    assert all(isinstance(level, da.Array) for level in restored.data)
    # The coarsest level is read for the thumbnail; of the finest what is in view, and around it.
    finest = {(y, x) for level, y, x in read if level == 0}
    assert restored.data_level == 0
    assert finest
    assert max(max(place) for place in finest) <= 3
    assert not [tile for tile in read if tile[0] == 1]
    top, left = restored.corner_pixels[0]
    shown = np.asarray(restored._slice.image.raw)
    here = slice(top, top + shown.shape[0]), slice(left, left + shown.shape[1])
    part = np.asarray(slide[0][:1024, :1024])
    expected = deartifact(part, restore.inputs().model, force=True, consistency=False, device="cpu")
    np.testing.assert_array_equal(shown, expected[here])


def test_moving_on_restores_what_comes_into_view(viewer, model_file, slide, read, qtbot):
    viewer.show()
    levels = [deartifact(level, model_file, device="cpu") for level in slide]
    assert not read
    viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255))
    look_at_corner(viewer, qtbot)
    read.clear()
    camera_of(viewer).center = (0, 2200, 2200)
    qtbot.wait(50)
    finest = {(y, x) for level, y, x in read if level == 0}
    assert finest
    assert {coordinate for place in finest for coordinate in place} <= set(range(6, 12))


def test_a_zarr_layer_stays_lazy(viewer, restore, qtbot):
    image = zarr.create_array(zarr.storage.MemoryStore(), shape=(128, 128), dtype="u1", chunks=(64, 64))
    image[:] = PICTURE[:128, :128]
    viewer.add_image(image, name="stored")
    qtbot.mouseClick(restore.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: restore.run_button.isEnabled() and len(viewer.layers) == 2, timeout=20_000)
    assert isinstance(viewer.layers[1].data, da.Array)
    assert viewer.layers[1].data.chunks == ((64, 64), (64, 64))
    assert not np.array_equal(np.asarray(viewer.layers[1].data), PICTURE[:128, :128])
