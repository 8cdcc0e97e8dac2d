"""What a recipe may ask of its tables and codecs, and that the pairs have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut, camera

from napari_deartifact.degradation import find_codec, find_tables, jpeg_round_trip
from napari_deartifact.jpeg.tables import scale_table
from napari_deartifact.training.data import Picture
from napari_deartifact.training.data_recipe import CodecRange, DataRecipe, QualityRange
from napari_deartifact.training.pairs import PairSource
from napari_deartifact.training.schema import RecipeError

SIZE = 48
RECIPE = DataRecipe(SIZE, 4, (QualityRange(20, 20),), unaligned_fraction=0.0)


def pairs(recipe, pixels):
    degraded, clean = PairSource([Picture("a", pixels)], recipe, 3, 0).batch(0)
    return [
        (theirs.permute(1, 2, 0).numpy(), ours.permute(1, 2, 0).numpy())
        for theirs, ours in zip(degraded, clean, strict=True)
    ]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_pairs_have_the_tables_of_the_recipe(subsampling):
    flat = scale_table(find_tables("flat")[0], 20).reshape(2, 64).tolist()
    for degraded, clean in pairs(replace(RECIPE, tables=("flat",), subsamplings=(subsampling,)), astronaut()):
        expected = jpeg_round_trip(clean, tables=flat, subsampling=subsampling)
        np.testing.assert_array_equal(degraded[:32, :32], expected[:32, :32])  # the rest had neighbours


def test_pairs_of_twelve_bits():
    twelve = replace(RECIPE, qualities=(), codecs=(CodecRange("jpeg12", 5, 5),))
    for degraded, clean in pairs(twelve, camera()):
        expected = find_codec("jpeg12").round_trip(clean[..., 0], 5)
        np.testing.assert_array_equal(degraded[..., 0], expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": ()}, "data.tables is empty"),
        ({"tables": ("flat", "round")}, "data.tables: 'round' is no kind"),
        ({"tables": ("flat",), "subsamplings": ("4:2:0", "4:1:1")}, "with the subsampling 4:1:1"),
    ],
)
def test_what_cannot_be_made_is_refused(changes, message):
    with pytest.raises(RecipeError, match=message):
        replace(RECIPE, **changes)
