"""The benchmarks that draw pictures run, on models that know nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_deartifact.niqe import PristineModel

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def feature_file(tmp_path: Path) -> Path:
    import torch

    from napari_deartifact.training.feature_weights import SQUEEZENET_CAFFE

    torch.manual_seed(0)
    layers = torch.nn.Sequential(*(module for _, module in SQUEEZENET_CAFFE.build()))
    weights = {f"features.{key}": value for key, value in layers.state_dict().items()}
    torch.save(weights, tmp_path / "squeezenet.pth")
    return tmp_path / "squeezenet.pth"


@pytest.fixture
def twin_file(model_file: Path, tmp_path: Path) -> Path:
    import torch

    from napari_deartifact.models.model_file import read_model, save_model

    generator, card = read_model(model_file)
    moved = {key: value + 0.01 * torch.randn_like(value) for key, value in generator.state_dict().items()}
    generator.load_state_dict(moved)
    save_model(tmp_path / "twin.safetensors", generator, card)
    return tmp_path / "twin.safetensors"


def test_perception_against_distortion(pictures, model_file, twin_file, feature_file, environment, tmp_path):
    PristineModel(np.zeros(36), np.eye(36), block_size=48).save(tmp_path / "own.npz")
    words = [pictures / "originals", model_file, twin_file, "--features", feature_file, "--niqe", "own.npz"]
    options = ["--qualities", "10", "40", "--shares", "0", "0.5", "1", "-o", "curve.png"]
    done = subprocess.run(  # noqa: S603
        [sys.executable, BENCHMARKS / "perception_distortion.py", *words, *options],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "grey.png is grey" in done.stderr
    title, originals, head, _, *rows = done.stdout.splitlines()
    assert title.endswith("originals")
    assert originals.startswith("NIQE of the originals: ")
    assert head == "| quality | share | PSNR, dB | SSIM | PSNR of Y, dB | distance | NIQE |"
    expected = [f"| {quality} | {share} |" for quality in (10, 40) for share in ("JPEG", "0", "0.5", "1")]
    assert [" ".join(row.split()[:5]) for row in rows] == expected
    assert "nan" not in done.stdout
    page = np.asarray(Image.open(tmp_path / "curve.png"))
    assert page.shape == (600, 880, 3)
    assert len(np.unique(page.reshape(-1, 3), axis=0)) > 100


def test_units_that_answer_to_nothing_are_counted(pictures, environment, tmp_path):
    import torch

    from napari_deartifact.generators import build
    from napari_deartifact.models.model_file import ModelCard, save_model

    network = build("residual-unet", {"widths": [8], "blocks": [1]})
    silenced = network.encoder[0][0].first
    with torch.no_grad():
        silenced.weight[:3], silenced.bias[:3] = 0, -1
        silenced.weight[3:], silenced.bias[3:] = 0, 1
    save_model(
        tmp_path / "dying.safetensors", network, ModelCard("dying", "residual-unet", network.arguments)
    )
    done = subprocess.run(  # noqa: S603
        [
            sys.executable,
            BENCHMARKS / "dead_units.py",
            pictures / "originals",
            tmp_path / "dying.safetensors",
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    total, layer = done.stdout.splitlines()
    assert total.endswith("dying.safetensors: 3 of 8 units never above zero")
    assert layer.split() == ["encoder.0.0.activation", "3", "of", "8"]
