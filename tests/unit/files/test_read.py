"""Every kind of picture file comes in as it is stored, and every bad one is named."""

from __future__ import annotations

import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from napari_deartifact.files.png16 import encode_png
from napari_deartifact.files.read import read_image
from napari_deartifact.files.signatures import file_kind, starts_as_dicom
from napari_deartifact.jpeg.info import JPEGInfo


def test_jpeg_comes_as_stored_with_its_header(jpeg_file, rgb):
    image = read_image(jpeg_file)
    assert image.format == "JPEG"
    assert image.pixels.shape == rgb.shape  # not turned, although EXIF says so
    with Image.open(jpeg_file) as picture:
        assert (image.pixels == np.asarray(picture)).all()
    assert image.channel_axis == -1
    assert image.rgb
    assert not image.alpha
    assert image.jpeg == JPEGInfo.from_file(jpeg_file)
    assert image.jpeg.quality == 30
    assert image.metadata.orientation == 6
    assert image.metadata.dpi == (150, 200)
    assert image.metadata.icc == b"profile" * 10


def test_a_file_is_what_its_bytes_say(tmp_path, jpeg_file):
    path = jpeg_file.rename(tmp_path / "photo.png")
    assert read_image(path).format == "JPEG"


@pytest.mark.parametrize(
    ("mode", "shape", "channel_axis", "color", "alpha"),
    [
        ("1", (50, 63), None, False, False),
        ("L", (50, 63), None, False, False),
        ("LA", (50, 63, 2), -1, False, True),
        ("RGB", (50, 63, 3), -1, True, False),
        ("RGBA", (50, 63, 4), -1, True, True),
        ("P", (50, 63, 3), -1, True, False),
    ],
)
def test_png_modes(tmp_path, rgb, mode, shape, channel_axis, color, alpha):
    path = tmp_path / "picture.png"
    Image.fromarray(rgb).convert(mode).save(path)
    image = read_image(path)
    assert image.pixels.dtype == np.uint8
    assert (image.pixels.shape, image.channel_axis, image.rgb, image.alpha) == (
        shape,
        channel_axis,
        color,
        alpha,
    )
    assert image.jpeg is None
    if mode in ("L", "RGB"):
        assert (image.pixels == np.asarray(Image.fromarray(rgb).convert(mode))).all()


def test_transparent_palette_becomes_rgba(tmp_path, rgb):
    path = tmp_path / "picture.png"
    Image.fromarray(rgb).quantize(16).save(path, transparency=3)
    image = read_image(path)
    assert image.alpha
    assert set(np.unique(image.pixels[..., 3])) == {0, 255}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_every_bit(tmp_path, channels):
    shape = (20, 13, channels) if channels > 1 else (20, 13)
    pixels = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(encode_png(pixels))
    image = read_image(path)
    assert image.pixels.dtype == np.uint16
    assert (image.pixels == pixels).all()
    assert image.alpha == (channels in (2, 4))


@pytest.mark.parametrize(("suffix", "options"), [(".bmp", {}), (".webp", {"lossless": True})])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_other_formats(tmp_path, rgb, suffix, options, mode):
    path = tmp_path / f"picture{suffix}"
    picture = Image.fromarray(rgb).convert(mode)
    picture.save(path, **options)
    expected = picture.convert("RGB") if suffix == ".webp" else picture  # WebP has no grey
    assert (read_image(path).pixels == np.asarray(expected)).all()


def cut(source: Path, share: float) -> None:
    content = source.read_bytes()
    source.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_truncated_jpeg(jpeg_file, share):
    cut(jpeg_file, share)
    with pytest.raises(ValueError, match=r"truncated or damaged.*complete copy") as caught:
        read_image(jpeg_file)
    assert str(jpeg_file) in str(caught.value)


def test_jpeg_cut_within_its_header(jpeg_file):
    cut(jpeg_file, 0.05)
    with pytest.raises(ValueError, match="complete copy"):
        read_image(jpeg_file)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_truncated_png(tmp_path, share, channels, dtype):
    from napari_deartifact.files.write import write_image

    shape = (60, 70, channels) if channels > 1 else (60, 70)
    path = tmp_path / "picture.png"
    write_image(path, np.random.default_rng(0).integers(0, 255, shape).astype(dtype))
    cut(path, share)
    with pytest.raises(ValueError, match=r"picture\.png"):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.jpg", b"just some text", "not a picture that can be read; expected a JPEG, PNG"),
        ("nothing.jpg", b"", "is empty"),
        ("stub.jpg", b"\xff\xd8\xff\xe0", "damaged JPEG header"),
        ("stub.tif", b"II*\0", "damaged|truncated"),
        ("stub.png", b"\x89PNG\r\n\x1a\n", "damaged|not a picture"),
        ("noise.bmp", b"BM" + bytes(60), "damaged|not a picture"),
    ],
)
def test_what_is_no_picture(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_image(path)
    assert name in str(caught.value)


def test_cmyk_is_refused(tmp_path, rgb):
    path = tmp_path / "print.jpg"
    Image.fromarray(rgb).convert("CMYK").save(path)
    with pytest.raises(ValueError, match=r"CMYK.*convert it to RGB"):
        read_image(path)


def test_animations_are_refused(tmp_path, rgb):
    path = tmp_path / "moving.webp"
    frames = [Image.fromarray(rgb), Image.fromarray(rgb[::-1])]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(ValueError, match="animation of 2 frames"):
        read_image(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.png; check the name"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)


def test_implausible_size(tmp_path, jpeg_file):
    content = bytearray(jpeg_file.read_bytes())
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = b"\xff\xff\xff\xff"
    jpeg_file.write_bytes(content)
    with pytest.raises(ValueError, match="implausible size"):
        read_image(jpeg_file)


@pytest.mark.parametrize("channels", [1, 3])
def test_12_bit_jpeg(tmp_path, monkeypatch, rgb, channels):
    pixels = (rgb if channels == 3 else rgb[..., 1]).astype(np.uint16) << 4
    path = tmp_path / "deep.jpg"
    path.write_bytes(imagecodecs.jpeg_encode(pixels, level=95, bitspersample=12))
    image = read_image(path)
    assert image.pixels.dtype == np.uint16
    assert np.abs(image.pixels - pixels.astype(float)).mean() < 40
    assert (image.rgb, image.jpeg.precision, image.jpeg.shape) == (channels == 3, 12, (50, 63))
    exif = Image.Exif()
    exif[274] = 6
    said, content = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0"), path.read_bytes()
    segment = b"\xff\xe1" + (len(said) + 2).to_bytes(2, "big") + said
    path.write_bytes(content[:2] + segment + content[2:])
    told = Image.Exif()
    told.load(read_image(path).metadata.exif)
    assert told[274] == 6
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ModuleNotFoundError, match=r"deep\.jpg is a JPEG of 12 bits.*pip install"):
        read_image(path)


@pytest.mark.parametrize(("marker", "name"), [(b"\xff\xc3", "lossless"), (b"\xff\xc9", "arithmetic-coded")])
def test_other_jpeg_processes_are_named(jpeg_file, marker, name):
    jpeg_file.write_bytes(jpeg_file.read_bytes().replace(b"\xff\xc0", marker))
    with pytest.raises(ValueError, match=rf"photo\.jpg is of a kind that is not read: {name} JPEG"):
        read_image(jpeg_file)


def test_damaged_exif_does_not_hide_the_picture(tmp_path, grey):
    path = tmp_path / "picture.jpg"
    Image.fromarray(grey).save(path, exif=b"Exif\0\0II*\0garbage")
    image = read_image(path)
    assert image.pixels.shape == grey.shape
    assert image.metadata.orientation == 1


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("a", b"II*\0".ljust(128, b"\0") + b"DICM", "dicom"),
        ("a.tif", b"II*\0".ljust(200, b"\0"), "tiff"),
        ("a.dcm", b"II*\0".ljust(200, b"\0"), "tiff"),
        ("a.dcm", b"\xff\xd8\xff", "jpeg"),
        ("a.dcm", b"\x08\0\x05\0", "dicom"),
        ("a", b"xxDICM", "other"),
        ("a.dcm", b"", ""),
    ],
)
def test_what_a_file_is_its_first_bytes_say(tmp_path, name, start, kind):
    (tmp_path / name).write_bytes(start)
    assert file_kind(tmp_path / name) == kind
    assert starts_as_dicom(tmp_path / name) == (start[128:] == b"DICM")
