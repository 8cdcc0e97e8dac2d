"""Units by themselves, in strips or as a picture: rounding gives the same."""

import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut, camera, coffee

from napari_deartifact.jpeg import consistency, rounding, strips
from napari_deartifact.jpeg.consistency import project
from napari_deartifact.jpeg.finding import with_cells
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.strips import Places, grid_of, strips_of

CASES = {
    "4:2:0": (coffee()[100:203, 100:243], {"quality": 75, "subsampling": 2}, (0, 0)),
    "4:2:0, whole units": (coffee()[100:196, 100:244], {"quality": 90, "subsampling": 2}, (0, 0)),
    "4:2:2": (coffee()[100:203, 100:233], {"quality": 92, "subsampling": 1}, (0, 0)),
    "4:4:4": (astronaut()[:67, :91], {"quality": 92, "subsampling": 0}, (0, 0)),
    "grey": (camera()[:83, :95], {"quality": 95}, (0, 0)),
    "cut off the grid": (coffee()[100:203, 100:243], {"quality": 75, "subsampling": 2}, (3, 5)),
    "grey, cut off the grid": (camera()[:83, :95], {"quality": 90}, (9, 2)),
    "one unit": (coffee()[:12, :10], {"quality": 50, "subsampling": 2}, (0, 0)),
}


def compressed(case, *, coefficients=False):
    image, options, corner = CASES[case]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    rows, columns = (slice(start, None) for start in corner)
    info = JPEGInfo.from_bytes(stream.getvalue(), coefficients=coefficients).crop(rows, columns)
    return np.asarray(Image.open(stream))[rows, columns], info


@pytest.mark.parametrize("weigh", [False, True])
@pytest.mark.parametrize("units_in_a_strip", [2048, 7])
@pytest.mark.parametrize("case", CASES)
def test_strips_change_nothing(case, units_in_a_strip, weigh, monkeypatch):
    decoded, info = compressed(case)
    smoothed = gaussian_filter(decoded.astype(float), (0.8, 0.8, 0)[: decoded.ndim])
    monkeypatch.setattr(rounding, "_FEW_UNITS", 10**6)
    whole = project(smoothed, decoded, info, whole=True, weigh=weigh)
    monkeypatch.setattr(rounding, "_FEW_UNITS", 0)
    monkeypatch.setattr(strips, "UNITS_IN_A_STRIP", units_in_a_strip)
    in_strips = project(smoothed, decoded, info, whole=True, weigh=weigh)
    assert np.array_equal(in_strips, whole)
    assert not np.array_equal(whole, decoded)


@pytest.mark.parametrize("case", CASES)
def test_every_unit_is_in_one_strip(case):
    decoded, info = compressed(case)
    pixels = torch.from_numpy(np.moveaxis(np.atleast_3d(decoded), -1, 0).astype(float))
    picture = with_cells(pixels, info)
    again = torch.full_like(picture.extended(pixels), torch.nan)
    count = 0
    for places, strip in strips_of(picture):
        count += len(places)
        assert len(places) == np.prod(grid_of(strip))
        for plane, own in zip(again, strip.extended(strip.pixels), strict=True):
            places.put(plane, own)
    assert count == np.prod(grid_of(picture))
    assert torch.equal(picture.cut(again), pixels)


@pytest.mark.parametrize("downwards", [False, True])
def test_some_of_the_units_of_a_strip(downwards):
    values = torch.arange(6 * 8.0).reshape(6, 8)
    places = Places(torch.tensor([0, 2, 1]), torch.tensor([3, 0, 1]), (3, 4), downwards)
    strip = places.taken(values)
    assert strip.shape == ((6, 2) if downwards else (2, 6))
    some, within = places.those(torch.tensor([True, False, True]))
    assert torch.equal(some.taken(values), within.taken(strip))


@pytest.mark.parametrize(("part", "few_units"), [(24, 384), (64, 384), (64, 0)])
@pytest.mark.parametrize("case", CASES)
def test_parts_change_nothing(case, part, few_units, monkeypatch):
    decoded, info = compressed(case, coefficients=True)
    smoothed = gaussian_filter(decoded.astype(float), (0.8, 0.8, 0)[: decoded.ndim])
    whole = project(smoothed, decoded, info, whole=True)
    monkeypatch.setattr(consistency, "_PART", part)
    monkeypatch.setattr(rounding, "_FEW_UNITS", few_units)
    assert np.array_equal(project(smoothed, decoded, info, whole=True), whole)


def test_parts_are_shared_out_among_threads_and_torch_has_as_many_as_before(monkeypatch):
    decoded, info = compressed("4:2:0", coefficients=True)
    monkeypatch.setattr(consistency, "_PART", 32)
    told, meeting = set(), threading.Barrier(2, timeout=60)

    def seen(*arguments):
        if threading.get_ident() not in told:
            told.add(threading.get_ident())
            meeting.wait()  # which one thread alone never leaves
        assert torch.get_num_threads() == 1
        return with_cells(*arguments)

    monkeypatch.setattr(consistency, "with_cells", seen)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        project(decoded, decoded, info, whole=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert len(told) == 2
    assert threading.get_ident() not in told


def test_the_jpeg_of_another_picture_is_told_once_for_all_parts(monkeypatch):
    decoded, info = compressed("4:2:0", coefficients=True)
    monkeypatch.setattr(consistency, "_PART", 32)
    with pytest.warns(UserWarning, match="of the blocks decode to these pixels") as told:
        project(decoded[::-1], decoded[::-1], info, whole=True)
    assert len(told) == 1
    changed = decoded.copy()
    changed[:48, :48] = 255 - changed[:48, :48]
    project(changed, changed, info, whole=True)
