"""What tests have in common: none sees the models that the user of this machine has trained; tiny models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_deartifact.models.registry import FOLDER_VARIABLE


@pytest.fixture(autouse=True)
def own_models(tmp_path_factory, monkeypatch):
    """The folder of the user's models, which does not exist yet."""
    folder = tmp_path_factory.mktemp("data") / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def save_tiny():
    """Write a tiny model whose random weights depend on a seed; options are those of its card."""
    return _save_tiny


def _save_tiny(path, seed=0, *, architecture="compact-cnn", arguments=None, **card):
    import torch

    from napari_deartifact.generators import build
    from napari_deartifact.models.model_file import ModelCard, save_model

    path.parent.mkdir(exist_ok=True)
    arguments = {"widths": [4], "dilations": [1, 1]} if arguments is None else arguments
    generator = build(architecture, arguments)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in generator.parameters():  # which start at no correction at all
            weights += 0.1 * torch.randn(weights.shape, generator=rng)
    save_model(path, generator, ModelCard(path.stem, architecture, arguments, **card))
    return path


@pytest.fixture
def pair(own_models, save_tiny):
    """The file of a model called `pair`, which has a perceptual twin, among the models of the user."""
    save_tiny(own_models / "pair-perceptual.safetensors", 1, results=[{}])
    return save_tiny(own_models / "pair.safetensors", 0)


@pytest.fixture
def not_listed(monkeypatch):
    """Make the folders of a name fail with an error number when they are listed."""
    scan = os.scandir

    def choose(name, number):
        def fails(path):
            if not isinstance(path, int) and Path(path).name == name:
                raise OSError(number, os.strerror(number), str(path))
            return scan(path)

        monkeypatch.setattr("os.scandir", fails)

    return choose
