"""Headers are read as libjpeg reads them, and what it would refuse is refused by name."""

from __future__ import annotations

import io
import time

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_deartifact.jpeg.header import UnsupportedJPEGError
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header
from napari_deartifact.jpeg.segments import has_end

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SCAN = bytes(range(1, 60)) + b"\xff\x00\xff\xd0\x55"  # with a stuffed byte and a restart


def segment(marker, body):
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def table(index=0, steps=range(1, 65), width=1):
    return segment(
        0xDB, bytes([(width - 1) << 4 | index]) + b"".join(s.to_bytes(width, "big") for s in steps)
    )


def frame(*components, marker=0xC0, precision=8, height=16, width=24):
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    parts = b"".join(bytes((name, factors, selector)) for name, factors, selector in components)
    return segment(marker, bytes([precision]) + size + bytes([len(components)]) + parts)


def scan(*names):
    parts = b"".join(bytes((name, 0)) for name in names)
    return segment(0xDA, bytes([len(names)]) + parts + b"\0\x3f\0") + SCAN


GREY = frame((1, 0x11, 0))
COLOR = frame((1, 0x22, 0), (2, 0x11, 1), (3, 0x11, 1))


def header_of(*parts, **options):
    return read_header(io.BytesIO(b"".join(parts)), **options)


def exif(order, orientation, kind=3):
    def number(value, size):
        return value.to_bytes(size, order)

    start = b"II" if order == "little" else b"MM"
    entry = number(0x0112, 2) + number(kind, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
    return segment(0xE1, b"Exif\0\0" + start + number(42, 2) + number(8, 4) + number(1, 2) + entry)


@pytest.mark.parametrize("width", [1, 2])
def test_tables_come_out_of_zigzag(width):
    steps = np.arange(1, 65) * (1 if width == 1 else 900)
    stored = [0] * 64
    # the first steps of Figure A.6 of T.81, row by row
    for place, natural in enumerate([0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25]):
        stored[place] = int(steps[natural])
    stored[12:] = [7] * 52
    (found,) = header_of(SOI, table(steps=stored, width=width), GREY, scan(1), EOI).tables
    assert [found[natural] for natural in (0, 1, 2, 3, 8, 9, 10, 16, 17, 24, 25, 32)] == [
        int(steps[natural]) for natural in (0, 1, 2, 3, 8, 9, 10, 16, 17, 24, 25, 32)
    ]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([exif("little", 6)], 6),
        ([exif("big", 8)], 8),
        ([exif("big", 9)], 1),
        ([exif("little", 6, kind=7)], 1),
        ([segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")], 1),
        ([segment(0xE1, b"Exif\0\0")], 1),
        ([], 1),
    ],
)
def test_orientation(parts, expected):
    assert header_of(SOI, *parts, table(), GREY, scan(1)).orientation == expected


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 9,  # fill bytes
        b"\0\1\2",  # which libjpeg skips too
        b"\xff\x01\xff\xd3",  # markers without a length
        segment(0xFE, b"comment"),
        segment(0xE5, SOI + table() + COLOR + scan(1, 2, 3) + EOI),  # a thumbnail
    ],
)
def test_what_is_skipped(junk):
    plain = header_of(SOI, table(), GREY, scan(1), EOI)
    assert header_of(SOI, junk, table(), junk, GREY, junk, scan(1), EOI, b"\xff\xd8garbage") == plain


@pytest.mark.parametrize(
    ("names", "extra", "expected"),
    [
        ((1, 2, 3), b"", "ycbcr"),
        ((0, 1, 2), b"", "ycbcr"),
        ((82, 71, 66), b"", "rgb"),
        ((82, 71, 66), segment(0xE0, b"JFIF\0" + bytes(9)), "ycbcr"),
        ((1, 2, 3), segment(0xEE, b"Adobe" + bytes(7)), "rgb"),
        ((1, 2, 3), segment(0xEE, b"Adobe" + bytes(6) + b"\1"), "ycbcr"),
        ((1, 2, 3), segment(0xE0, b"JFIF\0" + bytes(9)) + segment(0xEE, b"Adobe" + bytes(7)), "ycbcr"),
        ((1, 2, 3, 4), b"", "cmyk"),
        ((1, 2, 3, 4), segment(0xEE, b"Adobe" + bytes(7)), "cmyk"),
        ((1, 2, 3, 4), segment(0xEE, b"Adobe" + bytes(6) + b"\2"), "ycck"),
        ((7,), segment(0xEE, b"Adobe" + bytes(7)), "grey"),
    ],
)
def test_color_space(names, extra, expected):
    components = [(name, 0x11, 0) for name in names]
    assert header_of(SOI, extra, table(), frame(*components), scan(*names)).color_space == expected


@pytest.mark.parametrize("jfif", [True, False])
@pytest.mark.parametrize("transform", [None, 0, 1])
def test_color_space_is_that_of_libjpeg(jfif, transform):
    """The record says how Pillow, and so libjpeg, decoded the pixels."""
    stream = io.BytesIO()
    Image.fromarray(data.astronaut()[:16, :16]).save(stream, "JPEG", quality=95, subsampling="4:4:4")
    content = stream.getvalue()[20:]  # without its JFIF marker
    extra = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") if jfif else b""
    extra += b"" if transform is None else segment(0xEE, b"Adobe" + bytes(6) + bytes([transform]))
    content = SOI + extra + content
    with Image.open(io.BytesIO(content)) as image:
        decoded = np.asarray(image)
    components = imagecodecs.jpeg_decode(content, colorspace="RGB", outcolorspace="RGB")
    info = JPEGInfo.from_bytes(content)
    assert info.color_space == ("rgb" if (decoded == components).all() else "ycbcr")


@pytest.mark.parametrize(("marker", "precision"), [(0xC0, 8), (0xC1, 8), (0xC1, 12), (0xC2, 8), (0xC2, 12)])
def test_processes(marker, precision):
    header = header_of(SOI, table(), frame((1, 0x11, 0), marker=marker, precision=precision), scan(1))
    assert (header.precision, header.progressive) == (precision, marker == 0xC2)


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        (0xC3, "lossless"),
        (0xC5, "hierarchical"),
        (0xC9, "arithmetic-coded"),
        (0xCA, "arithmetic-coded progressive"),
        (0xCB, "arithmetic-coded lossless"),
        (0xF7, "JPEG-LS"),
    ],
)
def test_other_processes_are_refused_by_name(marker, name):
    content = SOI + table() + frame((1, 0x11, 0), marker=marker) + scan(1) + EOI
    with pytest.raises(UnsupportedJPEGError, match=rf"the data is of a kind .* {name} JPEG"):
        JPEGInfo.from_bytes(content)


def test_a_component_keeps_the_table_of_its_first_scan():
    coarse = table(0, [99] * 64)
    header = header_of(
        SOI, table(0), table(1), COLOR, scan(1), coarse, scan(2), table(1, [5] * 64), scan(3), scan(1), EOI
    )
    assert header.tables[0][0] == 1
    assert header.tables[1][0] == 1
    assert header.tables[2] == (5,) * 64


def test_shared_tables_and_own_ones():
    shared = SOI + table(0) + table(1, [9] * 64) + EOI
    header = header_of(SOI, COLOR, scan(1, 2, 3), EOI, tables=shared)
    assert [steps[0] for steps in header.tables] == [1, 9, 9]
    own = header_of(SOI, table(1, [4] * 64), COLOR, scan(1, 2, 3), EOI, tables=shared)
    assert [steps[0] for steps in own.tables] == [1, 4, 4]


def test_height_in_a_dnl_marker():
    empty = frame((1, 0x11, 0), height=0)
    lines = segment(0xDC, (40).to_bytes(2, "big"))
    assert header_of(SOI, table(), empty, scan(1), lines, EOI).height == 40
    for parts in ([scan(1), EOI], [lines, scan(1), EOI], [scan(1), segment(0xDC, b"\0\0"), EOI]):
        with pytest.raises(ValueError, match="without a DNL marker"):
            header_of(SOI, table(), empty, *parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([table()], "ends before its frame header"),
        ([table(), GREY], "ends before its first scan"),
        ([table(), GREY, EOI], "ends before its first scan"),
        ([table(0), table(1), COLOR, scan(1), EOI], "after scans of 1 of 3 components"),
        ([GREY, scan(1)], "table 0 is named but not defined"),
        ([table(steps=[0, *range(1, 64)]), GREY, scan(1)], "table 0 has a step of 0"),
        ([table()[:40]], "claims 67 bytes and has 38"),
        ([b"\xff\xdb\0\1"], "claims 1 bytes"),
        ([segment(0xDB, bytes(60))], "table 0 has 59 bytes, not 64"),
        ([segment(0xDB, b"\x25" + bytes(64))], "kind 2 and number 5"),
        ([table(), GREY, GREY, scan(1)], "two frame headers"),
        ([table(), scan(1)], "a scan before its frame header"),
        ([table(), GREY, scan(2)], "a scan of component 2"),
        ([table(), GREY, segment(0xDA, b"\1\1")], "a scan header of 2 bytes"),
        ([table(), GREY, segment(0xDA, b"")], "a scan header of 0 bytes"),
        ([table(), segment(0xC0, b"\x08\0\x10")], "a frame header of 3 bytes"),
        ([table(), segment(0xC0, b"\x08\0\x10\0\x10\3" + bytes(3))], "does not fit its components"),
        ([table(), frame((1, 0x11, 0), width=0), scan(1)], "a width of 0"),
        ([table(), frame((1, 0x11, 0), precision=12), scan(1)], "12 bits per sample; expected 8"),
        ([table(), frame((1, 0x50, 0)), scan(1)], "sampling factors of 5×0"),
        ([table(), frame((1, 0x11, 0), (2, 0x11, 0)), scan(1, 2)], "2 components"),
        ([table(), frame((1, 0x11, 0), (1, 0x11, 0), (2, 0x11, 0)), scan(1)], "two components of the same"),
        ([table(), SOI, GREY, scan(1)], "second start of image"),
        (
            [table(), frame((1, 0x11, 0), height=65535, width=65535), scan(1)],
            "implausible size of 65535×65535",
        ),
        (
            [segment(0xFE, bytes(60_000)), table(), frame((1, 0x11, 0), height=2000, width=2000), scan(1)],
            "implausible size of 2000×2000 pixels: 62500 blocks take more than 64 bytes",
        ),
    ],
)
def test_damaged_headers(parts, message):
    with pytest.raises(ValueError, match=rf"the data has a truncated or damaged JPEG header: .*{message}"):
        JPEGInfo.from_bytes(SOI + b"".join(parts))


@pytest.mark.parametrize(
    "content",
    [
        SOI + b"\xff" * 3_000_000,
        SOI + b"\xff\x00" * 1_000_000,
        SOI + b"\x00\xff\xfe\0\2" * 50_000,
        SOI + b"\xff\xd0" * 1_000_000,
        SOI + table(0) + table(1) + COLOR + scan(1) * 10_000,
    ],
)
def test_long_nonsense_takes_no_time(content):
    start = time.process_time()
    with pytest.raises(ValueError, match="ends"):
        read_header(io.BytesIO(content))
    assert time.process_time() - start < 2


def test_end_of_image():
    whole = SOI + table() + GREY + scan(1)
    assert has_end(io.BytesIO(whole + EOI + b"\0"))
    assert not has_end(io.BytesIO(whole))
    assert not has_end(io.BytesIO(whole[:60]))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}]
)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
def test_agrees_with_pillow(options, subsampling):
    stream = io.BytesIO()
    Image.fromarray(data.astronaut()[:45, :61]).save(
        stream, "JPEG", quality=30, subsampling=subsampling, **options
    )
    info = JPEGInfo.from_bytes(stream.getvalue())
    with Image.open(stream) as image:
        assert info.shape == image.size[::-1]
        assert info.progressive == bool(image.info.get("progressive", False))
        assert info.sampling == tuple((horizontal, vertical) for _, horizontal, vertical, _ in image.layer)
        assert info.tables == tuple(tuple(image.quantization[table]) for *_, table in image.layer)


def test_12_bit_file():
    deep = (data.camera()[:40, :56].astype(np.uint16) << 4) + 3
    info = JPEGInfo.from_bytes(imagecodecs.jpeg_encode(deep, level=60, bitspersample=12))
    assert (info.precision, info.shape, info.color_space) == (12, (40, 56), "grey")
    assert repr(info).endswith("grey, 12 bits, grid (0, 0)>")
