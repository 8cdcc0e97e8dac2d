"""Between two models lies a third; between two architectures lies nothing."""

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.interpolation import interpolate_models, interpolated
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


def test_what_is_counted_is_not_mixed(tmp_path, save_tiny):
    arguments = {"widths": [4, 4], "kernel_sizes": [3, 4]}
    ends = [
        save_tiny(tmp_path / f"{seed}.safetensors", seed, architecture="unet", arguments=arguments)
        for seed in range(2)
    ]
    one, other = (read_model(path)[0].state_dict() for path in ends)
    mixed = interpolated(*ends, 0.25)[0].state_dict()
    assert {value.dtype for value in mixed.values()} == {torch.float32, torch.int64}
    for key, value in mixed.items():
        if value.dtype == torch.int64:
            assert torch.equal(value, other[key])
        else:
            torch.testing.assert_close(value, 0.75 * one[key] + 0.25 * other[key])


def test_errors(ends, tmp_path):
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        interpolate_models(*ends, 1.5, tmp_path / "mixed.safetensors")
    other = build("compact-cnn", {"widths": [4, 4, 4, 4]})
    save_model(ends[1], other, ModelCard("other", "compact-cnn", other.arguments))
    with pytest.raises(ValueError, match="only models of one architecture"):
        interpolate_models(*ends, 0.5, tmp_path / "mixed.safetensors")
    assert not (tmp_path / "mixed.safetensors").exists()
