"""Codecs beside JPEG: what comes back, what is refused, and files of a wanted size."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage.data import astronaut, camera

from napari_deartifact.degradation import (
    CODECS,
    codecs,
    encode_to_size,
    find_codec,
    jpeg12_decode,
    jpeg12_encode,
    jpeg12_round_trip,
    jpeg_encode,
    jpeg_round_trip,
)
from napari_deartifact.metrics import psnr

GREY = camera()[100:164, 200:280]
COLOR = astronaut()[100:164, 200:280]
NAMES = list(CODECS)
QUALITIES = {"jpeg": (10, 90), "webp": (5, 95), "jpeg2000": (25, 45), "avif": (10, 90), "jpegxl": (10, 95)}
MAGIC = {
    "jpeg": (0, b"\xff\xd8"),
    "webp": (8, b"WEBP"),
    "jpeg2000": (4, b"jP  "),
    "avif": (4, b"ftypavif"),
    "jpegxl": (0, b"\xff\n"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "image", [GREY, COLOR, GREY[:1, :1], COLOR[:3, :5], GREY[::-2, ::-1], COLOR[:, ::-1]]
)
def test_shape_and_dtype_come_back(name, image):
    degraded = CODECS[name].round_trip(image, QUALITIES[name][1])
    assert degraded.shape == image.shape
    assert degraded.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", [GREY, COLOR])
def test_quality_orders_size_and_error(name, image):
    coarse, fine = (CODECS[name].encode(image, quality) for quality in QUALITIES[name])
    offset, magic = MAGIC[name]
    assert coarse[offset : offset + len(magic)] == magic
    assert len(coarse) < len(fine)
    grey = image.ndim == 2
    errors = [psnr(image, CODECS[name].decode(data, grey=grey)) for data in (coarse, fine)]
    assert 15 < errors[0] < errors[1] - 3
    assert errors[1] > 30


@pytest.mark.parametrize("name", NAMES)
def test_the_same_picture_gives_the_same_file(name):
    quality = QUALITIES[name][0]
    assert CODECS[name].encode(COLOR, quality) == CODECS[name].encode(COLOR.copy(), quality)


def test_jpeg_is_libjpegs():
    np.testing.assert_array_equal(CODECS["jpeg"].round_trip(COLOR, 30), jpeg_round_trip(COLOR, 30))


def test_the_quality_of_jpeg_2000_is_a_psnr():
    assert psnr(camera(), CODECS["jpeg2000"].round_trip(camera(), 35)) == pytest.approx(35, abs=0.5)


@pytest.mark.parametrize(
    ("name", "image", "quality", "error", "message"),
    [
        ("webp", GREY.astype(np.uint16), 50, TypeError, "uint16"),
        ("avif", GREY[None], 50, ValueError, r"\(1, 64, 80\)"),
        ("jpegxl", GREY[:0], 50, ValueError, r"\(0, 80\)"),
        ("webp", GREY, 101, ValueError, "quality is 101; expected 0 to 100 for WebP"),
        ("jpeg2000", GREY, 5, ValueError, "expected 10 to 70 for JPEG 2000"),
        ("avif", GREY, 50.5, ValueError, "whole number for AVIF"),
        ("jpeg", GREY, 0, ValueError, "expected 1 to 100 for JPEG"),
    ],
)
def test_what_a_codec_cannot_do_is_refused(name, image, quality, error, message):
    with pytest.raises(error, match=message):
        CODECS[name].encode(image, quality)


def test_an_unknown_codec_is_named_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"'jpegxxl' \(did you mean 'jpegxl'\?\); expected one of jpeg, webp"
    ):
        find_codec("jpegxxl")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", [camera()[:256, :256], astronaut()[:192, 100:356]])
def test_a_file_of_the_size_of_a_jpeg(name, image):
    size = len(jpeg_encode(image, 20))
    quality, data = encode_to_size(image, name, size)
    assert len(data) == pytest.approx(size, rel=0.05)
    assert data == CODECS[name].encode(image, quality)
    if name == "jpeg":
        assert quality == 20


@pytest.mark.parametrize(("size", "quality"), [(1, 0), (10**6, 100)])
def test_out_of_reach_the_nearest_file_is_given(size, quality):
    _, data = encode_to_size(GREY, "avif", size)
    assert len(data) == pytest.approx(len(CODECS["avif"].encode(GREY, quality)), rel=0.01)


def test_a_size_without_bytes_is_refused():
    with pytest.raises(ValueError, match="size is 0"):
        encode_to_size(GREY, "webp", 0)


@pytest.mark.parametrize(
    ("name", "missing"), [("jpegxl", "JPEG XL"), ("avif", "AVIF"), ("jpeg2000", "JPEG 2000")]
)
def test_a_missing_library_is_named_with_its_extra(name, missing, monkeypatch):
    monkeypatch.setattr(codecs, "pillow_knows", lambda _: False)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ImportError, match=rf"{missing} needs imagecodecs.*napari-deartifact\[codecs\]"):
        CODECS[name].encode(GREY, 40)


def test_a_library_without_the_codec_is_named(monkeypatch):
    import imagecodecs

    monkeypatch.setattr(imagecodecs, "JPEGXL", object())
    with pytest.raises(ImportError, match="JPEG XL is missing from imagecodecs"):
        CODECS["jpegxl"].encode(GREY, 40)


@pytest.mark.parametrize("name", ["avif", "jpeg2000"])
@pytest.mark.parametrize("image", [GREY, COLOR])
def test_imagecodecs_stands_in_where_pillow_cannot(name, image, monkeypatch):
    pillows = CODECS[name].round_trip(image, 40)
    monkeypatch.setattr(codecs, "pillow_knows", lambda _: False)
    others = CODECS[name].round_trip(image, 40)
    assert others.shape == image.shape
    assert psnr(image, others) == pytest.approx(psnr(image, pillows), abs=1)


@pytest.mark.parametrize("image", [GREY, COLOR])
def test_twelve_bits_come_back(image):
    deep = image.astype(np.uint16) * 16
    coarse, fine = (jpeg12_round_trip(deep, quality) for quality in (5, 95))
    assert coarse.shape == fine.shape == image.shape
    assert coarse.dtype == fine.dtype == np.uint16
    assert fine.max() > 255
    errors = [np.abs(side - deep.astype(float)).mean() for side in (coarse, fine)]
    assert 2 * errors[1] < errors[0] < 100
    np.testing.assert_array_equal(jpeg12_decode(jpeg12_encode(deep, 95)), fine)


@pytest.mark.parametrize(
    ("image", "quality", "error", "message"),
    [
        (GREY, 50, TypeError, "image is uint8; this codec takes uint16"),
        (np.full((8, 8), 4096, np.uint16), 50, ValueError, "image goes up to 4096"),
        (np.zeros((8, 8), np.uint16), 0, ValueError, "quality is 0"),
        (np.zeros((2, 8, 8), np.uint16), 50, ValueError, r"\(2, 8, 8\)"),
    ],
)
def test_what_twelve_bits_cannot_hold_is_refused(image, quality, error, message):
    with pytest.raises(error, match=message):
        jpeg12_encode(image, quality)


def test_12_bits_of_either_byte_order():
    deep = GREY.astype(np.uint16) * 16
    assert jpeg12_encode(deep.astype(">u2"), 50) == jpeg12_encode(deep.astype("<u2"), 50)


def test_what_12_bit_jpeg_does_not_have():
    with pytest.raises(ValueError, match="subsampling is '4:1:1'; expected one of 4:2:0"):
        jpeg12_encode(COLOR.astype(np.uint16), 50, subsampling="4:1:1")
    with pytest.raises(ValueError, match="8 bits; use jpeg_decode"):
        jpeg12_decode(jpeg_encode(GREY, 50))


def test_a_side_longer_than_libjpeg_writes():
    with pytest.raises(ValueError, match=r"\(1, 70000\); libjpeg writes 65500 pixels a side"):
        jpeg_encode(np.zeros((1, 70000), np.uint8), 50)
