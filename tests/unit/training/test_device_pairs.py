"""Pairs made on a device: cut from the pictures, compressed as libjpeg would, drawn as the recipe says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.data import astronaut, camera

from napari_deartifact.degradation import find_tables, jpeg_round_trip
from napari_deartifact.jpeg.tables import scale_table
from napari_deartifact.training import device_pairs
from napari_deartifact.training.data import Picture
from napari_deartifact.training.data_recipe import CodecRange, DataRecipe, QualityRange
from napari_deartifact.training.device_pairs import DevicePairSource

CPU = torch.device("cpu")
RECIPE = DataRecipe(patch_size=64, batch_size=32, qualities=(QualityRange(20, 20),), unaligned_fraction=0.0)


def source(pictures, channels=3, seed=0, rank=0, world=1, **changes):
    named = [Picture(str(number), pixels) for number, pixels in enumerate(pictures)]
    return DevicePairSource(named, replace(RECIPE, **changes), channels, seed, CPU, rank=rank, world=world)


@pytest.mark.parametrize("double", [0.0, 1.0])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4", "4:1:1"])
def test_pairs_are_libjpegs(subsampling, double, monkeypatch):
    monkeypatch.setattr(device_pairs, "EARLIER_UNALIGNED", 0.0)
    pairs = source([astronaut()], subsamplings=(subsampling,), double_fraction=double, batch_size=8)
    degraded, clean = pairs.batch(3)
    for ours, original in zip(degraded, clean, strict=True):
        theirs = original.permute(1, 2, 0).numpy()
        for _ in range(1 + int(double)):
            theirs = jpeg_round_trip(theirs, 20, subsampling=subsampling)
        inner = np.s_[:48, :48]  # the patch was compressed with what lay beside it
        difference = ours.permute(1, 2, 0).numpy()[inner].astype(int) - theirs[inner]
        assert (np.abs(difference) <= 1).mean() > 0.85


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pairs_are_libjpegs(channels):
    degraded, clean = source([camera()], channels, batch_size=8).batch(0)
    assert degraded.shape == clean.shape == (8, channels, 64, 64)
    assert (degraded == degraded[:, :1]).all()
    for ours, original in zip(degraded[:, 0], clean[:, 0], strict=True):
        difference = ours.numpy().astype(int) - jpeg_round_trip(original.numpy(), 20)
        assert (np.abs(difference) <= 1).mean() > 0.95


def test_tables_of_the_recipe():
    pairs = source([astronaut()], tables=("varied", "flat"), subsamplings=("4:4:4",), batch_size=24)
    degraded, clean = pairs.batch(0)
    tables = scale_table(np.concatenate([find_tables("varied"), find_tables("flat")]), 20).reshape(-1, 2, 64)
    inner = np.s_[:48, :48]
    used = set()
    for ours, original in zip(degraded, clean, strict=True):
        ours, original = (side.permute(1, 2, 0).numpy() for side in (ours, original))
        made = [jpeg_round_trip(original, tables=pair, subsampling="4:4:4") for pair in tables]
        errors = [np.abs(theirs[inner].astype(int) - ours[inner]).mean() for theirs in made]
        best, second = np.sort(errors)[:2]
        assert best < second / 4
        used.add(int(np.argmin(errors)))
    assert 32 in used
    assert len(used) > 5


def test_every_turn_of_a_square_from_the_right_picture():
    height, width = 150, 200
    places = np.dstack([*np.mgrid[:height, :width], np.full((height, width), 7)]).astype(np.uint8)
    pairs = source([np.full((99, 120, 3), 9, np.uint8), places], clean_fraction=1.0, batch_size=64)
    degraded, clean = pairs.batch(0)
    assert torch.equal(degraded, clean)
    from_second = clean[clean[:, 2, 0, 0] == 7].int()
    assert 0.5 < len(from_second) / 64 < 1  # 72 % of the area
    slopes = torch.stack([from_second[:, :2].diff(dim=axis)[..., :63, :63] for axis in (-2, -1)], dim=1)
    assert (slopes == slopes[..., :1, :1]).all()
    assert len(slopes[..., 0, 0].flatten(1).unique(dim=0)) == 8


def test_small_pictures_are_continued():
    small = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
    _, clean = source([small], batch_size=4).batch(0)
    assert clean.shape == (4, 3, 64, 64)
    assert set(np.unique(clean)) <= set(np.unique(small))


@pytest.mark.parametrize("axis", [0, 1])
def test_every_pixel_of_a_small_picture_is_drawn(axis):
    rows = np.indices((120, 120))[axis].astype(np.uint8)
    pairs = source([rows], 1, patch_size=96, batch_size=64, clean_fraction=1.0, unaligned_fraction=1.0)
    _, clean = pairs.batch(0)  # cut out of 128 × 128 pixels
    assert np.array_equal(np.unique(clean), np.arange(120))


def test_shares_of_the_recipe():
    shares = {"clean_fraction": 0.25, "grey_fraction": 0.5, "studio_fraction": 0.5}
    pairs = source([np.full((64, 64, 3), (255, 255, 254), np.uint8)], batch_size=400, patch_size=16, **shares)
    _, clean = pairs.batch(0)
    grey, studio = (clean == clean[:, :1]).flatten(1).all(1), clean[:, 0, 0, 0] == 235
    assert float(grey.double().mean()) == pytest.approx(0.5, abs=0.1)
    assert float(studio.double().mean()) == pytest.approx(0.25, abs=0.08)
    assert not (studio & ~grey).any()
    degraded, clean = source([astronaut()], batch_size=400, patch_size=32, **shares).batch(0)
    same = (degraded == clean).flatten(1).all(1)
    assert float(same.double().mean()) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("unaligned", [0.0, 1.0])
def test_the_grid_starts_anywhere_or_at_the_corner(unaligned):
    coarse = (QualityRange(5, 5),)
    pairs = source([camera()], 1, qualities=coarse, unaligned_fraction=unaligned, batch_size=64)
    steps = pairs.batch(1)[0].float().diff(dim=-1).abs().mean(dim=(0, 1, 2))
    at_walls, between = steps[7::8].mean(), torch.cat([steps[k::8] for k in range(7)]).mean()
    assert bool(at_walls > 2 * between) == (not unaligned)


def test_a_batch_is_a_function_of_its_number_and_the_seed():
    first, again, other = (source([astronaut()], seed=seed, double_fraction=0.5) for seed in (1, 1, 2))
    for ours, theirs in zip(first.batch(5), again.batch(5), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(next(first.batches(5))[0], again.batch(5)[0])
    assert not torch.equal(first.batch(5)[0], first.batch(6)[0])
    assert not torch.equal(first.batch(5)[0], other.batch(5)[0])


def test_processes_draw_different_pairs():
    alone, first, second = (source([astronaut()], rank=r, world=w) for r, w in ((0, 1), (0, 2), (1, 2)))
    assert torch.equal(alone.batch(5)[0], first.batch(5)[0])
    assert not torch.equal(first.batch(5)[1], second.batch(5)[1])


def test_qualities_follow_their_weights():
    ranges = (QualityRange(10, 10, 3.0), QualityRange(90, 95, 1.0))
    drawn = source([camera()], qualities=ranges, batch_size=400)._qualities(np.random.default_rng(0))
    assert (drawn == 10).mean() == pytest.approx(0.75, abs=0.07)
    assert set(drawn) == {10, *range(90, 96)}


@pytest.mark.parametrize(
    ("pictures", "changes", "match"),
    [
        ([], {}, "no pictures"),
        ([camera()], {"codecs": (CodecRange("webp", 20, 30),)}, "webp"),
        ([camera()], {"rank": 1, "world": 1}, "rank is 1"),
    ],
)
def test_what_cannot_be_made(pictures, changes, match):
    with pytest.raises(ValueError, match=match):
        source(pictures, **changes)
