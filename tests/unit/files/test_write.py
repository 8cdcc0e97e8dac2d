"""What was read beside the pixels is there again, and a target is whole or absent."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tifffile
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


def test_a_channel_that_is_no_alpha_does_not_become_one(tmp_path, grey):
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, np.dstack([grey, grey]), photometric="minisblack", planarconfig="contig")
    image = read_image(path)
    assert not image.alpha
    for name in ("a.png", "a.webp", "a.jpg"):
        with pytest.raises(ValueError, match=r"neither colour nor alpha.*name the target a\.tif"):
            write_image(tmp_path / name, image.pixels, image)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("a.png", (3, 4, 5, 3), "shape"),
        ("a.png", (4, 5, 5), "shape"),
        ("a.jpg", (4, 5, 4), "alpha"),
        ("a.png", (0, 5), "no pixels"),
        (
            "a.gif",
            (4, 5),
            r"suffix '\.gif'; expected one of \.dcm, \.dicom, \.jpeg, \.jpg, \.ome\.tif, .*\.png",
        ),
        ("a", (4, 5), "suffix ''"),
        ("a.webp", (4, 16384), "16384×4 pixels, but 16383 along an edge"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path, name, shape, message):
    with pytest.raises(ValueError, match=message):
        check_fits(tmp_path / name, np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / name, np.zeros(shape, np.uint8))
    assert not list(tmp_path.iterdir())


PNG_TEXTS = {"Author": "A. Field", "Title": "Zellkerne, \N{GREEK SMALL LETTER MU}m"}


def _saved_png(path, pixels):
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add_text("Author", PNG_TEXTS["Author"])
    chunks.add_itxt("Title", PNG_TEXTS["Title"])
    chunks.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    Image.fromarray(pixels).save(path, pnginfo=chunks, dpi=(100, 100))
    return path


def test_png_text_and_resolution_survive(tmp_path, grey):
    source = read_image(_saved_png(tmp_path / "a.png", grey))
    write_image(tmp_path / "b.png", source.pixels, source)
    written = read_image(tmp_path / "b.png").metadata
    said = written.text.pop("Software")
    assert said.startswith("JPEG artifacts reduced by napari-deartifact")
    assert written == source.metadata
    assert source.metadata.text == PNG_TEXTS
    assert source.metadata.xmp == b"<x:xmpmeta/>"


def test_png_text_survives_in_deep_colour(tmp_path, rgb):
    like = read_image(_saved_png(tmp_path / "a.png", rgb))
    write_image(tmp_path / "b.png", rgb.astype(np.uint16) * 257, like)
    written = read_image(tmp_path / "b.png")
    assert written.pixels.dtype == np.uint16
    assert written.metadata.text.pop("Software").startswith("JPEG artifacts reduced")
    assert written.metadata.text == PNG_TEXTS
    assert written.metadata.xmp == b"<x:xmpmeta/>"


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


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>text</x:xmpmeta>"


@pytest.fixture
def camera_file(tmp_path, rgb):
    """A JPEG as a camera writes it: EXIF with a directory of its own, GPS and XMP."""
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x8298: "Somebody", 0x0131: "Firmware 1", 0x0132: "2024:01:02 03:04:05"})
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0x9003: "2024:01:02 03:04:05"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 30.0)})
    Image.fromarray(rgb).save(tmp_path / "camera.jpg", quality=60, exif=exif, xmp=XMP)
    return tmp_path / "camera.jpg"


def words(path):
    with Image.open(path) as picture:
        exif = picture.getexif()
        exposure, position = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
        return (
            {code: exif[code] for code in (0x010F, 0x8298, 0x0131, 0x0132)},
            {code: exposure[code] for code in (0x829A, 0x9003)},
            dict(position),
        )


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.filterwarnings("ignore:JPEG brings")
def test_exif_and_xmp_survive(tmp_path, camera_file, suffix):
    """Through one format and back by TIFF, so that TIFF is read as well as written."""
    source = read_image(camera_file)
    expected = words(camera_file)
    for name in (f"a{suffix}", "b.tif", "c.tif", "d.png", "e.jpg"):
        write_image(tmp_path / name, source.pixels, source)
        assert words(tmp_path / name) == expected, name
        source = read_image(tmp_path / name)
        assert source.metadata.xmp == XMP, name


def test_texts_of_a_tiff_survive(tmp_path, grey):
    import tifffile

    tags = [
        (315, 2, 0, "Ängström".encode(), True),
        (33432, 2, 0, "nobody", True),
        (700, 1, len(XMP), XMP, True),
    ]
    tifffile.imwrite(
        tmp_path / "a.tif", grey, extratags=tags, software="Scope 3", datetime="2024:01:02 03:04:05",
        resolution=(100, 200), description="first",
    )  # fmt: skip
    source = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", source.pixels, source)
    write_image(tmp_path / "c.png", source.pixels, source)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        tags = file.pages.first.tags
        found = [tags[code].value for code in (315, 33432, 700, 305, 306, 270)]
        assert found == ["Ängström", "nobody", XMP, "Scope 3", "2024:01:02 03:04:05", "first"]
        assert len({tag.code for tag in tags}) == len(tags)
    assert read_image(tmp_path / "c.png").metadata.xmp == XMP
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.getexif()[33432] == "nobody"


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(40)]
)
def test_damaged_exif_does_not_keep_a_tiff_from_being_written(tmp_path, rgb, exif):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", exif=exif)
    source = read_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b.tif", source.pixels, source)
    assert (read_image(tmp_path / "b.tif").pixels == source.pixels).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_follows_the_byte_order(tmp_path, camera_file, rgb, order):
    import tifffile

    from napari_deartifact.files.tiff_tags import Words

    said = Words.of({}, read_image(camera_file).metadata.exif, XMP)
    tifffile.imwrite(tmp_path / "a.tif", rgb, byteorder=order, photometric="rgb", **said.options())
    said.add_directories(tmp_path / "a.tif")
    assert words(tmp_path / "a.tif") == words(camera_file)


@pytest.mark.parametrize("time", ["yesterday", "2024-01-02T03:04:05", "x" * 19, ""])
def test_odd_texts_do_not_keep_a_tiff_from_being_written(tmp_path, rgb, time):
    exif = Image.Exif()
    exif.update({0x0132: time, 0x0131: b"Gr\xc3\xb6\xc3\x9fe 1"})
    Image.fromarray(rgb).save(tmp_path / "a.jpg", exif=exif)
    source = read_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b.tif", source.pixels, source)
    assert (read_image(tmp_path / "b.tif").pixels == source.pixels).all()


STACK = np.arange(3 * 12 * 16, dtype=np.uint16).reshape(3, 12, 16)
OME_SOURCES = {
    "jpeg": ("photo.jpg", "YXS", None),
    "stack": ("stack.tif", "TYX", None),
    "imagej": ("imagej.tif", "ZYX", ("0.25", "0.5")),
    "microscope": ("fine.tif", "YX", ("0.5", "0.5")),
}


@pytest.fixture
def ome_source(request, tmp_path, jpeg_file):
    name, axes, size = OME_SOURCES[request.param]
    path, options = tmp_path / name, {"photometric": "minisblack"}
    if request.param == "stack":
        tifffile.imwrite(path, STACK, metadata=None, **options)
    elif request.param == "imagej":
        metadata = {"axes": "ZYX", "unit": "um"}
        tifffile.imwrite(path, STACK, imagej=True, resolution=(4, 2), metadata=metadata)
    elif request.param == "microscope":
        tifffile.imwrite(path, STACK[0], resolution=(20000, 20000), resolutionunit=3, description="mine")
    return read_image(path), axes, size


@pytest.mark.parametrize("ome_source", OME_SOURCES, indirect=True)
def test_ome_tiff_of_another_file(tmp_path, ome_source):
    image, axes, size = ome_source
    for name in ("a.ome.tif", "b.ome.tiff"):  # the second of the first, which is OME-TIFF already
        write_image(tmp_path / name, image.pixels, image)
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.is_ome
            assert (file.series[0].axes, file.series[0].shape) == (axes, image.pixels.shape)
            told = dict(re.findall(r'(PhysicalSize[XY])="([^"]*)"', file.ome_metadata))
        assert told == dict(zip(("PhysicalSizeX", "PhysicalSizeY"), size or (), strict=False))
        again = read_image(tmp_path / name)
        assert (again.pixels == image.pixels).all()
        assert (again.rgb, again.metadata.orientation) == (image.rgb, image.metadata.orientation)
        image = again


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 5), np.int64), "int64 pixels"),
        (np.zeros((2, 2, 2, 2, 4, 5), np.uint8), "too many axes"),
    ],
)
def test_what_ome_tiff_cannot_hold(tmp_path, pixels, message):
    with pytest.raises(ValueError, match=rf"a\.ome\.tif cannot hold .*{message}.*name the target a\.tif"):
        write_image(tmp_path / "a.ome.tif", pixels)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("software", "expected"),
    [
        (None, "{note}"),
        ("Camera 1.0", "Camera 1.0; {note}"),
        ("Camera 1.0; restored by X", "Camera 1.0; {note}"),
    ],
)
def test_a_png_says_how_it_was_made(tmp_path, grey, software, expected):
    from PIL.PngImagePlugin import PngInfo

    chunks, note = PngInfo(), "restored by X"
    if software:
        chunks.add_text("Software", software)
    Image.fromarray(grey).save(tmp_path / "a.png", pnginfo=chunks)
    source = read_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", source.pixels, source, note=note)
    assert Image.open(tmp_path / "b.png").text["Software"] == expected.format(note=note)


def test_a_tiff_says_how_it_was_made_unless_it_says_who_made_it(tmp_path, grey):
    write_image(tmp_path / "a.tif", grey, note="restored by X")
    assert _software(tmp_path / "a.tif") == "restored by X"
    tifffile.imwrite(tmp_path / "b.tif", grey, software="Camera 1.0", metadata=None)
    source = read_image(tmp_path / "b.tif")
    write_image(tmp_path / "c.tif", source.pixels, source, note="restored by X")
    assert _software(tmp_path / "c.tif") == "Camera 1.0"


def _software(path):
    with tifffile.TiffFile(path) as file:
        return file.pages[0].tags["Software"].value


def test_exif_of_a_webp_survives_in_a_jpeg(tmp_path, rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(tmp_path / "turned.webp", lossless=True, exif=exif)
    source = read_image(tmp_path / "turned.webp")
    with pytest.warns(UserWarning, match="brings artifacts back"):
        write_image(tmp_path / "turned.jpg", source.pixels, source)
    assert read_image(tmp_path / "turned.jpg").metadata.orientation == 6
