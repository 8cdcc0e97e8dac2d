"""Every kind of file becomes planes of eight bits, each file by windows of its own."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset

from napari_deartifact.training.data import read_picture, read_pictures
from napari_deartifact.training.data_planes import opened_planes, planes_of_array
from napari_deartifact.training.data_window import find_window

RAMP = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
NOISE = np.random.default_rng(0).integers(0, 256, (6, 40, 32), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (40, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("color", [True, False])
def test_eight_bits_come_as_they_are(tmp_path, suffix, color):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3) if color else (20, 30), dtype=np.uint8)
    path = tmp_path / f"picture{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(path, **options)
    expected = pixels
    if suffix == ".webp" and not color:  # WebP has no grey
        expected = np.repeat(pixels[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_picture(path), expected)


def test_alpha_is_left_out(tmp_path):
    Image.new("RGBA", (9, 7), (10, 20, 30, 40)).save(tmp_path / "alpha.png")
    assert read_picture(tmp_path / "alpha.png").tolist()[0][0] == [10, 20, 30]


@pytest.mark.parametrize("name", ["deep.tif", "deep.png"])
def test_sixteen_bits_are_windowed_by_percentiles(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".tif":
        tifffile.imwrite(path, RAMP)
    else:
        Image.fromarray(RAMP).save(path)
    pixels = read_picture(path)
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.uint8, 0, 255)
    assert abs(float(pixels.mean()) - 127.5) < 1


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_signed_and_float_pictures_are_windowed_too(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "signed.tif", RAMP.astype(dtype) - 1000)
    assert read_picture(tmp_path / "signed.tif").max() == 255


def test_a_constant_picture_stays_constant(tmp_path):
    tifffile.imwrite(tmp_path / "flat.tif", np.full((16, 16), 700, np.uint16))
    assert np.unique(read_picture(tmp_path / "flat.tif")).size == 1


ONE, TWO = (0,) * 6, (0, 1) * 3
STACKS = {
    "pages": (NOISE, ONE, {"photometric": "minisblack"}),
    "compressed": (NOISE, ONE, {"photometric": "minisblack", "compression": "zlib"}),
    "imagej": (NOISE, ONE, {"imagej": True, "metadata": {"axes": "ZYX"}}),
    "imagej channels": (NOISE.reshape(3, 2, 40, 32), TWO, {"imagej": True, "metadata": {"axes": "ZCYX"}}),
    "ome": (NOISE.reshape(3, 2, 40, 32), TWO, {"ome": True, "metadata": {"axes": "ZCYX"}}),
    "ome in time": (NOISE.reshape(3, 1, 2, 40, 32), TWO, {"ome": True, "metadata": {"axes": "TZCYX"}}),
    "samples": (
        np.moveaxis(NOISE, 0, -1),
        tuple(range(6)),
        {"photometric": "minisblack", "planarconfig": "contig"},
    ),
}


@pytest.mark.parametrize("most", [2**30, 0])
@pytest.mark.parametrize("kind", STACKS)
def test_each_plane_of_a_tiff_is_a_picture(tmp_path, kind, most):
    stack, channels, options = STACKS[kind]
    path = tmp_path / ("stack.ome.tif" if "ome" in kind else "stack.tif")
    tifffile.imwrite(path, stack, **options)
    with opened_planes(path, most) as planes:
        found = [planes.read(number) for number in range(len(planes))]
    np.testing.assert_array_equal(found, NOISE)
    assert planes.channels == channels
    assert [picture.name for picture in read_pictures(path)] == [f"{path.name}#{n}" for n in range(6)]


@pytest.mark.parametrize("most", [2**30, 0])
@pytest.mark.parametrize(
    "options", [{"photometric": "rgb"}, {"photometric": "rgb", "planarconfig": "separate"}]
)
def test_rgb_stays_rgb(tmp_path, options, most):
    frames = np.stack([COLOR, COLOR[::-1]])
    separate = "planarconfig" in options
    tifffile.imwrite(tmp_path / "rgb.tif", np.moveaxis(frames, -1, 1) if separate else frames, **options)
    with opened_planes(tmp_path / "rgb.tif", most) as planes:
        assert (len(planes), planes.shape) == (2, (40, 32, 3))
        np.testing.assert_array_equal(planes.read(1), COLOR[::-1])


def test_a_large_tiff_is_read_page_by_page(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "stack.tif", NOISE, photometric="minisblack", compression="zlib")
    with opened_planes(tmp_path / "stack.tif", NOISE.nbytes - 1) as planes:
        monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)
        np.testing.assert_array_equal(planes.read(4), NOISE[4])


def test_slices_share_a_window_and_channels_do_not(tmp_path):
    bright, dim = RAMP, RAMP // 4
    options = {"ome": True, "metadata": {"axes": "ZCYX"}}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([[bright, dim], [dim, dim // 4]]), **options)
    highest = [picture.pixels.max() for picture in read_pictures(tmp_path / "a.ome.tif")]
    assert highest == pytest.approx([255, 255, 64, 64], abs=1)


def test_a_few_bright_spots_do_not_vanish():
    spots = np.zeros((100, 100), np.uint16)
    spots[50, 50] = 4000
    assert find_window(planes_of_array(spots), [0]) == (0, 4000)


def test_white_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", NOISE[0], photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif"), 255 - NOISE[0])


def test_truth_values_are_black_and_white():
    planes = planes_of_array(NOISE[0] > 99)
    assert (planes.dtype, set(np.unique(planes.read(0)))) == (np.uint8, {0, 255})


def write_dicom(path, pixels, **tags):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    color = pixels.shape[-1] == 3
    frames = pixels if pixels.ndim == 3 + color else pixels[np.newaxis]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape[:3]
    dataset.SamplesPerPixel = 3 if color else 1
    if color:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


SIGNED = (RAMP.astype(np.int16) - 1000).repeat(2, 0)
PADDED = np.where(np.arange(128)[:, None] < 40, np.int16(-2000), SIGNED)


@pytest.mark.parametrize(
    ("pixels", "tags", "expected"),
    [
        (NOISE[0], {}, [NOISE[0]]),
        (NOISE, {"RescaleSlope": 3, "RescaleIntercept": -1024}, NOISE),
        (NOISE[0], {"PhotometricInterpretation": "MONOCHROME1"}, [255 - NOISE[0]]),
        (COLOR, {}, [COLOR]),
    ],
)
def test_dicom_of_eight_bits(tmp_path, pixels, tags, expected):
    pictures = read_pictures(write_dicom(tmp_path / "scan", pixels, **tags))
    np.testing.assert_array_equal([picture.pixels for picture in pictures], expected)


@pytest.mark.parametrize(
    ("pixels", "tags"),
    [
        (SIGNED, {}),
        (SIGNED, {"PhotometricInterpretation": "MONOCHROME1"}),
        (PADDED, {"PixelPaddingValue": -2000}),
    ],
)
def test_signed_dicom_is_windowed(tmp_path, pixels, tags):
    picture = read_picture(write_dicom(tmp_path / "scan.dcm", pixels, **tags))
    shown = pixels != -2000
    low, high = np.percentile(pixels[shown], (0.1, 99.9))
    expected = np.clip((pixels.astype(float) - low) * 255 / (high - low), 0, 255)
    expected = 255 - expected if "PhotometricInterpretation" in tags else expected
    assert np.abs(picture - expected).max() <= 1


@pytest.mark.parametrize(("flag", "told"), [("00", ""), ("01", "its data set says")])
def test_dicom_tells_of_loss(tmp_path, flag, told):
    path = write_dicom(tmp_path / "a.dcm", NOISE[0], LossyImageCompression=flag)
    with opened_planes(path, 2**30) as planes:
        assert planes.lossy.startswith(told) and bool(planes.lossy) == bool(told)


def test_palette_colors_are_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", NOISE[0], PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(ValueError, match="palette colours"):
        read_pictures(path)


@pytest.mark.parametrize(
    ("shape", "options"),
    [((8,), {}), ((0, 4), {}), ((4, 4, 5), {"rgb": True}), ((3, 4, 4), {"rgb": False, "channel_axis": 2})],
)
def test_arrays_without_planes(shape, options):
    with pytest.raises(ValueError, match="expected"):
        planes_of_array(np.zeros(shape), **options)
