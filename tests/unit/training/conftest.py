"""A recipe that trains in a second, and a folder of pictures to train it on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut, camera, cell, coffee, moon

from napari_deartifact.training import parse_recipe
from napari_deartifact.training.data import find_pictures, load_pictures
from napari_deartifact.training.feature_weights import SQUEEZENET_CAFFE

GAN = {"losses": {"l1": 1.0, "adversarial": 0.01}, "turns": {"discriminator": 1, "generator": 1}}
PICTURES = {"astronaut": astronaut, "camera": camera, "cell": cell, "coffee": coffee, "moon": moon}


def tiny_recipe(**phase):
    """Two small convolutions, on small patches."""
    return parse_recipe(
        {
            "name": "tiny",
            "description": "For tests.",
            "generator": {"architecture": "compact-cnn", "arguments": {"widths": [8], "dilations": [1, 1]}},
            "data": {
                "patch_size": 32,
                "batch_size": 2,
                "qualities": [{"low": 10, "high": 20}],
                "grey_fraction": 0.5,
                "validation_fraction": 0.2,
            },
            "phases": [
                {"steps": 6, "losses": {"l1": 1.0}, "ema_decay": 0.5, "precision": "float32", **phase}
            ],
        }
    )


@pytest.fixture
def make_recipe():
    """`tiny_recipe`: entries of its phase can be replaced."""
    return tiny_recipe


@pytest.fixture
def recipe():
    return tiny_recipe()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of five pictures, of 128 by 160 pixels, grey and RGB."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, make in PICTURES.items():
        Image.fromarray(make()[100:228, 150:310]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def loaded(pictures):
    """Those pictures in memory."""
    return load_pictures(find_pictures(pictures))


@pytest.fixture
def make_gan(make_recipe):
    """A tiny recipe with a discriminator and the given phases."""

    def make(*phases, discriminator="sub-patch", **judge):
        entries = make_recipe().to_dict()
        common = {"steps": 4, "precision": "float32"}
        entries["discriminator"] = {"architecture": discriminator, **judge}
        return parse_recipe({**entries, "phases": [{**common, **phase} for phase in phases or (GAN,)]})

    return make


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Untrained weights of SqueezeNet in a file."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(*(module for _, module in SQUEEZENET_CAFFE.build()))
    path = tmp_path_factory.mktemp("features") / "squeezenet.npz"
    np.savez(path, **{f"features.{key}": value.numpy() for key, value in layers.state_dict().items()})
    return path
