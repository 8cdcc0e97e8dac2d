"""The record of a TIFF page is that of the JPEGs in it, and fits the pixels that tifffile decodes."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg.consistency import consistency_report
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import quality_table
from napari_deartifact.jpeg.tiff_directories import check_directories, opened_tiff

COLOR = data.astronaut()[:150, 100:260]
GREY = data.camera()[:150, 100:260]


def write(path, pixels, *, level=60, **options):
    tifffile.imwrite(path, pixels, compression="jpeg", compressionargs={"level": level}, **options)


@pytest.mark.parametrize("layout", [{"tile": (64, 80)}, {"rowsperstrip": 32}, {"rowsperstrip": 150}])
@pytest.mark.parametrize(
    ("pixels", "options", "color_space", "subsampling"),
    [
        (GREY, {"photometric": "minisblack"}, "grey", "grey"),
        (COLOR, {"photometric": "rgb", "subsampling": (2, 2)}, "ycbcr", "4:2:0"),
        (COLOR, {"photometric": "rgb", "subsampling": (2, 1)}, "ycbcr", "4:2:2"),
        (COLOR, {"photometric": "rgb", "subsampling": (1, 1)}, "ycbcr", "4:4:4"),
    ],
)
def test_page(tmp_path, layout, pixels, options, color_space, subsampling):
    path = tmp_path / "a.tif"
    write(path, pixels, **layout, **options)
    info = JPEGInfo.from_tiff(path)
    assert (info.color_space, info.subsampling, info.shape) == (color_space, subsampling, (150, 160))
    np.testing.assert_array_equal(info.table(0), quality_table(60))
    tile = JPEGInfo.from_tiff(path, tile=0)
    assert (tile.tables, tile.sampling) == (info.tables, info.sampling)
    assert tile.shape == layout.get("tile", (layout.get("rowsperstrip"), 160))
    image = read_image(path)
    assert image.jpeg == info
    part = image.pixels[:64, :80]
    report = consistency_report(part, info.crop(slice(64), slice(80)), part)
    assert report.inside > 0.99
    assert report.unknown < 0.01


def shared_tables_file(path, content, tables, *, photometric, shape=(48, 64), tile=True, tag=True):
    """Write a page of one JPEG whose tables, if `tag`, lie in JPEGTables, as scanners do."""
    grey = photometric == 1
    extra = [(347, 7, len(tables), tables, True)] if tag else []
    tifffile.imwrite(
        path,
        iter([content]),
        shape=shape if grey else (*shape, 3),
        dtype=np.uint8,
        compression="jpeg",
        photometric=photometric,
        extratags=extra,
        **({"tile": shape} if tile else {"rowsperstrip": shape[0]}),
    )


def abbreviated(content):
    """Part a JPEG into its tables and the rest."""
    tables, rest, place = b"", b"", 2
    while content[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] in (0xDB, 0xC4):
            tables += content[place:end]
        elif content[place + 1] not in (0xE0, 0xEE):
            rest += content[place:end]
        place = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + content[place:]


def jpeg_bytes(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("tile", [True, False])
@pytest.mark.parametrize(
    ("photometric", "options", "color_space"),
    [
        (6, {"subsampling": "4:2:0"}, "ycbcr"),
        (2, {"subsampling": "4:4:4", "keep_rgb": True}, "rgb"),
        (1, {}, "grey"),
    ],
)
def test_shared_tables(tmp_path, tile, photometric, options, color_space):
    pixels = np.ascontiguousarray(COLOR[:48, :64]) if photometric != 1 else GREY[:48, :64]
    whole = jpeg_bytes(pixels, quality=35, **options)
    tables, rest = abbreviated(whole)
    path = tmp_path / "a.tif"
    shared_tables_file(path, rest, tables, photometric=photometric, tile=tile)
    info = JPEGInfo.from_tiff(path)
    assert info.color_space == color_space  # by the TIFF's word: no marker is left that says so
    assert info.tables == JPEGInfo.from_bytes(whole).tables
    image = read_image(path)
    assert image.jpeg == info
    assert (image.pixels == np.asarray(Image.open(io.BytesIO(whole)))).all()
    assert consistency_report(image.pixels, info, image.pixels).inside > 0.99


def test_missing_tables(tmp_path):
    tables, rest = abbreviated(jpeg_bytes(GREY[:48, :64]))
    path = tmp_path / "a.tif"
    shared_tables_file(path, rest, tables, photometric=1, tag=False)
    with pytest.raises(ValueError, match=r"tile 0 of page 0 of .*a\.tif.* table 0 is named but not defined"):
        JPEGInfo.from_tiff(path)
    with pytest.raises(ValueError, match="table 0 is named"):
        read_image(path)


def test_tiles_that_differ(tmp_path):
    tiles = [jpeg_bytes(GREY[:48, :64], quality=quality) for quality in (20, 80)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, iter(tiles), shape=(48, 128), dtype=np.uint8, compression="jpeg", photometric=1, tile=(48, 64)
    )
    with pytest.raises(ValueError, match=r"differ in their tables.*name one with tile="):
        JPEGInfo.from_tiff(path)
    assert [JPEGInfo.from_tiff(path, tile=tile).quality for tile in (0, 1)] == [20, 80]
    assert read_image(path).jpeg is None


def test_tiles_that_cut_coded_units(tmp_path):
    tiles = [
        imagecodecs.jpeg_encode(COLOR[:48, left : left + 48].copy(), subsampling="411") for left in (0, 48)
    ]
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, iter(tiles), shape=(48, 96, 3), dtype=np.uint8, compression="jpeg", photometric=6, tile=(48, 48)
    )
    with pytest.raises(ValueError, match="cut coded units"):
        JPEGInfo.from_tiff(path)
    assert JPEGInfo.from_tiff(path, tile=1).mcu == (8, 32)
    assert read_image(path).jpeg is None


def test_12_bits(tmp_path):
    path = tmp_path / "a.tif"
    options = {"compressionargs": {"level": 60, "bitspersample": 12}}
    tifffile.imwrite(path, GREY.astype(np.uint16) << 4, compression="jpeg", tile=(64, 80), **options)
    info = JPEGInfo.from_tiff(path)
    assert (info.precision, info.shape) == (12, (150, 160))
    assert read_image(path).jpeg == info


def test_pages_of_a_stack(tmp_path):
    write(tmp_path / "same.tif", np.stack([GREY] * 3), photometric="minisblack", tile=(64, 80))
    image = read_image(tmp_path / "same.tif")
    assert image.pixels.shape == (3, 150, 160)
    assert image.jpeg == JPEGInfo.from_tiff(tmp_path / "same.tif", page=2)
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        for level in (50, 51):
            options = {"compressionargs": {"level": level}, "photometric": "minisblack", "metadata": None}
            writer.write(GREY, compression="jpeg", **options)
    assert read_image(tmp_path / "mixed.tif").jpeg is None


def test_planes_of_colors_have_no_record(tmp_path):
    path = tmp_path / "a.tif"
    write(path, np.moveaxis(COLOR, -1, 0), photometric="rgb", planarconfig="separate", tile=(64, 80))
    assert read_image(path).jpeg is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1,), "page 1 of .*expected 0 to 0"),
        ((0, 9), "tile 9 of page 0 of .*expected 0 to 5"),
        ((-1,), "page -1"),
    ],
)
def test_no_such_page_or_tile(tmp_path, arguments, message):
    write(tmp_path / "a.tif", GREY, tile=(64, 80))
    with pytest.raises(ValueError, match=message):
        JPEGInfo.from_tiff(tmp_path / "a.tif", *arguments)


def test_a_tile_that_is_left_out(tmp_path):
    path = tmp_path / "a.tif"
    write(path, GREY, tile=(64, 80))
    with tifffile.TiffFile(path, mode="r+b") as file:
        sizes = list(file.pages[0].databytecounts)
        file.pages[0].tags["TileByteCounts"].overwrite([sizes[0], 0, *sizes[2:]])
    assert JPEGInfo.from_tiff(path, tile=0).shape == (64, 80)
    with pytest.raises(
        ValueError, match=r"tile 1 of page 0 of .* is left out of the file; name one that has a JPEG"
    ):
        JPEGInfo.from_tiff(path, tile=1)


def test_what_holds_no_jpeg(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, compression="zlib")
    with pytest.raises(ValueError, match=r"page 0 of .*a\.tif is compressed by .*; expected JPEG"):
        JPEGInfo.from_tiff(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    with pytest.raises(ValueError, match=r"b\.tif is truncated or damaged"):
        JPEGInfo.from_tiff(tmp_path / "b.tif")
    with pytest.raises(FileNotFoundError, match="no file at"):
        JPEGInfo.from_tiff(tmp_path / "c.tif")


def test_lossless_jpeg_and_jpeg_2000_have_no_record(tmp_path):
    for name in ("jpeg2000", "ljpeg"):
        path = tmp_path / f"{name}.tif"
        if name == "ljpeg":
            content = imagecodecs.ljpeg_encode(GREY[:48, :64].copy(), bitspersample=8)
            shared_tables_file(path, content, b"", photometric=1, tag=False)
        else:
            tifffile.imwrite(path, GREY, compression=name)
        image = read_image(path)
        assert image.jpeg is None
        assert (image.pixels == GREY[: image.pixels.shape[0], : image.pixels.shape[1]]).all()


def test_a_tile_larger_than_it_may_be_is_not_decoded(tmp_path):
    content = jpeg_bytes(np.zeros((2000, 2000), np.uint8))
    path = tmp_path / "a.tif"
    shared_tables_file(path, content, b"", photometric=1, tag=False)
    with pytest.raises(ValueError, match="2000×2000 pixels, more than the tile has"):
        read_image(path)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_directories_in_a_circle(tmp_path, bigtiff, byteorder):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="jpeg", bigtiff=bigtiff, byteorder=byteorder)
    assert JPEGInfo.from_tiff(path).shape == GREY.shape
    with tifffile.TiffFile(path) as file:
        start, size = file.pages[0].offset, 8 if bigtiff else 4
        end = start + (8 + 20 * len(file.pages[0].tags) if bigtiff else 2 + 12 * len(file.pages[0].tags))
    content = bytearray(path.read_bytes())
    content[end : end + size] = start.to_bytes(size, "little" if byteorder == "<" else "big")
    path.write_bytes(content)
    for read in (JPEGInfo.from_tiff, read_image):
        with pytest.raises(ValueError, match=rf"a\.tif .*directory at {start} follows upon itself"):
            read(path)


def ndpi(following):
    """Return one grey pixel as Hamamatsu's TIFF, whose directory says where the next one is."""
    tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 12), (277, 1), (278, 1), (279, 1)]
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    return (
        b"II*\0" + struct.pack("<QI", 16, 7)
        + struct.pack("<H", len(tags)) + entries + struct.pack("<Q", following) + bytes(4 * len(tags))
    )  # fmt: skip


def test_directories_of_ndpi_lie_beyond_4_gib(tmp_path):
    path = tmp_path / "A.NDPI"
    path.write_bytes(ndpi(2**32 + 16))  # in 32 bits that were its first directory again
    with opened_tiff(path, quiet=True) as file:
        assert file.tiff.is_ndpi
        assert file.pages.first.shape == (1, 1)
    path.write_bytes(ndpi(16))
    with (
        pytest.raises(ValueError, match=r"A\.NDPI .*directory at 16 follows upon itself"),
        opened_tiff(path, quiet=True),
    ):
        pass


def test_a_place_that_no_file_reaches_ends_the_chain():
    check_directories(io.BytesIO(b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63)))
    check_directories(io.BytesIO(b"II*\0" + struct.pack("<QI", 2**63, 0)), ndpi=True)
