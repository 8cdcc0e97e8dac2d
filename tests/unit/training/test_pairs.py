"""Pairs are the recipe's, and the same every time they are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.training.data import Picture
from napari_deartifact.training.pairs import PairSource, to_grey, validation_pairs


@pytest.mark.parametrize("channels", [1, 3])
def test_pairs_have_the_shape_and_degradation_of_the_recipe(loaded, recipe, channels):
    source = PairSource(loaded.pictures, recipe.data, channels, seed=0)
    degraded, clean = source.batch(0)
    assert degraded.shape == clean.shape == (2, channels, 32, 32)
    assert degraded.dtype == clean.dtype == torch.uint8
    error = (degraded.float() - clean.float()).square().mean()
    assert 10 < error < 500


def test_a_batch_depends_on_seed_and_number_alone(loaded, recipe):
    source, again, other = (PairSource(loaded.pictures, recipe.data, 3, seed) for seed in (0, 0, 1))
    ahead = source.batches(5)
    next(ahead)
    sixth = next(ahead)
    ahead.close()
    for first, second in zip(sixth, again.batch(6), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(sixth[0], other.batch(6)[0])
    assert not torch.equal(sixth[0], again.batch(7)[0])


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_batch_that_one_would_make(loaded, recipe, world):
    mixed = replace(recipe.data, batch_size=2, double_fraction=0.5, grey_fraction=0.5, clean_fraction=0.2)
    whole = PairSource(loaded.pictures, replace(mixed, batch_size=2 * world), 3, 7)
    parts = [PairSource(loaded.pictures, mixed, 3, 7, rank=rank, world=world) for rank in range(world)]
    for step in (0, 11):
        batches = [part.batch(step) for part in parts]
        for side, expected in zip(zip(*batches, strict=True), whole.batch(step), strict=True):
            assert torch.equal(torch.cat(side), expected)


@pytest.mark.parametrize(("rank", "world"), [(-1, 2), (2, 2), (0, 0)])
def test_a_rank_outside_the_world_is_refused(loaded, recipe, rank, world):
    with pytest.raises(ValueError, match=f"rank is {rank} of a world of {world}"):
        PairSource(loaded.pictures, recipe.data, 3, 0, rank=rank, world=world)


def test_an_error_in_the_thread_reaches_the_loop(recipe):
    source = PairSource([Picture("bad", np.zeros((40, 40, 2), np.uint8))], recipe.data, 3, 0)
    with pytest.raises(ValueError, match=r"matmul|shape"):
        next(source.batches(0))


def test_clean_pairs_are_identical(loaded, recipe):
    source = PairSource(loaded.pictures, replace(recipe.data, clean_fraction=1.0), 3, 0)
    degraded, clean = source.batch(0)
    assert torch.equal(degraded, clean)


@pytest.mark.parametrize("shape", [(5, 200), (20, 20, 3), (1, 1)])
def test_pictures_smaller_than_a_patch_are_mirrored(recipe, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    degraded, _ = PairSource([Picture("small", pixels)], recipe.data, 3, 0).batch(0)
    assert degraded.shape == (2, 3, 32, 32)


def test_grey_is_rec_601_luma_in_either_range():
    pixels = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)
    assert to_grey(pixels).tolist() == [[255, 0, 76]]
    assert to_grey(pixels, studio=True).tolist() == [[235, 16, 81]]


def test_validation_pairs_alternate_color_and_grey(loaded):
    color = [picture for picture in loaded.pictures if picture.pixels.ndim == 3]
    pairs = validation_pairs(color, 30, 3, size=64)
    for index, (degraded, clean) in enumerate(pairs):
        pixels = clean[0].permute(1, 2, 0).numpy()
        grey = bool(index % 2)
        assert (pixels == pixels[..., :1]).all() == grey
        expected = jpeg_round_trip(pixels[..., 0] if grey else pixels, 30)
        actual = degraded[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(actual[..., 0] if grey else actual, expected)
    assert torch.equal(*validation_pairs(color, None, 3, size=64)[0])
