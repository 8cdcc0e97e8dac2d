"""TIFFs of every make come back with the axes, scale and colours that they had."""

from __future__ import annotations

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
LA = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
RGBA = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
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
    for name in (
        "axes",
        "channel_axis",
        "rgb",
        "alpha",
        "photometric",
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
    with pytest.raises(ValueError, match="2 pictures of different shape"):
        read_image(tmp_path / "a.tif")


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
