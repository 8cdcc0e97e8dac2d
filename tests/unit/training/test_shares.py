"""Sources of pictures get the shares of the patches that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from napari_deartifact.cli import main
from napari_deartifact.models.model_file import read_card
from napari_deartifact.training import TrainingRun, train
from napari_deartifact.training.data import Picture, find_in_each, find_pictures, load_pictures
from napari_deartifact.training.data_recipe import DataRecipe
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.pairs import PairSource
from napari_deartifact.training.shares import share_out

RECIPE = DataRecipe(patch_size=16, batch_size=400, clean_fraction=1.0)


def flat(level, side):
    return np.full((side, side), level, np.uint8)


def make_source(kind, pictures, seed=0, recipe=RECIPE):
    if kind == "device":
        return DevicePairSource(pictures, recipe, 1, seed, torch.device("cpu"))
    return PairSource(pictures, recipe, 1, seed)


@pytest.mark.parametrize("kind", ["libjpeg", "device"])
def test_patches_are_drawn_by_shares_in_place_of_sizes(kind):
    pictures = [Picture("small", flat(1, 20)), Picture("large", flat(2, 100)), Picture("other", flat(3, 50))]
    sources = [("little", pictures[:1]), ("much", pictures[1:])]
    shared = share_out(pictures, sources, (60, 40))
    levels = make_source(kind, shared).batch(0)[1][:, 0, 0, 0]
    drawn = torch.bincount(levels.int(), minlength=4)[1:] / 400
    assert drawn.tolist() == pytest.approx([0.6, 0.32, 0.08], abs=0.06)


@pytest.mark.parametrize("kind", ["libjpeg", "device"])
def test_shrunk_patches_have_their_content_closer_together(kind):
    ramp = np.broadcast_to(np.arange(250, dtype=np.uint8), (250, 250))
    recipe = DataRecipe(patch_size=48, batch_size=200, clean_fraction=1.0, shrunk_fraction=0.5)
    patches = make_source(kind, [Picture("ramp", ramp)], recipe=recipe).batch(0)[1][:, 0].float()
    inner = patches[:, 4:-4, 4:-4]
    steep = torch.maximum(*(inner.diff(dim=axis).abs().mean((1, 2)) for axis in (1, 2)))
    closest = (steep[:, None] - torch.tensor([1, 1 / 0.9, 1 / 0.8, 1 / 0.7, 1 / 0.6, 2])).abs()
    assert float(closest.amin(1).max()) < 0.05
    counts = torch.bincount(closest.argmin(1), minlength=6) / 200
    assert float(counts[0]) == pytest.approx(0.5, abs=0.1)
    assert (counts[1:] > 0.04).all()


@pytest.mark.parametrize("kind", ["libjpeg", "device"])
def test_pictures_too_small_to_be_shrunk_are_cut_as_they_are(kind):
    recipe = DataRecipe(patch_size=16, batch_size=50, clean_fraction=1.0, shrunk_fraction=1.0)
    small = (np.indices((17, 17)).sum(0) % 2 * 255).astype(np.uint8)
    patches = make_source(kind, [Picture("small", small)], recipe=recipe).batch(0)[1]
    assert set(patches.unique().tolist()) == {0, 255}


def test_a_file_belongs_to_the_first_source_that_names_it(pictures):
    moon, rest = find_in_each([str(pictures / "moon.png"), pictures])
    assert [path.name for path in moon] == ["moon.png"]
    assert len(rest) == 4
    assert find_pictures([str(pictures / "moon.png"), pictures]) == find_pictures(pictures)
    found = load_pictures(find_pictures(pictures)).pictures
    weighed = share_out(found, [("moon", moon), ("rest", rest)], (1, 1))
    weights = {picture.name: picture.weight for picture in weighed}
    assert weights["moon.png"] == pytest.approx(4 * weights["camera.png"])


def test_a_run_keeps_to_its_shares_and_its_model_tells_them(recipe, pictures, tmp_path):
    sources = [pictures, np.asarray(Image.open(pictures / "moon.png"))[:64, :64]]
    first = train(recipe, sources, tmp_path / "tiny.safetensors", steps=3, shares=(1, 2))
    run = read_card(first.model).recipe["run"]
    assert run["shares"] == [{"name": pictures.name, "share": 1.0}, {"name": "array", "share": 2.0}]
    again = TrainingRun(recipe, sources, first.model, steps=6, shares=(2, 4))
    assert again.trainer.step == 3
    # Without shares the split is another, too.
    for shares, difference in ((None, "pictures"), ((2, 1), "shares")):
        with pytest.raises(ValueError, match=f"another run: it had other {difference}; give it the same"):
            TrainingRun(recipe, sources, first.model, steps=6, shares=shares)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((1,), "1 numbers for 2 sources"),
        ((1, 0), "expected numbers above 0"),
        ((1, float("nan")), "expected numbers above 0"),
        ((1, 1), "no picture of again is left"),
    ],
)
def test_shares_that_cannot_be_kept(recipe, pictures, tmp_path, shares, message):
    (tmp_path / "again").symlink_to(pictures)
    sources = [pictures, Picture("again", np.zeros((2, 2), np.uint8))]
    if "left" in message:
        sources = [str(pictures / "*.png"), pictures]
        message = message.replace("again", pictures.name)
    with pytest.raises(ValueError, match=message):
        TrainingRun(recipe, sources, tmp_path / "tiny.safetensors", shares=shares)


def test_the_command_line_passes_shares_on(pictures, tmp_path, capsys):
    output = tmp_path / "own.safetensors"
    command = ["train", "compact-cnn", str(pictures / "moon.png"), str(pictures), "--steps", "1"]
    assert main([*command, "-o", str(output), "--device", "cpu", "--shares", "3", "1"]) == 0
    assert [entry["share"] for entry in read_card(output).recipe["run"]["shares"]] == [3.0, 1.0]
    assert main([*command, "-o", str(tmp_path / "b.safetensors"), "--shares", "3"]) == 2
    assert "shares has 1 numbers for 2 sources" in capsys.readouterr().err


def test_a_picture_keeps_its_own_weight_beside_shares():
    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    given = [Picture("twice", pixels, weight=2.0), Picture("once", pixels), Picture("other", pixels)]
    loaded = load_pictures(find_pictures(given), poisoned="keep").pictures
    assert {picture.name: picture.weight for picture in loaded} == {"twice": 2.0, "once": 1.0, "other": 1.0}
    shared = share_out(given, [("both", given[:2]), ("other", given[2:])], (1, 1))
    assert shared[0].weight == pytest.approx(2 * shared[1].weight)
    assert shared[2].weight == pytest.approx(3 * shared[1].weight)


def test_every_source_with_a_share_is_trained_on_and_validated(recipe, pictures, tmp_path):
    single = [pictures / "moon.png", pictures / "cell.png"]
    for seed in range(3):
        run = TrainingRun(recipe, single, tmp_path / f"{seed}.safetensors", seed=seed, shares=(3, 1))
        assert {picture.name for picture in run.trainer.pairs.pictures} == {"moon.png", "cell.png"}


def test_a_file_by_two_names_is_one(pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    relative, absolute = find_in_each([pictures.name, pictures])
    assert (len(relative), absolute) == (5, [])
