"""A recipe is read whole or refused with the key, the value and what is allowed."""

from __future__ import annotations

import copy
import json

import pytest

from napari_deartifact.generators import build
from napari_deartifact.training import RecipeError, list_recipes, parse_recipe, read_recipe

ENTRIES = {
    "name": "test",
    "generator": {"architecture": "compact-cnn", "arguments": {"widths": [4], "dilations": [1, 1]}},
    "data": {"patch_size": 32, "qualities": [{"low": 10, "high": 20}]},
    "phases": [{"steps": 3, "losses": {"l1": 1}}],
}


def changed(path, value):
    """The recipe above with one entry replaced."""
    entries = copy.deepcopy(ENTRIES)
    *parents, last = path
    table = entries
    for key in parents:
        table = table[key] if isinstance(table, list) else table.setdefault(key, {})
    table[last] = value
    return entries


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_that_ships_can_be_built(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert build(recipe.generator.architecture, recipe.generator.arguments).parameter_count > 0


def test_a_recipe_survives_json():
    recipe = parse_recipe(ENTRIES)
    assert parse_recipe(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_codecs_are_drawn_beside_jpeg():
    entries = changed(["data", "codecs"], [{"name": "webp", "low": 20, "high": 80, "weight": 3}])
    recipe = parse_recipe(entries)
    assert parse_recipe(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.data.sampler.codecs == (("webp", 20, 80, 3.0),)
    assert parse_recipe(changed(["data"], entries["data"] | {"qualities": []})).data.qualities == ()


def test_whole_numbers_are_numbers():
    assert parse_recipe(ENTRIES).phases[0].losses == {"l1": 1.0}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["colour"], 1, "unknown key 'colour'.*allowed: name, generator"),
        (["data", "patchsize"], 32, "unknown key 'data.patchsize'.*did you mean 'patch_size'"),
        (["data", "patch_size"], 30, "data.patch_size is 30; expected a multiple of 16"),
        (["data", "patch_size"], "32", "data.patch_size is '32'; expected a whole number"),
        (["data", "patch_size"], True, "data.patch_size is True; expected a whole number"),
        (["data", "batch_size"], 0, "data.batch_size is 0; expected more than 0"),
        (["data", "grey_fraction"], 1.5, "data.grey_fraction is 1.5; expected at least 0 and at most 1"),
        (
            ["data", "unaligned_fraction"],
            2,
            "data.unaligned_fraction is 2.0; expected at least 0",
        ),
        (["data", "subsamplings"], ["4:1:0"], "data.subsamplings is '4:1:0'.*4:4:4, 4:2:2, 4:2:0"),
        (["data", "subsamplings"], [], "is empty"),
        (["data", "qualities"], [], "is empty"),
        (["data", "codecs"], [{"name": "wepb", "low": 1, "high": 9}], "data.codecs.name is 'wepb'.*'webp'"),
        (["data", "codecs"], [{"name": "jpeg2000", "low": 5, "high": 9}], "low is 5; expected at least 10"),
        (["data", "codecs"], [{"name": "avif", "low": 50, "high": 40}], "high is 40; expected at least 50"),
        (["data", "codecs"], [{"name": "avif", "low": 50}], r"key 'data.codecs\[0\].high' is missing"),
        (["data", "qualities"], 10, "data.qualities is 10; expected a list"),
        (["data", "qualities", 0, "high"], 5, "data.qualities.high is 5; expected at least 10"),
        (["data", "qualities", 0, "weight"], 0, "data.qualities.weight is 0.0; expected more than 0"),
        (["generator", "architecture"], "compact", "generator.architecture is 'compact'.*did you mean"),
        (["generator"], "compact-cnn", "generator is 'compact-cnn'; expected a table"),
        (["phases"], [], "at least one"),
        (["phases", 0, "losses"], {"mae": 1}, "phases.losses is 'mae'.*l1, l2, charbonnier, psnr"),
        (["phases", 0, "losses"], {}, "phases.losses is empty"),
        (["phases", 0, "losses", "l1"], -1, "phases.losses.l1 is -1.0; expected more than 0"),
        (["phases", 0, "steps"], 0, "phases.steps is 0; expected more than 0"),
        (["phases", 0, "learning_rate"], float("nan"), "phases.learning_rate is nan"),
        (["phases", 0, "optimizer"], {"name": "sgd"}, "optimizer.name is 'sgd'.*adam, adamw"),
        (["phases", 0, "optimizer"], {"betas": [0.9]}, "expected two numbers"),
        (["phases", 0, "schedule"], {"name": "linear"}, "schedule.name is 'linear'"),
        (["phases", 0, "precision"], "float16", "phases.precision is 'float16'.*auto, float32, bfloat16"),
        (["phases", 0, "discriminator"], {}, r"unknown key 'phases\[0\].discriminator'"),
    ],
)
def test_a_wrong_entry_is_named(path, value, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(changed(path, value))


@pytest.mark.parametrize("key", ["name", "generator", "phases"])
def test_a_missing_entry_is_named(key):
    entries = {name: value for name, value in ENTRIES.items() if name != key}
    with pytest.raises(RecipeError, match=f"key '{key}' is missing"):
        parse_recipe(entries)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(FileNotFoundError, match="did you mean 'compact-cnn'"):
        read_recipe("compact-cn")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"bad\.toml is not TOML"):
        read_recipe(path)


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ncolour = 1\n')
    with pytest.raises(RecipeError, match=r"mine\.toml: unknown key 'colour'"):
        read_recipe(path)
