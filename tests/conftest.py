"""What all tests have in common: none sees the models that the user of this machine has trained."""

from __future__ import annotations

import pytest

from napari_deartifact.models.registry import FOLDER_VARIABLE


@pytest.fixture(autouse=True)
def own_models(tmp_path_factory, monkeypatch):
    """The folder of the user's models, which does not exist yet."""
    folder = tmp_path_factory.mktemp("data") / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder
