"""TIFFs of every make come back with the axes, scale and colours that they had."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile
from skimage import data

from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.read import read_image
from napari_deartifact.files.write import write_image
from napari_deartifact.jpeg.consistency import consistency_report


def random(dtype, *shape):
    return np.random.default_rng(2).integers(0, 250, shape).astype(dtype)


OME = {
    "axes": "TCZYX",
    "PhysicalSizeX": 0.1,
    "PhysicalSizeXUnit": "µm",
    "Channel": {"Name": ["a", "b", "c"]},
}
IMAGEJ = {
    "axes": "TZCYX",
    "unit": "um",
    "spacing": 3.0,
    "Labels": list("abcdefghijkl"),
    "Ranges": [0, 9, 0, 8],
}
PLANAR = {"photometric": "rgb", "planarconfig": "separate"}
CONTIG = {"photometric": "minisblack", "planarconfig": "contig"}
LA = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
RGBA = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
RGB_AND_MORE = {"photometric": "rgb", "extrasamples": ["unspecified"]}
PREMULTIPLIED = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
GREY = {"photometric": "minisblack"}

CASES = {
    "plain": (random("u2", 16, 17), {}, "YX", None, False, False),
    "signed": (random("i2", 16, 17) - 100, {}, "YX", None, False, False),
    "float": (random("f4", 16, 17) / 7, {}, "YX", None, False, False),
    "big-endian": (random(">u2", 16, 17), {"byteorder": ">"}, "YX", None, False, False),
    "one pixel": (random("u1", 1, 1), {}, "YX", None, False, False),
    "miniswhite": (random("u1", 16, 17), {"photometric": "miniswhite"}, "YX", None, False, False),
    "pages": (random("u1", 5, 16, 17), {"metadata": None, **GREY}, "IYX", None, False, False),
    "named axes": (random("u1", 5, 16, 17), {"metadata": {"axes": "ZYX"}, **GREY}, "ZYX", None, False, False),
    "rgb": (random("u1", 16, 17, 3), {"photometric": "rgb"}, "YXS", 2, True, False),
    "rgba": (random("u1", 16, 17, 4), RGBA, "YXS", 2, True, True),
    "premultiplied alpha": (random("u1", 16, 17, 4), PREMULTIPLIED, "YXS", 2, True, True),
    "rgb and more": (random("u1", 16, 17, 4), RGB_AND_MORE, "YXS", 2, True, False),
    "two channels": (random("u1", 16, 17, 2), CONTIG, "YXS", 2, False, False),
    "two channel planes": (
        random("u1", 2, 16, 17),
        {"photometric": "minisblack", "planarconfig": "separate"},
        "SYX", 0, False, False,
    ),
    "three channels": (random("u1", 16, 17, 3), CONTIG, "YXS", 2, False, False),
    "rgb planes": (random("u1", 3, 16, 17), PLANAR, "SYX", 0, True, False),
    "rgb pages": (random("u1", 5, 16, 17, 3), {"photometric": "rgb"}, "QYXS", 3, True, False),
    "grey and alpha": (random("u1", 16, 17, 2), LA, "YXS", 2, False, True),
    "ImageJ": (random("u2", 2, 3, 2, 16, 17), {"imagej": True, "metadata": IMAGEJ}, "TZCYX", 2, False, False),
    "ImageJ RGB": (
        random("u1", 4, 16, 17, 3),
        {"imagej": True, "photometric": "rgb", "metadata": {"axes": "TYXS"}},
        "TYXS", 3, True, False,
    ),
    "OME": (random("u2", 2, 3, 4, 16, 17), {"ome": True, "metadata": OME}, "TCZYX", 1, False, False),
    "OME RGB": (
        random("u1", 16, 17, 3),
        {"ome": True, "photometric": "rgb", "metadata": {"axes": "YXS"}},
        "YXS", 2, True, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_read_and_written_again(tmp_path, case):
    pixels, options, axes, channel_axis, rgb, alpha = CASES[case]
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(120, 110), resolutionunit=3, **options)
    first = read_image(tmp_path / "a.tif")
    assert first.pixels.dtype == pixels.dtype.newbyteorder("=")
    assert (first.pixels == pixels).all()
    tags = first.metadata.tiff
    assert (tags.axes, first.channel_axis, first.rgb, first.alpha) == (axes, channel_axis, rgb, alpha)

    write_image(tmp_path / "b.tif", first.pixels, first)
    second = read_image(tmp_path / "b.tif")
    again = second.metadata.tiff
    assert (second.pixels == pixels).all()
    with tifffile.TiffFile(tmp_path / "a.tif") as old, tifffile.TiffFile(tmp_path / "b.tif") as new:
        assert old.pages[0].extrasamples == new.pages[0].extrasamples
    for name in (
        "axes",
        "channel_axis",
        "rgb",
        "alpha",
        "photometric",
        "extra_samples",
        "flavour",
        "resolution",
        "resolution_unit",
    ):
        assert getattr(again, name) == getattr(tags, name), name
    assert {key: np.array(value).tolist() for key, value in again.imagej.items()} == {
        key: np.array(value).tolist() for key, value in tags.imagej.items()
    }


def test_ome_names_and_sizes_survive_and_the_old_file_is_forgotten(tmp_path):
    pixels, options, *_ = CASES["OME"]
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, **options)
    first = read_image(tmp_path / "a.ome.tif")
    assert "UUID" in first.metadata.tiff.description
    write_image(tmp_path / "b.ome.tif", first.pixels, first)
    (tmp_path / "a.ome.tif").unlink()
    description = read_image(tmp_path / "b.ome.tif").metadata.tiff.description
    assert 'PhysicalSizeX="0.1"' in description
    assert 'Name="b"' in description
    assert "a.ome.tif" not in description


def ome_xml(places, *, sizes="111", order="XYZCT", more=""):
    """Describe planes of 17×16 pixels, as many as `sizes` says along Z, C and T."""
    z, c, t = sizes
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:00000000-0000-0000-0000-000000000000"><Image ID="Image:0" Name="kept">'
        f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint8" SizeX="17" SizeY="16" '
        f'SizeZ="{z}" SizeC="{c}" SizeT="{t}" PhysicalSizeX="0.5">'
        + "".join(f'<Channel ID="Channel:0:{index}" SamplesPerPixel="1"/>' for index in range(int(c)))
        + f"{places}</Pixels></Image>{more}</OME>"
    ).encode()


def place(ifd, content="", **first):
    attributes = "".join(f' First{axis}="{index}"' for axis, index in first.items())
    end = f">{content}</TiffData>" if content else "/>"
    return f'<TiffData IFD="{ifd}"{attributes} PlaneCount="1"{end}'


def own(name):
    return f'<UUID FileName="{name}">urn:uuid:00000000-0000-0000-0000-000000000000</UUID>'


SCRAMBLED = {
    "reversed": ("311", "XYZCT", [place(2, Z=0), place(1, Z=1), place(0, Z=2)]),
    "with names": ("211", "XYZCT", [place(1, own("a.ome.tif"), Z=0), place(0, own("a.ome.tif"), Z=1)]),
    "by channel": ("221", "XYCZT", [place(2 * c + z, C=c, Z=z) for z in range(2) for c in range(2)]),
    "in one": ("213", "XYZTC", ['<TiffData IFD="0" PlaneCount="6"/>']),
}


@pytest.mark.parametrize("case", SCRAMBLED)
def test_ome_planes_are_where_the_description_says(tmp_path, case):
    sizes, order, places = SCRAMBLED[case]
    planes = random("u1", int(sizes[0]) * int(sizes[1]) * int(sizes[2]), 16, 17)
    xml = ome_xml("\n ".join(places), sizes=sizes, order=order)
    tifffile.imwrite(tmp_path / "a.ome.tif", planes, description=xml, metadata=None, **GREY)
    first = read_image(tmp_path / "a.ome.tif")
    write_image(tmp_path / "b.ome.tif", first.pixels, first)
    (tmp_path / "a.ome.tif").unlink()
    second = read_image(tmp_path / "b.ome.tif")
    assert second.metadata.tiff.axes == first.metadata.tiff.axes
    assert (second.pixels == first.pixels).all()
    description = second.metadata.tiff.description
    assert description.count("<TiffData") == 1
    assert 'PhysicalSizeX="0.5"' in description
    assert "UUID" not in description


def test_ome_images_that_are_not_read_are_not_described(tmp_path):
    label = (
        '<Image ID="Image:1" Name="label"><Pixels ID="Pixels:1" DimensionOrder="XYZCT" Type="uint8" '
        'SizeX="9" SizeY="9" SizeZ="1" SizeC="1" SizeT="1"><Channel ID="Channel:1:0" SamplesPerPixel="1"/>'
        '<TiffData IFD="1" PlaneCount="1"/></Pixels></Image>'
    )
    pixels, xml = random("u1", 16, 17), ome_xml(place(0), more=label)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(pixels, description=xml, metadata=None)
        writer.write(random("u1", 9, 9), subfiletype=1, metadata=None)
    first = read_image(tmp_path / "a.ome.tif")
    write_image(tmp_path / "b.ome.tif", first.pixels, first)
    second = read_image(tmp_path / "b.ome.tif")
    assert (second.pixels == pixels).all()
    assert 'Name="kept"' in second.metadata.tiff.description
    assert 'Name="label"' not in second.metadata.tiff.description


def test_ome_description_of_other_pixels_is_made_anew(tmp_path):
    """Of a palette, whose one channel becomes three, and of a file whose XML lies in another one."""
    colors = np.random.default_rng(3).integers(0, 65536, (3, 256), dtype=np.uint16)
    options = {"photometric": "palette", "colormap": colors, "metadata": None}
    stub = (
        b'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        b'<BinaryOnly MetadataFile="all.companion.ome" UUID="urn:uuid:0"/></OME>'
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", random("u1", 16, 17), description=ome_xml(place(0)), **options)
    tifffile.imwrite(tmp_path / "b.ome.tif", random("u1", 3, 16, 17), description=stub, metadata=None, **GREY)
    for name, axes in (("a", "YXS"), ("b", "TYX")):
        first = read_image(tmp_path / f"{name}.ome.tif")
        write_image(tmp_path / f"{name}2.ome.tif", first.pixels, first)
        second = read_image(tmp_path / f"{name}2.ome.tif")
        assert (second.pixels == first.pixels).all()
        assert second.metadata.tiff.axes == axes
        assert "companion" not in second.metadata.tiff.description


@pytest.mark.parametrize("missing", [False, True])
def test_a_file_of_an_ome_set_is_refused(tmp_path, missing):
    places = "".join(
        place(0, f'<UUID FileName="z{z}.ome.tif">urn:uuid:0000000{z}-0000-0000-0000-000000000000</UUID>', Z=z)
        for z in range(3)
    )
    for z in range(1 if missing else 3):
        xml = ome_xml(places, sizes="311").replace(
            b'UUID="urn:uuid:00000000', b'UUID="urn:uuid:0000000%d' % z
        )
        options = {"description": xml, "metadata": None}
        tifffile.imwrite(tmp_path / f"z{z}.ome.tif", random("u1", 16, 17), **options)
    with pytest.raises(
        ValueError,
        match=r"z0\.ome\.tif is a part of an OME-TIFF set of 3 files \(z0\.ome\.tif, z1.*merge them",
    ):
        read_image(tmp_path / "z0.ome.tif")


def test_description_orientation_and_profile_survive(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        random("u1", 16, 17),
        description="field 7, 3 µm".encode(),
        metadata=None,
        iccprofile=b"profile" * 9,
        extratags=[(274, "H", 1, 8, True)],
    )
    first = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", first.pixels, first)
    tags = read_image(tmp_path / "b.tif").metadata.tiff
    assert tags.description == "field 7, 3 µm"
    assert tags.orientation == 8
    assert tags.icc == b"profile" * 9
    write_image(tmp_path / "b.png", first.pixels, first)
    assert read_image(tmp_path / "b.png").metadata.orientation == 8


def test_palette_is_resolved(tmp_path):
    colors = np.random.default_rng(3).integers(0, 65536, (3, 256), dtype=np.uint16)
    indices = random("u1", 16, 17)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colors)
    image = read_image(tmp_path / "a.tif")
    assert image.rgb
    assert (image.pixels == np.moveaxis(colors >> 8, 0, -1)[indices]).all()


def packed(path, indices, bits, photometric, colors=None):
    """Write samples of a few bits, which tifffile does not without another package."""
    rows, columns = indices.shape
    digits = np.unpackbits(indices[..., None], axis=-1)[..., -bits:]
    content = np.packbits(digits.reshape(rows, -1), axis=-1).tobytes()
    count = 9 + (colors is not None)
    table = b"" if colors is None else np.asarray(colors, "<u2").tobytes()
    start = 8 + 2 + 12 * count + 4
    entries = [(256, columns), (257, rows), (258, bits), (259, 1), (262, photometric)]
    entries += [(273, start + len(table)), (277, 1), (278, rows), (279, len(content))]
    tags = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in entries)
    tags += b"" if colors is None else struct.pack("<HHII", 320, 3, len(table) // 2, start)
    head = b"II*\0" + struct.pack("<IH", 8, count)
    path.write_bytes(head + tags + bytes(4) + table + content)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_of_few_bits(tmp_path, bits):
    colors = np.random.default_rng(3).integers(0, 65536, (3, 2**bits), dtype=np.uint16)
    indices = random("u1", 16, 16) % 2**bits
    packed(tmp_path / "a.tif", indices, bits, 3, colors)
    image = read_image(tmp_path / "a.tif")
    assert image.rgb
    assert (image.pixels == np.moveaxis(colors >> 8, 0, -1)[indices]).all()


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_fills_the_range(tmp_path, bits, photometric):
    indices = random("u1", 16, 16) % 2**bits
    packed(tmp_path / "a.tif", indices, bits, photometric)
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == np.uint8
    assert (image.pixels == indices * (255 // (2**bits - 1))).all()


def test_grey_of_12_bits_stays(tmp_path):
    indices = random("u2", 16, 16) * 16
    content = np.stack(
        [indices[:, ::2] >> 4, (indices[:, ::2] & 15) << 4 | indices[:, 1::2] >> 8, indices[:, 1::2]]
    )
    path = tmp_path / "a.tif"
    packed(path, np.zeros((16, 16), np.uint8), 8, 1)
    parts = bytearray(path.read_bytes()[: -16 * 16] + np.moveaxis(content, 0, -1).astype(np.uint8).tobytes())
    for code, value in ((258, 12), (279, 16 * 16 * 3 // 2)):
        at = parts.index(struct.pack("<HHI", code, 4, 1))
        parts[at + 8 : at + 12] = struct.pack("<I", value)
    path.write_bytes(parts)
    assert (read_image(path).pixels == indices).all()


@pytest.mark.parametrize("target", ["b.tif", "b.ome.tif"])
def test_color_table_of_imagej_is_kept(tmp_path, target):
    colors = np.random.default_rng(3).integers(0, 65536, (3, 256), dtype=np.uint16)
    options = {"description": "ImageJ=1.54f\nunit=um\n", "metadata": None}
    pixels = random("u1", 16, 17)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="palette", colormap=colors, **options)
    image = read_image(tmp_path / "a.tif")
    write_image(tmp_path / target, image.pixels, image)
    assert (read_image(tmp_path / target).pixels == pixels).all()
    with tifffile.TiffFile(tmp_path / target) as file:
        page = file.pages[0]
        if file.is_ome:  # it has no place for it
            assert page.photometric == 1
        else:
            assert page.photometric == 3
            assert (page.colormap == colors).all()
            assert file.imagej_metadata["unit"] == "um"


def test_bilevel_becomes_black_and_white(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", random("u1", 16, 17) > 100)
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == np.uint8
    assert set(np.unique(image.pixels)) == {0, 255}


def test_imagej_composite_in_rgb_clothes_has_independent_channels(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        random("u2", 16, 17, 3),
        photometric="rgb",
        description="ImageJ=1.54f\nchannels=3\nmode=composite\nunit=um\n",
        metadata=None,
    )
    image = read_image(tmp_path / "a.tif")
    assert image.channel_axis == 2
    assert not image.rgb
    write_image(tmp_path / "b.tif", image.pixels, image)
    again = read_image(tmp_path / "b.tif")
    assert again.metadata.tiff.imagej["unit"] == "um"
    assert not again.rgb


def test_pyramid_warns_that_only_its_base_is_read(tmp_path):
    base = random("u1", 64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(base, subifds=1)
        writer.write(base[::2, ::2], subfiletype=1)
    with pytest.warns(UserWarning, match="pyramid"):
        image = read_image(tmp_path / "a.tif")
    assert (image.pixels == base).all()


def test_thumbnail_is_no_second_picture(tmp_path):
    base = random("u1", 64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(base)
        writer.write(base[:9, :9], subfiletype=1)
    assert (read_image(tmp_path / "a.tif").pixels == base).all()


def test_a_slide_is_read_without_its_label(tmp_path):
    base = random("u1", 64, 64)
    with tifffile.TiffWriter(tmp_path / "a.svs") as writer:
        writer.write(base, description="Aperio Image Library v10", metadata=None, tile=(32, 32))
        writer.write(base[:9, :9], description="Aperio Image Library v10 thumbnail", metadata=None)
    assert (read_image(tmp_path / "a.svs").pixels == base).all()


def test_jpeg_in_tiff_is_restored_within_its_cells(tmp_path):
    clean = data.camera()[100:196, 100:228]
    options = {"compression": "jpeg", "compressionargs": {"level": 15}, "tile": (32, 64)}
    tifffile.imwrite(tmp_path / "a.tif", clean, **options)
    (result,) = restore_files(tmp_path / "a.tif", tmp_path / "out", "spp", device="cpu")
    image, restored = read_image(tmp_path / "a.tif"), read_image(result.target).pixels
    assert image.jpeg.quality == 15
    errors = [np.square(pixels - clean.astype(float)).mean() for pixels in (image.pixels, restored)]
    assert errors[1] < 0.95 * errors[0]
    assert consistency_report(restored, image.jpeg, image.pixels).inside > 0.99


def test_both_of_two_channels_are_restored(tmp_path, model):
    pixels = random("u1", 16, 17, 2)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **CONTIG)
    (result,) = restore_files(tmp_path / "a.tif", tmp_path / "out", model, force=True)
    restored = read_image(result.target).pixels
    assert (restored[..., 0] != pixels[..., 0]).any()
    assert (restored[..., 1] != pixels[..., 1]).any()


@pytest.mark.parametrize("tag", ["ImageLength", "TileLength"])
def test_lying_dimensions_take_no_memory(tmp_path, tag):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random("u1", 64, 64), compression="zlib", tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags[tag].overwrite(2**24)
    with pytest.raises(ValueError, match=r"a\.tif claims an implausible size"):
        read_image(path)


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (random("u1", 16, 17, 4), {"photometric": "separated"}, "SEPARATED.*convert it to RGB"),
        (random("u1", 4, 5, 6), {"metadata": {"axes": "YXZ"}, **GREY}, "axes YXZ"),
    ],
)
def test_what_cannot_be_restored(tmp_path, pixels, options, message):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ValueError, match=message):
        read_image(tmp_path / "a.tif")


def test_several_pictures_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(random("u1", 64, 64))
        writer.write(random("u1", 32, 32))
    with pytest.raises(ValueError, match=r"holds 2 pictures \(64×64, 32×32\)"):
        read_image(tmp_path / "a.tif")


def test_several_pictures_of_one_size_are_not_called_different(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(random("u1", 32, 32))
        writer.write(random("u1", 32, 32))
    with pytest.raises(ValueError, match=r"holds 2 pictures \(32×32, 32×32\); save them as single files"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("kept", [4, 6, 8, 40, 150, 400, 1000])
def test_truncated(tmp_path, compression, kept):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random("u1", 64, 64), compression=compression)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"a\.tif"):
        read_image(path)


def test_what_tifffile_logs_is_one_warning_that_names_the_file(tmp_path, grey, capfd):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.stack([grey, grey]))
    path.write_bytes(path.read_bytes().replace(b'SizeZ="1"', b'SizeZ="9"'))
    with pytest.warns(UserWarning, match=r"a\.ome\.tif is no sound TIFF \(OME series is missing") as told:
        read_image(path)
    assert len(told) == 1
    assert capfd.readouterr().err == ""
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"a\.ome\.tif is truncated"):
        read_image(path)
    assert capfd.readouterr().err == ""
