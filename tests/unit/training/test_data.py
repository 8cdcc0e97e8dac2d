"""Files become pictures, and pictures the same pairs every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.training.data import (
    PairSource,
    Picture,
    find_pictures,
    load_pictures,
    read_picture,
    to_grey,
    validation_pairs,
)

RAMP = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


@pytest.fixture
def loaded(pictures):
    return load_pictures(find_pictures(pictures))


def test_a_folder_a_pattern_and_a_list_find_the_same_files(pictures):
    (pictures / "notes.txt").write_text("not a picture")
    listed = find_pictures(pictures)
    assert [path.name for path in listed] == [
        f"{n}.png" for n in ("astronaut", "camera", "cell", "coffee", "moon")
    ]
    assert find_pictures(str(pictures / "*.png")) == listed
    assert find_pictures([*listed, pictures]) == listed


@pytest.mark.parametrize("source", ["nowhere", "nowhere/*.png"])
def test_nothing_found_is_an_error(tmp_path, source):
    with pytest.raises(FileNotFoundError, match="no image files at"):
        find_pictures(tmp_path / source)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no image files at"):
        find_pictures(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("color", [True, False])
def test_eight_bits_come_as_they_are(tmp_path, suffix, color):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3) if color else (20, 30), dtype=np.uint8)
    path = tmp_path / f"picture{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(path, **options)
    expected = pixels
    if suffix == ".webp" and not color:  # WebP has no grey
        expected = np.repeat(pixels[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_picture(path), expected)


def test_alpha_is_left_out(tmp_path):
    Image.new("RGBA", (9, 7), (10, 20, 30, 40)).save(tmp_path / "alpha.png")
    assert read_picture(tmp_path / "alpha.png").tolist()[0][0] == [10, 20, 30]


@pytest.mark.parametrize("name", ["deep.tif", "deep.png"])
def test_sixteen_bits_are_windowed_by_percentiles(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".tif":
        tifffile.imwrite(path, RAMP)
    else:
        Image.fromarray(RAMP).save(path)
    pixels = read_picture(path)
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.uint8, 0, 255)
    assert abs(float(pixels.mean()) - 127.5) < 1


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_signed_and_float_pictures_are_windowed_too(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "signed.tif", RAMP.astype(dtype) - 1000)
    assert read_picture(tmp_path / "signed.tif").max() == 255


def test_a_constant_picture_stays_constant(tmp_path):
    tifffile.imwrite(tmp_path / "flat.tif", np.full((16, 16), 700, np.uint16))
    assert np.unique(read_picture(tmp_path / "flat.tif")).size == 1


def test_an_unreadable_file_is_reported_and_skipped(pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 16, 16), np.uint8), photometric="minisblack")
    found = load_pictures([*find_pictures(pictures), *find_pictures(tmp_path)])
    assert len(found.pictures) == 5
    assert set(found.skipped) == {str(broken), str(tmp_path / "stack.tif")}
    assert "(5, 16, 16)" in found.skipped[str(tmp_path / "stack.tif")]


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of 1 files could be read"):
        load_pictures(find_pictures(tmp_path))


def test_the_memory_budget_is_kept(pictures):
    budget = 150_000
    found = load_pictures(find_pictures(pictures), memory=budget)
    assert 0 < sum(picture.pixels.nbytes for picture in found.pictures) <= budget
    assert found.left_out == 5 - len(found.pictures) > 0


def test_the_split_is_by_file_and_by_seed(loaded):
    training, validation = loaded.split(0.4, seed=1)
    names = [{picture.name for picture in part} for part in (training, validation)]
    assert [len(part) for part in names] == [3, 2]
    assert not names[0] & names[1]
    shuffled = replace(loaded, pictures=loaded.pictures[::-1])
    assert {picture.name for picture in shuffled.split(0.4, seed=1)[1]} == names[1]
    assert {frozenset(p.name for p in loaded.split(0.4, seed=s)[1]) for s in range(20)} > {
        frozenset(names[1])
    }


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.01, 1), (0.5, 2)])
def test_at_least_one_file_validates(loaded, fraction, count):
    assert len(loaded.split(fraction, 0)[1]) == count


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
