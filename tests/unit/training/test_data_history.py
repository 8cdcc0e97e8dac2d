"""Pictures that were compressed before do not pass for clean ones."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut, camera, cell

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.restoration import deartifact
from napari_deartifact.training.data import Picture, PoisonedDataError, find_pictures, load_pictures
from napari_deartifact.training.data_history import compressed_before
from napari_deartifact.training.data_planes import opened_planes, planes_of_array

GREY, COLOR = camera()[:256, 100:356], astronaut()[:256, 100:356]


def reason(path):
    with opened_planes(path, 2**30) as planes:
        return compressed_before(planes)


@pytest.mark.parametrize("quality", [30, 60, 90])
@pytest.mark.parametrize("picture", [GREY, COLOR, GREY[3:, 5:]], ids=["grey", "colour", "cropped"])
def test_pixels_tell(picture, quality):
    told = compressed_before(planes_of_array(jpeg_round_trip(picture, quality)))
    assert told.startswith(f"its pixels show a JPEG of quality {quality}")


@pytest.mark.parametrize("picture", [GREY, COLOR, cell(), np.zeros((64, 64), np.uint16), np.eye(8)])
def test_clean_pictures_pass(picture):
    assert compressed_before(planes_of_array(picture)) is None


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_other_dtypes_tell_too(dtype):
    degraded = jpeg_round_trip(GREY, 50).astype(dtype)
    assert "quality 50" in compressed_before(planes_of_array(degraded))


def test_a_restored_picture_is_no_ground_truth():
    info = JPEGInfo.from_quality(30, height=256, width=256)
    restored = deartifact(jpeg_round_trip(GREY, 30), "spp", jpeg=info)
    assert "restored" in compressed_before(planes_of_array(restored))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a.jpg", {"quality": 80}, "it is stored as JPEG of quality 80"),
        ("a.jpg", {"quality": 95}, None),
        ("a.webp", {"quality": 80}, "it is a WebP with loss"),
        ("a.webp", {"lossless": True}, None),
        ("a.tif", {"compression": "jpeg", "quality": 70}, "it is stored as JPEG of quality 70"),
    ],
)
def test_headers_tell(tmp_path, name, options, expected):
    Image.fromarray(GREY).save(tmp_path / name, **options)
    assert reason(tmp_path / name) == expected


def test_a_jpeg_saved_anew_does_not_hide_its_past(tmp_path):
    Image.fromarray(jpeg_round_trip(GREY, 50)).save(tmp_path / "a.jpg", quality=97)
    assert "its pixels show" in reason(tmp_path / "a.jpg")


def test_the_middle_plane_stands_for_a_stack(tmp_path):
    stack = np.stack([jpeg_round_trip(np.roll(GREY, 8 * shift, 0), 70) for shift in range(3)])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    assert "quality 70" in reason(tmp_path / "a.tif")


@pytest.fixture
def mixed(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "clean.png")
    Image.fromarray(jpeg_round_trip(GREY, 50)).save(tmp_path / "poisoned.png")
    return [*find_pictures(tmp_path), Picture("layer", jpeg_round_trip(COLOR, 40))]


def test_poisoned_pictures_are_left_out_and_reported(mixed):
    found = load_pictures(mixed)
    assert [picture.name for picture in found.pictures] == ["clean.png"]
    assert set(found.poisoned) == {str(mixed[1]), "layer"}
    assert "quality 40" in found.poisoned["layer"]
    assert "2 files compressed before" in found.summary()


def test_poisoned_pictures_are_kept_on_demand(mixed):
    found = load_pictures(mixed, poisoned="keep")
    assert len(found.pictures) == 3
    assert not found.poisoned


@pytest.mark.parametrize(("first", "policy"), [(0, "refuse"), (1, "skip")])
def test_poisoned_pictures_are_refused(mixed, first, policy):
    with pytest.raises(
        PoisonedDataError, match=r'compressed with loss.*poisoned="keep" \(--keep-jpegs\)'
    ) as caught:
        load_pictures(mixed[first:], poisoned=policy)
    assert caught.value.poisoned


def test_an_unknown_policy(mixed):
    with pytest.raises(ValueError, match="poisoned is 'drop'; expected one of skip, refuse, keep"):
        load_pictures(mixed, poisoned="drop")
