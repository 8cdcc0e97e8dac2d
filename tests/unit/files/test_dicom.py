"""DICOM comes in as it is stored, whatever coded it, and lossy JPEG brings its record along."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from skimage import data

from napari_deartifact import deartifact
from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.inspect import inspect_file
from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg.consistency import consistency_report
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import quality_table
from napari_deartifact.widgets.layers import known_jpeg
from napari_deartifact.widgets.reader import get_reader

PLAIN, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
BASELINE, EXTENDED, LOSSLESS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 70))
JPEG_LS, JPEG_2000, MPEG = (f"1.2.840.10008.1.2.4.{number}" for number in (80, 90, 100))
GREY = np.ascontiguousarray(data.camera()[100:148, 100:164])
DEEP = GREY.astype(np.uint16) << 4
COLOR = np.ascontiguousarray(data.astronaut()[:48, 100:164])


def deep_jpeg(pixels, level=50):
    return imagecodecs.jpeg_encode(pixels, level=level, bitspersample=12)


@pytest.mark.parametrize("frames", [1, 3])
def test_12_bit_jpeg(tmp_path, frames, write_dicom):
    coded = [deep_jpeg(DEEP + 40 * index) for index in range(frames)]
    write_dicom(tmp_path / "a.dcm", coded, EXTENDED, pixels=DEEP, BitsStored=12, HighBit=11, RescaleSlope=3)
    image = read_image(tmp_path / "a.dcm")
    expected = np.stack([imagecodecs.jpeg_decode(part) for part in coded])
    assert image.pixels.dtype == np.uint16
    assert image.pixels.shape == ((3, 48, 64) if frames == 3 else (48, 64))
    assert (image.pixels == expected.squeeze()).all()
    assert (image.format, image.channel_axis, image.rgb, image.alpha) == ("DICOM", None, False, False)
    assert image.jpeg == JPEGInfo.from_dicom(tmp_path / "a.dcm", frame=frames - 1)
    assert (image.jpeg.precision, image.jpeg.color_space) == (12, "grey")
    np.testing.assert_array_equal(image.jpeg.table(0), quality_table(50))


@pytest.mark.parametrize(
    ("photometric", "options"), [("YBR_FULL_422", {"subsampling": "422"}), ("YBR_FULL", {})]
)
def test_color_jpeg(tmp_path, photometric, options, write_dicom):
    coded = imagecodecs.jpeg_encode(COLOR, level=70, **options)
    write_dicom(tmp_path / "a.dcm", [coded], BASELINE, pixels=COLOR, PhotometricInterpretation=photometric)
    image = read_image(tmp_path / "a.dcm")
    assert (image.channel_axis, image.rgb, image.jpeg.color_space) == (-1, True, "ycbcr")
    assert np.abs(image.pixels - COLOR.astype(int)).mean() < 8
    assert consistency_report(image.pixels, image.jpeg, image.pixels).inside > 0.99


def test_rgb_is_rgb_unless_a_marker_says_otherwise(tmp_path, write_dicom):
    coded = imagecodecs.jpeg_encode(COLOR, level=80, colorspace="RGB", outcolorspace="RGB")
    place = coded.index(b"\xff\xee") if b"\xff\xee" in coded else None
    if place:
        coded = coded[:place] + coded[place + 2 + int.from_bytes(coded[place + 2 : place + 4], "big") :]
    assert JPEGInfo.from_bytes(coded).color_space in ("rgb", "ycbcr")
    write_dicom(tmp_path / "a.dcm", [coded], BASELINE, pixels=COLOR)
    image = read_image(tmp_path / "a.dcm")
    assert image.jpeg.color_space == "rgb"
    assert np.abs(image.pixels - COLOR.astype(int)).mean() < 5
    marked = imagecodecs.jpeg_encode(COLOR, level=80)  # YCbCr with a JFIF marker, and a careless data set
    write_dicom(tmp_path / "b.dcm", [marked], BASELINE, pixels=COLOR)
    assert read_image(tmp_path / "b.dcm").jpeg.color_space == "ycbcr"
    assert np.abs(read_image(tmp_path / "b.dcm").pixels - COLOR.astype(int)).mean() < 5


SIGNED = DEEP.astype(np.int16) - 2000
OTHERS = {
    "plain": (GREY, PLAIN, lambda a: a.tobytes(), {}),
    "plain, deep": (DEEP, PLAIN, lambda a: a.tobytes(), {"BitsStored": 12, "HighBit": 11}),
    "plain, signed": (SIGNED, PLAIN, lambda a: a.tobytes(), {"RescaleIntercept": -1024}),
    "plain, colour": (COLOR, PLAIN, lambda a: a.tobytes(), {}),
    "RLE": (GREY, RLE, lambda a: run_lengths(a), {}),
    "lossless JPEG": (GREY, LOSSLESS, lambda a: imagecodecs.ljpeg_encode(a, bitspersample=8), {}),
    "lossless JPEG, signed": (
        SIGNED,
        LOSSLESS,
        lambda a: imagecodecs.ljpeg_encode((a & 0xFFF).astype(np.uint16), bitspersample=12),
        {"BitsStored": 12, "HighBit": 11},
    ),
    "JPEG-LS": (DEEP, JPEG_LS, imagecodecs.jpegls_encode, {"BitsStored": 12, "HighBit": 11}),
    "JPEG 2000": (DEEP, JPEG_2000, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k"), {}),
    "JPEG 2000, signed": (SIGNED, JPEG_2000, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k"), {}),
    "JPEG 2000, colour": (COLOR, JPEG_2000, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k"), {}),
}


@pytest.mark.parametrize("photometric", ["YBR_FULL", "RGB"])
def test_luma_and_chroma_in_other_codecs_become_rgb(tmp_path, photometric, write_dicom):
    red = np.zeros((16, 16, 3), np.uint8) + np.uint8([200, 0, 0])
    stored = red if photometric == "RGB" else np.asarray(Image.fromarray(red).convert("YCbCr"))
    encoded = imagecodecs.jpegls_encode(stored)
    tags = {"PhotometricInterpretation": photometric}
    write_dicom(tmp_path / "a.dcm", [encoded], JPEG_LS, pixels=stored, **tags)
    assert np.abs(read_image(tmp_path / "a.dcm").pixels.astype(int) - red).max() <= 1


def run_lengths(pixels):
    from pydicom.pixels.encoders import RLELosslessEncoder

    return RLELosslessEncoder.encode(
        pixels.tobytes(),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("count", [1, 2])
def test_other_codecs(tmp_path, case, count, write_dicom):
    pixels, syntax, encode, tags = OTHERS[case]
    write_dicom(
        tmp_path / "a.dcm",
        [encode(pixels), encode(pixels[::-1].copy())][:count],
        syntax,
        pixels=pixels,
        **tags,
    )
    image = read_image(tmp_path / "a.dcm")
    assert image.pixels.dtype == pixels.dtype
    assert (image.pixels == (pixels if count == 1 else np.stack([pixels, pixels[::-1]]))).all()
    assert image.jpeg is None
    with pytest.raises(ValueError, match=r"a\.dcm is stored as .*; expected lossy JPEG"):
        JPEGInfo.from_dicom(tmp_path / "a.dcm")


def test_without_a_preamble(tmp_path, write_dicom):
    write_dicom(tmp_path / "a.dcm", [DEEP.tobytes()], PLAIN, pixels=DEEP, preamble=False)
    assert (tmp_path / "a.dcm").read_bytes()[128:132] != b"DICM"
    assert (read_image(tmp_path / "a.dcm").pixels == DEEP).all()


def test_a_name_does_not_matter_with_a_preamble(tmp_path, write_dicom):
    write_dicom(tmp_path / "IM-0001", [GREY.tobytes()], PLAIN, pixels=GREY)
    assert read_image(tmp_path / "IM-0001").format == "DICOM"


def test_a_preamble_that_is_the_header_of_a_tiff(tmp_path, write_dicom):
    path = tmp_path / "a.dcm"
    write_dicom(path, [GREY.tobytes()], PLAIN, pixels=GREY)
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    assert read_image(path).format == "DICOM"
    assert (read_image(path).pixels == GREY).all()


def test_signed_samples_have_a_record_while_none_is_negative(tmp_path, write_dicom):
    options = {"pixels": SIGNED, "BitsStored": 12, "HighBit": 11}
    write_dicom(tmp_path / "a.dcm", [deep_jpeg(DEEP >> 1)], EXTENDED, **options)
    write_dicom(tmp_path / "b.dcm", [deep_jpeg(DEEP)], EXTENDED, **options)
    positive, negative = read_image(tmp_path / "a.dcm"), read_image(tmp_path / "b.dcm")
    assert positive.pixels.dtype == negative.pixels.dtype == np.int16
    assert positive.jpeg is not None
    assert negative.pixels.min() < 0
    assert negative.jpeg is None
    assert JPEGInfo.from_dicom(tmp_path / "b.dcm").precision == 12


def test_frames_with_tables_of_their_own(tmp_path, write_dicom):
    write_dicom(tmp_path / "a.dcm", [deep_jpeg(DEEP, 50), deep_jpeg(DEEP, 60)], EXTENDED, pixels=DEEP)
    assert read_image(tmp_path / "a.dcm").jpeg is None
    assert [JPEGInfo.from_dicom(tmp_path / "a.dcm", frame).quality for frame in (0, 1)] == [50, 60]
    with pytest.raises(ValueError, match=r"frame 2 of .*expected 0 to 1"):
        JPEGInfo.from_dicom(tmp_path / "a.dcm", 2)


@pytest.mark.parametrize(
    ("frames", "syntax", "tags", "message"),
    [
        ([deep_jpeg(DEEP)[:-30]], EXTENDED, {}, "frame 0 of .* is truncated"),
        ([deep_jpeg(DEEP)[:100]], EXTENDED, {}, "truncated or damaged JPEG header"),
        ([deep_jpeg(DEEP)], EXTENDED, {"Rows": 47}, "48×64 pixels of 1 samples; the data set says 47×64"),
        ([deep_jpeg(DEEP)], EXTENDED, {"NumberOfFrames": 3}, "a.dcm"),
        ([deep_jpeg(DEEP)], EXTENDED, {"BitsStored": 17}, "stores 17 of 16 bits"),
        ([imagecodecs.jpegls_encode(DEEP)], JPEG_LS, {"Rows": 1}, "48×64 pixels; the data set says 1×64"),
        ([imagecodecs.jpegls_encode(DEEP)], EXTENDED, {}, "JPEG-LS"),
        ([b"not a codestream"], JPEG_2000, {}, "frame 0"),
        ([DEEP.tobytes()], PLAIN, {"Rows": 60000, "Columns": 60000}, "announces 7200000000 bytes"),
        ([DEEP.tobytes()], PLAIN, {"SamplesPerPixel": 2}, "of 2 samples"),
        ([DEEP.tobytes()], PLAIN, {"PhotometricInterpretation": "PALETTE COLOR"}, "palette"),
        ([DEEP.tobytes()], MPEG, {}, "MPEG2 .* cannot be read"),
    ],
)
def test_what_cannot_be_read(tmp_path, frames, syntax, tags, message, write_dicom):
    write_dicom(tmp_path / "a.dcm", frames, syntax, pixels=DEEP, **tags)
    with pytest.raises(ValueError, match=message) as caught:
        read_image(tmp_path / "a.dcm")
    assert "a.dcm" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(128) + b"DICM", bytes(2000)])
def test_what_is_no_dicom(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    for read in (read_image, JPEGInfo.from_dicom):
        with pytest.raises(ValueError, match=r"a\.dcm"):
            read(tmp_path / "a.dcm")
    with pytest.raises(FileNotFoundError):
        JPEGInfo.from_dicom(tmp_path / "b.dcm")


@pytest.mark.parametrize("missing", ["pydicom", "imagecodecs"])
def test_without_the_extra(tmp_path, monkeypatch, missing, write_dicom):
    write_dicom(tmp_path / "a.dcm", [deep_jpeg(DEEP)], EXTENDED, pixels=DEEP)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=r"a\.dcm .*pip install 'napari-deartifact\[dicom\]'"):
        read_image(tmp_path / "a.dcm")


def test_one_file_less_in_a_batch_without_the_extra(tmp_path, monkeypatch, write_dicom):
    write_dicom(tmp_path / "a.dcm", [deep_jpeg(DEEP)], EXTENDED, pixels=DEEP)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "out", "spp", device="cpu")
    assert result.status == "failed"
    assert "pip install 'napari-deartifact[dicom]'" in result.message


@pytest.mark.parametrize("name", ["a.dcm", "IM-0001"])
def test_reader_of_napari(tmp_path, name, write_dicom):
    path = str(tmp_path / name)
    write_dicom(path, [deep_jpeg(DEEP)] * 2, EXTENDED, pixels=DEEP)
    ((pixels, attributes, kind),) = get_reader(path)(path)
    assert kind == "image"
    assert not attributes["rgb"]
    assert attributes["metadata"]["jpeg"] == JPEGInfo.from_dicom(path)
    layer = SimpleNamespace(data=pixels, multiscale=False, **attributes)
    assert known_jpeg(layer) == JPEGInfo.from_dicom(path)  # which fits every frame
    layer.data = pixels[:, 1:]
    assert known_jpeg(layer) is None


def in_shared_groups(**measures):
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = [pydicom.Dataset()]
    for name, value in measures.items():
        setattr(shared.PixelMeasuresSequence[0], name, value)
    return {"SharedFunctionalGroupsSequence": [shared]}


SIDES = [0.5, 0.25]
SCALES = {
    "picture": (1, {"PixelSpacing": SIDES}, (0.5, 0.25), "mm"),
    "colour": (1, {"PixelSpacing": SIDES}, (0.5, 0.25), "mm"),
    "slices": (2, {"PixelSpacing": SIDES, "SpacingBetweenSlices": 3}, (3, 0.5, 0.25), "mm"),
    "slices, enhanced": (
        2, in_shared_groups(PixelSpacing=SIDES, SpacingBetweenSlices=3), (3, 0.5, 0.25), "mm",
    ),
    "film": (
        2,
        {"PixelSpacing": SIDES, "SpacingBetweenSlices": 3, "FrameTime": 40},
        (1, 0.5, 0.25),
        ("pixel", "mm", "mm"),
    ),
    "frames": (2, {"PixelSpacing": SIDES}, (1, 0.5, 0.25), ("pixel", "mm", "mm")),
    "untold": (1, {}, (1, 1), "pixel"),
    "nonsense": (1, {"PixelSpacing": [0.5, 0]}, (1, 1), "pixel"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCALES)
def test_scale_in_napari(tmp_path, case, write_dicom):
    import pint
    from napari.layers import Layer

    count, tags, scale, units = SCALES[case]
    pixels, path = COLOR if case == "colour" else GREY, str(tmp_path / "a.dcm")
    write_dicom(path, [pixels.tobytes()] * count, PLAIN, pixels=pixels, **tags)
    (described,) = get_reader(path)(path)
    layer = Layer.create(*described)
    assert tuple(layer.scale) == scale
    expected = (units,) * len(scale) if isinstance(units, str) else units
    assert layer.units == tuple(map(pint.get_application_registry(), expected))


def test_restored_in_stored_units(tmp_path, write_dicom):
    """12 bits go through `deartifact` and into DICOM, nearer to the original and on the same scale."""
    clean = (data.camera()[:128, :128].astype(np.uint16) << 3) + 100
    write_dicom(tmp_path / "a.dcm", [deep_jpeg(clean, 10)], EXTENDED, pixels=clean, BitsStored=12, HighBit=11)
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "out", "spp", device="cpu")
    assert (result.status, result.target.name, result.warnings) == ("restored", "a.dcm", ())
    lossy, restored = read_image(tmp_path / "a.dcm"), read_image(result.target).pixels
    assert restored.dtype == np.uint16
    errors = [np.square(pixels - clean.astype(float)).mean() for pixels in (lossy.pixels, restored)]
    assert errors[1] < 0.95 * errors[0]
    assert abs(restored.mean() - lossy.pixels.mean()) < 0.5
    again = deartifact(lossy.pixels, "spp", jpeg=JPEGInfo.from_dicom(tmp_path / "a.dcm"), device="cpu")
    assert (again == restored).all()
    assert consistency_report(restored, lossy.jpeg, lossy.pixels).inside > 0.99
    facts = inspect_file(tmp_path / "a.dcm")
    assert (facts["source"], facts["quality"], facts["precision"]) == ("header", 10, 12)
