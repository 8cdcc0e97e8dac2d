"""Files become pictures or are reported; the memory budget and the split by file are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.training.data import find_pictures, load_pictures, read_picture

RAMP = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


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
