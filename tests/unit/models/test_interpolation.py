"""Between two models lies a third; between two architectures lies nothing."""

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.interpolation import interpolate_models, interpolated, transfer_tuning
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


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_was_learnt_is_added_to_later_weights(tmp_path, save_tiny, share):
    pictures = [{"name": "cells", "licence": "CC0"}], [], [{"name": "towns", "licence": "CC0"}]
    tuned, start, later = (
        save_tiny(tmp_path / f"{seed}.safetensors", seed, data=data) for seed, data in enumerate(pictures)
    )
    target = tmp_path / "moved.safetensors"
    card = transfer_tuning(tuned, start, later, target, share)
    moved = read_model(target)
    assert [source["name"] for source in card.data] == ["cells", "towns"]
    assert card == moved[1]
    assert (card.name, card.recipe["transferred"]["share"]) == ("0", share)
    one, before, after = (read_model(path)[0].state_dict() for path in (tuned, start, later))
    for key, value in moved[0].state_dict().items():
        torch.testing.assert_close(value, after[key] + share * (one[key] - before[key]))


def test_statistics_are_not_transferred(tmp_path, save_tiny):
    arguments = {"widths": [4, 4], "kernel_sizes": [3, 4]}
    tuned, start, later = (
        save_tiny(tmp_path / f"{seed}.safetensors", seed, architecture="unet", arguments=arguments)
        for seed in range(3)
    )
    network, card = read_model(later)
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(0.1)
    save_model(later, network, card)
    transfer_tuning(tuned, start, later, tmp_path / "moved.safetensors")
    moved, own = (
        dict(read_model(path)[0].named_buffers()) for path in (tmp_path / "moved.safetensors", tuned)
    )
    assert any(name.endswith("running_var") for name in own)
    assert all(torch.equal(moved[name], own[name]) for name in own)


def test_nothing_is_transferred_between_architectures(ends, tmp_path, save_tiny):
    with pytest.raises(ValueError, match="only models of one architecture"):
        transfer_tuning(*ends, save_tiny(tmp_path / "other.safetensors"), tmp_path / "moved.safetensors")
    with pytest.raises(ValueError, match=r"share is -1"):
        transfer_tuning(*ends, ends[0], tmp_path / "moved.safetensors", -1)
    assert not (tmp_path / "moved.safetensors").exists()


def test_errors(ends, tmp_path):
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        interpolate_models(*ends, 1.5, tmp_path / "mixed.safetensors")
    other = build("compact-cnn", {"widths": [4, 4, 4, 4]})
    save_model(ends[1], other, ModelCard("other", "compact-cnn", other.arguments))
    with pytest.raises(ValueError, match="only models of one architecture"):
        interpolate_models(*ends, 0.5, tmp_path / "mixed.safetensors")
    assert not (tmp_path / "mixed.safetensors").exists()
