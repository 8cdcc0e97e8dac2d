"""The installed program, real files, and a model of its own so that nothing depends on shipped weights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

PROGRAM = Path(sys.executable).parent / "deartifact"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def program() -> Path:
    return PROGRAM


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "2", "PYTHONIOENCODING": "utf-8", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run ``deartifact`` in an empty folder."""

    def run(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        command = [PROGRAM, *map(str, words)]
        return subprocess.run(  # noqa: S603
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, **options
        )

    return run


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compact-cnn as it is before training."""
    import torch

    from napari_deartifact.generators import build
    from napari_deartifact.models.model_file import ModelCard, save_model

    torch.manual_seed(0)
    generator = build("compact-cnn", {})
    path = tmp_path_factory.mktemp("models") / "untrained.safetensors"
    save_model(path, generator, ModelCard("untrained", "compact-cnn", generator.arguments))
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colour and a grey photograph as JPEGs, and their originals."""
    folder = tmp_path_factory.mktemp("pictures")
    photo = Image.fromarray(data.astronaut()[0:150, 120:300])
    exif = Image.Exif()
    exif[0x0112] = 3
    photo.save(folder / "photo.jpg", quality=20, exif=exif)
    grey = Image.fromarray(data.camera()[100:340, 100:347])
    grey.save(folder / "grey.jpg", quality=10)
    (folder / "originals").mkdir()
    photo.save(folder / "originals" / "photo.png")
    grey.save(folder / "originals" / "grey.png")
    return folder


@pytest.fixture(scope="session")
def large_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough work to be interrupted in."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    Image.fromarray(np.tile(data.camera(), (6, 6))).save(path)
    return path
