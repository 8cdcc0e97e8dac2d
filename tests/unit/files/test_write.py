"""What was read beside the pixels is there again, and a target is whole or absent."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_deartifact.files import write
from napari_deartifact.files.read import read_image
from napari_deartifact.files.write import check_fits, writable_suffixes, write_image


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp"])
def test_pixels_and_metadata_of_a_jpeg_survive(tmp_path, jpeg_file, suffix):
    source = read_image(jpeg_file)
    target = tmp_path / f"restored{suffix}"
    write_image(target, source.pixels, source)
    image = read_image(target)
    assert (image.pixels == source.pixels).all()
    assert image.metadata.orientation == 6
    assert image.metadata.icc == source.metadata.icc
    if suffix == ".png":
        assert image.metadata.dpi == pytest.approx((150, 200), abs=0.1)
    if suffix.startswith(".tif"):
        assert image.metadata.tiff.resolution == pytest.approx((150, 200))
    else:
        with Image.open(target) as picture:
            assert picture.getexif()[0x010F] == "Maker"


def test_jpeg_is_written_when_asked_with_a_warning(tmp_path, jpeg_file):
    source = read_image(jpeg_file)
    target = tmp_path / "again.jpg"
    with pytest.warns(UserWarning, match="brings artifacts back"):
        write_image(target, source.pixels, source)
    image = read_image(target)
    assert image.jpeg.quality == 95
    assert image.jpeg.subsampling == "4:4:4"
    assert image.metadata.orientation == 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pixels_without_a_source(tmp_path, dtype, channels, suffix):
    shape = (9, 14, channels) if channels > 1 else (9, 14)
    pixels = np.random.default_rng(1).integers(0, 255, shape).astype(dtype) * (np.iinfo(dtype).max // 255)
    write_image(tmp_path / f"picture{suffix}", pixels)
    image = read_image(tmp_path / f"picture{suffix}")
    assert image.pixels.dtype == dtype
    assert (image.pixels == pixels).all()
    assert image.rgb == (channels in (3, 4))
    assert image.alpha == (channels in (2, 4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint32])
def test_other_dtypes_need_tiff(tmp_path, dtype):
    pixels = np.arange(20).reshape(4, 5).astype(dtype)
    write_image(tmp_path / "picture.tif", pixels)
    assert read_image(tmp_path / "picture.tif").pixels.dtype == dtype
    for suffix in (".png", ".webp", ".jpg"):
        with pytest.raises(ValueError, match=rf"cannot hold {np.dtype(dtype).name} pixels; .*picture\.tif"):
            write_image(tmp_path / f"picture{suffix}", pixels)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("a.png", (3, 4, 5, 3), "shape"),
        ("a.png", (4, 5, 5), "shape"),
        ("a.jpg", (4, 5, 4), "alpha"),
        ("a.png", (0, 5), "no pixels"),
        ("a.gif", (4, 5), r"suffix '\.gif'; expected one of \.dcm, \.dicom, \.jpeg, \.jpg, \.png"),
        ("a", (4, 5), "suffix ''"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path, name, shape, message):
    with pytest.raises(ValueError, match=message):
        check_fits(tmp_path / name, np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / name, np.zeros(shape, np.uint8))
    assert not list(tmp_path.iterdir())


def test_png_text_and_resolution_survive(tmp_path, grey):
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text("Title", "A field")
    chunks.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    Image.fromarray(grey).save(tmp_path / "a.png", pnginfo=chunks, dpi=(100, 100))
    source = read_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", source.pixels, source)
    assert read_image(tmp_path / "b.png").metadata == source.metadata
    assert source.metadata.text == {"Title": "A field"}
    assert source.metadata.xmp == b"<x:xmpmeta/>"


@pytest.mark.parametrize("suffix", writable_suffixes())
def test_a_failed_write_leaves_nothing_and_harms_nothing(tmp_path, monkeypatch, grey, suffix):
    target = tmp_path / f"picture{suffix}"
    target.write_bytes(b"the old one")

    def write_half(path, *_):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(write._WRITERS, suffix, write_half)
    with pytest.raises(OSError, match="disk full"):
        write_image(target, grey)
    assert [item.name for item in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"the old one"


def test_a_folder_that_is_not_there(tmp_path, grey):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_image(tmp_path / "missing" / "a.png", grey)
