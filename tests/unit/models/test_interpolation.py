"""Between two models lies a third; between two architectures lies nothing."""

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.interpolation import interpolate_models
from napari_deartifact.models.model_file import ModelCard, read_model, save_model


@pytest.fixture
def ends(tmp_path):
    paths = []
    for name, value in (("first", 1.0), ("second", 3.0)):
        generator = build("compact-cnn")
        for parameter in generator.parameters():
            torch.nn.init.constant_(parameter, value)
        paths.append(tmp_path / f"{name}.safetensors")
        save_model(paths[-1], generator, ModelCard(name, "compact-cnn", generator.arguments, results=[{}]))
    return paths


@pytest.mark.parametrize(("share", "value"), [(0, 1.0), (0.25, 1.5), (1, 3.0)])
def test_weights_lie_between(ends, tmp_path, share, value):
    card = interpolate_models(*ends, share, tmp_path / "mixed.safetensors")
    generator, read = read_model(tmp_path / "mixed.safetensors")
    assert card == read
    assert (card.name, card.results, card.recipe["interpolated"]["share"]) == ("second", [], share)
    assert all(bool((parameter == value).all()) for parameter in generator.parameters())


def test_errors(ends, tmp_path):
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        interpolate_models(*ends, 1.5, tmp_path / "mixed.safetensors")
    other = build("compact-cnn", {"widths": [4, 4, 4, 4]})
    save_model(ends[1], other, ModelCard("other", "compact-cnn", other.arguments))
    with pytest.raises(ValueError, match="only models of one architecture"):
        interpolate_models(*ends, 0.5, tmp_path / "mixed.safetensors")
    assert not (tmp_path / "mixed.safetensors").exists()
