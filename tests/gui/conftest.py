"""A viewer, a tiny model file, and a model that waits to be told to go on."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import ModelCard, save_model
from napari_deartifact.widgets.model_choice import model_news

PLUGIN = "napari-deartifact"
ARGUMENTS = {"widths": [4], "dilations": [1, 1]}


@pytest.fixture(autouse=True)
def no_models_of_other_tests(monkeypatch):
    monkeypatch.setattr(model_news(), "files", [])


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    card = ModelCard("tiny", "compact-cnn", ARGUMENTS, description="Random weights.")
    generator = build("compact-cnn", ARGUMENTS)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in generator.parameters():  # which start at no correction at all
            weights += 0.1 * torch.randn(weights.shape, generator=rng)
    save_model(path, generator, card)
    return path


class GatedModel:
    """Restores one tile each time that `gate` is released, and adds one level."""

    name = "gated"
    color = "any"
    size_multiple = 8
    halo = 0
    fixed_tile = None
    needs_tables = False

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.tiles = 0
        self.error = error

    def restore(self, tiles, jpeg=None):
        self.tiles += 1
        self.entered.release()
        assert self.gate.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        return tiles + np.float32(1 / 255)


@pytest.fixture
def gated(monkeypatch):
    """Put a gated model behind every name, and let it go on at the end whatever happened."""
    models = []

    def install(error: Exception | None = None) -> GatedModel:
        models.append(GatedModel(error))
        monkeypatch.setattr("napari_deartifact.models.registry.load_model", lambda *_, **__: models[-1])
        return models[-1]

    yield install
    for model in models:
        model.gate.release(1000)
    finish_work()


def finish_work() -> None:
    assert QThreadPool.globalInstance().waitForDone(20_000)
    QApplication.processEvents()


@pytest.fixture
def viewer(make_napari_viewer):
    yield make_napari_viewer()
    finish_work()


@pytest.fixture
def restore(viewer, model_file):
    """The Restore widget in its dock, with a tiny network chosen."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore")
    widget.model.add_file(model_file)
    widget.device.setCurrentText("cpu")
    return widget


@pytest.fixture
def notes():
    """The messages of napari's notifications since the test began."""
    from napari.utils.notifications import notification_manager

    before = len(notification_manager.records)
    return lambda: [str(record.message) for record in notification_manager.records[before:]]
