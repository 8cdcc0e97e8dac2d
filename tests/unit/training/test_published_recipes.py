"""Each published system trains: its size is the source's, its file tells what it is, and it has learnt."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import read_model
from napari_deartifact.training import TrainingRun, list_recipes, read_recipe, train

PARAMETERS = {
    "argan": 6_164_865,
    "compact-cnn": 57_987,
    "mobile-nogan": 3_716_235,
    "residual-gan": 1_148_291,
    "residual-gan-l1": 1_148_291,
    "residual-gan-y": 1_145_985,
    "residual-mse": 1_148_291,
    "residual-ssim": 1_148_291,
    "unet-gan": 6_172_355,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_published_system_trains(name, pictures, features, tmp_path):
    recipe = read_recipe(name)
    quick = replace(
        recipe,
        data=replace(recipe.data, patch_size=64, batch_size=2),
        phases=tuple(replace(phase, precision="float32") for phase in recipe.phases),
    )
    steps = 4 * len(recipe.phases)
    result = train(quick, pictures, tmp_path / f"{name}.safetensors", steps=steps, features=features)
    generator, card = read_model(result.model)
    assert (card.name, card.architecture) == (name, recipe.generator.architecture)
    assert card.recipe["generator"]["architecture"] == card.architecture
    assert card.recipe["run"]["steps"] == steps
    assert generator.parameter_count == PARAMETERS[name]
    torch.manual_seed(0)
    start = build(card.architecture, card.arguments)
    moved = {
        key: not torch.equal(mine, first)
        for (key, mine), first in zip(generator.named_parameters(), start.parameters(), strict=True)
    }
    assert all(moved.values()), [key for key, changed in moved.items() if not changed]


def test_a_network_with_global_parts_is_measured_on_its_own_tiles(pictures, features, tmp_path):
    recipe = read_recipe("mobile-nogan")
    run = TrainingRun(recipe, pictures, tmp_path / "m.safetensors", steps=1, features=features)
    (degraded, restored, clean), *_ = run.preview()
    assert degraded.shape == restored.shape == clean.shape == (64, 64, 3)


def test_all_published_systems_are_here():
    ours = {"general", "general-fast", "general-perceptual", "medical", "microscopy"}
    assert set(list_recipes()) == set(PARAMETERS) | ours
