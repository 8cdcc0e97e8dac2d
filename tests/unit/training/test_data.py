"""Files become pictures or are reported; the memory budget and the split by file are kept."""

from __future__ import annotations

import errno
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.files.plan import plan_jobs
from napari_deartifact.files.sources import UnlistedFolderWarning
from napari_deartifact.training.data import (
    Picture,
    find_pictures,
    planes_of_array,
)
from napari_deartifact.training.data import load_pictures as load_and_look

RAMP = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
load_pictures = partial(load_and_look, poisoned="keep")
NOISE = np.random.default_rng(0).integers(0, 256, (9, 40, 32), dtype=np.uint8)


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


def test_hidden_files_are_passed_over(pictures, tmp_path):
    for name in ("a.png", "._a.png", ".thumbnails/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(NOISE[0]).save(tmp_path / name)
    assert find_pictures(tmp_path) == [tmp_path / "a.png"]


def test_a_folder_that_cannot_be_listed_is_named(pictures, not_listed):
    (pictures / "closed").mkdir()
    expected = find_pictures(pictures)
    not_listed("closed", errno.EACCES)
    with pytest.warns(UnlistedFolderWarning, match=r"closed cannot be listed \(Permission denied\)"):
        assert find_pictures(pictures) == expected


def test_a_folder_holds_the_same_pictures_for_training_as_for_a_batch(tmp_path):
    for name in ("IM-0001", "1.2.840.7", "b.dcm", "DICOMDIR", "c.txt"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes").write_text("no picture")
    found = find_pictures(tmp_path)
    assert [path.name for path in found] == ["1.2.840.7", "IM-0001", "b.dcm"]
    assert sorted(job.source for job in plan_jobs(tmp_path, tmp_path / "out")) == found


def test_arrays_and_pictures_stand_beside_files(tmp_path):
    Image.fromarray(NOISE[0]).save(tmp_path / "a.png")
    ready = Picture("ready", NOISE[1])
    layer = planes_of_array(NOISE[:6].reshape(2, 3, 40, 32), "layer", rgb=False, channel_axis=1)
    found = find_pictures([ready, str(tmp_path), NOISE[2], NOISE[3:5], layer])
    names = {picture.name: picture for picture in load_pictures(found).pictures}
    assert set(names) == {
        "a.png", "ready", "array 1", "array 2#0", "array 2#1", *(f"layer#{number}" for number in range(6))
    }  # fmt: skip
    np.testing.assert_array_equal(names["array 2#1"].pixels, NOISE[4])
    assert [picture.name for picture in load_pictures(find_pictures(NOISE[0])).pictures] == ["array 0"]


@pytest.mark.parametrize("source", [[], [np.zeros((4, 4), complex)], np.zeros(7, np.uint8)])
def test_what_is_no_picture(source):
    with pytest.raises((FileNotFoundError, TypeError, ValueError), match="expected"):
        find_pictures(source)


def test_an_unreadable_file_is_reported_and_skipped(pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    found = load_pictures([*find_pictures(pictures), *find_pictures(tmp_path)])
    assert len(found.pictures) == 5
    assert set(found.skipped) == {str(broken)}
    assert "1 file unreadable" in found.summary()


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of 1 files could be read"):
        load_pictures(find_pictures(tmp_path))


@pytest.mark.parametrize("budget", [30_000, 100_000, 150_000])
def test_the_memory_budget_is_kept(pictures, budget):
    found, again = (load_pictures(find_pictures(pictures), memory=budget) for _ in range(2))
    assert 0 < sum(picture.pixels.nbytes for picture in found.pictures) <= budget
    assert found.left_out == 5 - len(found.pictures) > 0
    assert [picture.name for picture in again.pictures] == [picture.name for picture in found.pictures]


def test_a_large_stack_leaves_room_for_others(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.tile(NOISE, (20, 1, 1)), photometric="minisblack")
    for number, plane in enumerate(NOISE[:5]):
        tifffile.imwrite(tmp_path / f"{number}.tif", plane)
    found = load_pictures(find_pictures(tmp_path), memory=40 * NOISE[0].nbytes)
    of_stack = [picture.name for picture in found.pictures if picture.file.endswith("stack.tif")]
    assert (len(of_stack), len(found.pictures), found.left_out) == (10, 15, 1)
    assert {int(name.split("#")[1]) for name in of_stack} - set(range(10))


def test_nothing_fits(pictures):
    with pytest.raises(ValueError, match="5 need more than the 100 bytes"):
        load_pictures(find_pictures(pictures), memory=100)


def test_small_pictures_are_counted(pictures, tmp_path):
    Image.fromarray(NOISE[0]).save(tmp_path / "small.png")
    found = load_pictures(find_pictures([pictures, tmp_path]), patch_size=96)
    assert found.small == ("small.png",)
    assert load_pictures(find_pictures(tmp_path), patch_size=64).small == ("small.png",)
    with pytest.raises(
        ValueError, match="smaller than half a patch: 32 pixels at most, where a patch has 96"
    ):
        load_pictures(find_pictures(tmp_path), patch_size=96)


def test_blank_planes_are_left_out(tmp_path):
    stack = NOISE.astype(np.float32)
    stack[2], stack[4] = 7, np.nan
    stack[5, :10] = np.nan
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    found = load_pictures(find_pictures(tmp_path))
    assert [picture.name for picture in found.pictures] == [f"stack.tif#{n}" for n in (0, 1, 3, 5, 6, 7, 8)]
    assert found.blank == 2
    assert not found.pictures[3].pixels[:10].any()
    with pytest.raises(ValueError, match="3 planes show nothing"):
        load_pictures(find_pictures(np.zeros((3, 20, 20), np.uint8)))


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


def test_planes_of_a_file_stay_together():
    pictures = find_pictures([planes_of_array(NOISE, name) for name in ("a.tif", "b.tif", "c.tif")])
    training, validation = load_pictures(pictures).split(0.4, seed=3)
    files = [{picture.file for picture in part} for part in (training, validation)]
    assert (len(training), len(validation)) == (18, 9)
    assert not files[0] & files[1]


def test_files_of_the_same_name_are_two(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        Image.fromarray(NOISE[0]).save(tmp_path / folder / "a.png")
    training, validation = load_pictures(find_pictures(tmp_path)).split(0.5, seed=0)
    assert len(training) == len(validation) == 1


def test_of_a_single_file_a_part_validates():
    wide = np.tile(NOISE, (1, 1, 12))
    training, validation = load_pictures(find_pictures(wide)).split(0.1, seed=0)
    assert len(training) == len(validation) == 9
    for first, last, whole in zip(training, validation, wide, strict=True):
        assert last.pixels.shape == (40, 64)
        np.testing.assert_array_equal(np.hstack([first.pixels, last.pixels]), whole)
    assert load_pictures(find_pictures(wide)).split(0.0, seed=0)[1] == ()
