"""A JPEG's record is what its header says, as libjpeg and Pillow mean it."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from napari_deartifact import JPEGInfo
from napari_deartifact.jpeg.tables import nearest_quality, quality_table


def encode(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("quality", [1, 2, 10, 24, 25, 49, 50, 75, 90, 95, 100])
def test_tables_are_those_of_libjpeg(quality):
    info = JPEGInfo.from_bytes(encode(skimage.data.astronaut()[:16, :16], quality=quality))
    for component, chroma in enumerate([False, True, True]):
        np.testing.assert_array_equal(info.table(component), quality_table(quality, chroma=chroma))
    assert info.quality == quality
    assert info.has_standard_tables
    assert info.tables == JPEGInfo.from_quality(quality, height=9, width=9, subsampling="4:4:4").tables


def test_every_quality_is_recognised():
    assert [nearest_quality(quality_table(quality)) for quality in range(1, 101)] == list(range(1, 101))


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_no_such_quality(quality):
    with pytest.raises(ValueError, match="expected 1 to 100"):
        quality_table(quality)


@pytest.mark.parametrize(("subsampling", "mcu"), [("4:4:4", (8, 8)), ("4:2:2", (8, 16)), ("4:2:0", (16, 16))])
def test_sampling(subsampling, mcu):
    data = encode(skimage.data.astronaut()[:40, :56], quality=30, subsampling=subsampling)
    info = JPEGInfo.from_bytes(data)
    assert (info.subsampling, info.mcu, info.shape, info.color_space) == (subsampling, mcu, (40, 56), "ycbcr")
    assert info == JPEGInfo.from_quality(30, height=40, width=56, subsampling=subsampling)


def test_grey_progressive_and_own_tables():
    table = [min(255, 3 + 2 * index) for index in range(64)]
    data = encode(skimage.data.camera()[:40, :56], qtables=[table], progressive=True)
    info = JPEGInfo.from_bytes(data)
    assert (info.subsampling, info.color_space, info.progressive, info.mcu) == ("grey", "grey", True, (8, 8))
    assert info.table(0)[0, 1] == 5
    assert info.table(0)[7, 7] == table[63]
    assert not info.has_standard_tables


def test_orientation_survives_and_cmyk_is_named(tmp_path):
    image = Image.fromarray(skimage.data.astronaut()[:32, :48])
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    info = JPEGInfo.from_file(tmp_path / "turned.jpg")
    assert (info.orientation, info.shape) == (6, (32, 48))
    image.convert("CMYK").save(tmp_path / "print.jpg")
    assert JPEGInfo.from_file(tmp_path / "print.jpg").color_space in ("cmyk", "ycck")


def test_crop_moves_the_grid():
    info = JPEGInfo.from_quality(50, height=100, width=80, subsampling="4:2:0")
    part = info.crop(slice(10, 60), slice(-30, None))
    assert (part.shape, part.offset, part.grid) == ((50, 30), (10, 50), (6, 6))
    assert part.crop(slice(6, None), slice(6, 10)).grid == (0, 0)
    assert part.crop(slice(6, None), slice(6, 10)).shape == (44, 4)
    with pytest.raises(ValueError, match="step 2"):
        info.crop(slice(None, None, 2), slice(None))
    with pytest.raises(TypeError, match="expected slices"):
        info.crop((0, 50), (0, 40))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"just text", "is not a JPEG"), (b"", "is not a JPEG"), (b"\xff\xd8\xff\xdb\x00\x05", "JPEG")],
)
def test_not_a_jpeg(tmp_path, content, message):
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        JPEGInfo.from_file(path)
    with pytest.raises(ValueError, match=message):
        JPEGInfo.from_bytes(content)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file at"):
        JPEGInfo.from_file(tmp_path / "none.jpg")


@pytest.mark.parametrize("read", [JPEGInfo.from_file, JPEGInfo.from_tiff, JPEGInfo.from_dicom])
def test_a_folder_is_called_one(tmp_path, read):
    with pytest.raises(ValueError, match="is a folder; name a file"):
        read(tmp_path)


def test_broken_records():
    luma = tuple(quality_table(50).ravel())
    with pytest.raises(ValueError, match="give one each"):
        JPEGInfo(8, 8, (luma, luma))
    with pytest.raises(ValueError, match="64 steps"):
        JPEGInfo(8, 8, ((0, *luma[1:]),))
    with pytest.raises(ValueError, match="4:2:0"):
        JPEGInfo.from_quality(50, height=8, width=8, subsampling="4:2:3")


@pytest.mark.filterwarnings("ignore:the coefficients of the data")
def test_truncated_headers_never_crash():
    data = encode(skimage.data.astronaut()[:32, :32], quality=50)
    for length in range(0, 700, 7):
        try:
            info = JPEGInfo.from_bytes(data[:length])
        except ValueError:
            continue
        assert info.shape == (32, 32)
