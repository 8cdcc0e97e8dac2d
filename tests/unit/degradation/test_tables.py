"""Tables of other makers: scaled as libjpeg scales its own, and written into the files."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, camera

from napari_deartifact.degradation import (
    DegradationSampler,
    Encoding,
    find_codec,
    find_tables,
    jpeg12_round_trip,
    jpeg_encode,
    jpeg_round_trip,
)
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import quality_table, scale_table

GREY = camera()[100:164, 200:280]
COLOR = astronaut()[100:164, 200:280]
OWN = tuple(tuple(range(start, start + 64)) for start in (3, 20))


def test_annex_k_is_libjpegs():
    (tables,) = find_tables("annex-k")
    for quality in range(1, 101):
        for chroma in (False, True):
            expected = quality_table(quality, chroma=chroma)
            np.testing.assert_array_equal(scale_table(tables, quality)[int(chroma)], expected)


def test_varied_tables_lie_between_flat_and_steep():
    tables = find_tables("varied")
    slopes = np.log(tables[:, 0, 7, 7] / tables[:, 0, 0, 0])
    assert slopes.min() < 0.5 < 1.8 < slopes.max()
    assert len({scale_table(pair, 50).tobytes() for pair in tables}) == len(tables)
    geometric = np.exp(np.log(tables[:, 0]).mean(axis=(-2, -1)))
    assert geometric == pytest.approx(np.exp(np.log(quality_table(50)).mean()), rel=0.01)
    np.testing.assert_array_equal(find_tables("varied"), tables)


@pytest.mark.parametrize("grey", [True, False])
def test_tables_of_a_file(tmp_path, grey):
    path = tmp_path / "scan.jpg"
    path.write_bytes(jpeg_encode(GREY if grey else COLOR, tables=OWN[:1] if grey else OWN))
    (tables,) = find_tables(str(path))
    own = scale_table(tables, JPEGInfo.from_file(path).quality)
    np.testing.assert_array_equal(own.reshape(2, 64), [OWN[0], OWN[0]] if grey else OWN)
    assert (scale_table(tables, 5) > own).all()


@pytest.mark.parametrize("name", ["flatt", "notes.txt"])
def test_what_is_no_table(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=f"{name}.*expected one of annex-k, flat, varied, or a JPEG file"):
        find_tables(name)


def test_kinds_are_drawn_with_equal_chance():
    sampler = DegradationSampler(qualities=((50, 50, 1.0),), tables=("flat", "varied"))
    generator = np.random.default_rng(0)
    drawn = [sampler.sample(generator).encodings[0].tables for _ in range(600)]
    flat = [tables == ((32,) * 64,) * 2 for tables in drawn]
    assert np.mean(flat) == pytest.approx(0.5, abs=0.06)
    assert len(set(drawn)) == 33


@pytest.mark.parametrize("image", [GREY, COLOR])
def test_an_encoding_uses_its_tables(image):
    degraded = Encoding(50, tables=OWN).apply(image)
    np.testing.assert_array_equal(degraded, jpeg_round_trip(image, tables=OWN)[:48, :64])


@pytest.mark.parametrize("image", [GREY, COLOR])
def test_eight_bits_through_a_jpeg_of_twelve(image):
    codec = find_codec("jpeg12")
    degraded = codec.round_trip(image, 1)
    deep = jpeg12_round_trip(np.rint(image * (4095 / 255)).astype(np.uint16), 1)
    np.testing.assert_array_equal(degraded, np.rint(deep * (255 / 4095)))
    errors = [np.abs(codec.round_trip(image, quality) - image.astype(int)).mean() for quality in (1, 90)]
    assert errors[0] > 2
    assert errors[1] < errors[0] / 2
