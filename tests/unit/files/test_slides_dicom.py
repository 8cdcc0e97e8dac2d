"""DICOM whole slides: frames find their places, and every tile keeps its own tables."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
import zarr
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from skimage import data

from napari_deartifact.files.slides import restore_slide
from napari_deartifact.files.slides_open import is_slide, open_slide

BASELINE, NATIVE, HEVC = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.107"
HEIGHT, WIDTH = 48, 40
COLOR = np.ascontiguousarray(data.astronaut()[:100, 150:240])
GREY = np.ascontiguousarray(data.camera()[:100, 150:240])


def tiles_of(picture, height=HEIGHT, width=WIDTH):
    """Cut a picture into tiles, row by row, the last ones continued in black."""
    rows, columns = -(-picture.shape[0] // height), -(-picture.shape[1] // width)
    missing = [(0, rows * height - picture.shape[0]), (0, columns * width - picture.shape[1])]
    whole = np.pad(picture, missing + [(0, 0)] * (picture.ndim - 2))
    return [
        np.ascontiguousarray(whole[row * height : (row + 1) * height, column * width : (column + 1) * width])
        for row in range(rows)
        for column in range(columns)
    ]


def coded(tile, quality=60):
    stream = io.BytesIO()
    options = {} if tile.ndim == 2 else {"subsampling": "4:2:0"}
    Image.fromarray(tile).save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def write(path, frames, shape, samples, *, syntax=BASELINE, places=None, fragments=1, paths=1, **tags):
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.6")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    dataset.Rows, dataset.Columns = HEIGHT, WIDTH
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = shape
    dataset.NumberOfFrames, dataset.SamplesPerPixel = len(frames), samples
    dataset.NumberOfOpticalPaths = paths
    dataset.PhotometricInterpretation = "YBR_FULL_422" if samples == 3 else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.Manufacturer = "Maker"
    dataset.PatientName = "Nobody^Here"
    dataset.DimensionOrganizationType = "TILED_FULL" if places is None else "TILED_SPARSE"
    measures = pydicom.Dataset()
    measures.PixelSpacing = [0.0005, 0.00025]
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    if places is not None:
        dataset.PerFrameFunctionalGroupsSequence = [frame_group(*place) for place in places]
    for name, value in tags.items():
        setattr(dataset, name, value)
    compressed = syntax != NATIVE
    dataset.PixelData = encapsulate(frames, fragments_per_frame=fragments) if compressed else b"".join(frames)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def frame_group(row, column):
    position = pydicom.Dataset()
    position.RowPositionInTotalImagePixelMatrix = row * HEIGHT + 1
    position.ColumnPositionInTotalImagePixelMatrix = column * WIDTH + 1
    group = pydicom.Dataset()
    group.PlanePositionSlideSequence = [position]
    return group


def whole(slide, plane=0):
    return slide.read(plane, (slice(0, slide.shape[0]), slice(0, slide.shape[1])))


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("picture", [GREY, COLOR], ids=["grey", "colour"])
def test_full_tiling(tmp_path, picture, fragments):
    samples = 3 if picture.ndim == 3 else 1
    frames = [coded(tile) for tile in tiles_of(picture)]
    path = write(tmp_path / "a.dcm", frames, picture.shape[:2], samples, fragments=fragments)
    slide = open_slide(path)
    assert is_slide(path)
    assert (slide.shape, slide.samples, slide.pixel_size) == ((100, 90), samples, (0.5, 0.25))
    pixels, damaged = whole(slide)
    assert not damaged
    for frame, (_, _, (rows, columns)) in zip(
        frames, slide.tiles_in((slice(0, 100), slice(0, 90))), strict=True
    ):
        expected = decoded(frame).reshape(HEIGHT, WIDTH, samples)
        shown = pixels[:, rows, columns]
        # Two builds of libjpeg.
        part = expected[: shown.shape[1], : shown.shape[2]].astype(int)
        assert np.abs(np.moveaxis(shown, 0, -1) - part).max() <= 2
    assert slide.record(0, 0, 0).subsampling == ("4:2:0" if samples == 3 else "grey")


def test_the_colour_profile_is_kept(tmp_path):
    light = pydicom.Dataset()
    light.ICCProfile = b"profile!"
    frames = [coded(tile) for tile in tiles_of(COLOR)]
    path = write(tmp_path / "a.dcm", frames, COLOR.shape[:2], 3, OpticalPathSequence=[light])
    assert open_slide(path).icc == b"profile!"


def test_sparse_tiling_in_any_order_and_with_a_gap(tmp_path):
    tiles = tiles_of(GREY)
    order = [8, 0, 5, 3, 1, 2, 7, 4]  # 6 is missing
    path = write(
        tmp_path / "a.dcm", [coded(tiles[number]) for number in order], GREY.shape, 1,
        places=[divmod(number, 3) for number in order],
    )  # fmt: skip
    pixels, damaged = whole(open_slide(path))
    assert [(one.row, one.column, one.reason) for one in damaged] == [(2, 0, "missing")]
    assert np.abs(pixels[0, :96, :80].astype(int) - GREY[:96, :80]).mean() < 6


def test_optical_paths_are_channels(tmp_path):
    frames = [tile.tobytes() for picture in (GREY, 255 - GREY) for tile in tiles_of(picture)]
    path = write(tmp_path / "a.dcm", frames, GREY.shape, 1, syntax=NATIVE, paths=2)
    slide = open_slide(path)
    assert (slide.planes, slide.jpeg_coded) == (2, False)
    for plane, picture in enumerate((GREY, 255 - GREY)):
        np.testing.assert_array_equal(whole(slide, plane)[0][0], picture)


def test_restored(tmp_path, model):
    """A tile of 40 columns cuts the coded units of 4:2:0, and each tile's grid starts at its own corner."""
    frames = [coded(tile, 50 + 5 * index) for index, tile in enumerate(tiles_of(COLOR))]
    path = write(tmp_path / "a.dcm", frames, COLOR.shape[:2], 3)
    for _ in restore_slide(path, tmp_path / "a.ome.zarr", model, chunk_size=32):
        pass
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    told = group.attrs["napari-deartifact"]
    assert told["source"]["format"] == "DICOM"
    assert told["source"]["properties"]["Manufacturer"] == "Maker"
    assert "Nobody" not in str(dict(group.attrs))
    first = np.moveaxis(group["0"][:, :HEIGHT, :WIDTH], 0, -1)
    # The answer is encoded to the tile's own JPEG again, but for what rounding colours moves.
    again = decoded(coded(first, 50)).astype(int)
    assert np.mean(np.abs(again - decoded(frames[0])) <= 2) > 0.9


def test_damaged_frame(tmp_path):
    frames = [coded(tile) for tile in tiles_of(GREY)]
    frames[4] = frames[4][: len(frames[4]) // 2]
    pixels, damaged = whole(open_slide(write(tmp_path / "a.dcm", frames, GREY.shape, 1)))
    assert [(one.row, one.column, one.reason) for one in damaged] == [(1, 1, "no end of image")]
    assert not pixels[0, 48:96, 40:80].any()


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "no DICOM whole slide"),
        ({"syntax": HEVC}, "cannot be read"),
        ({"TotalPixelMatrixFocalPlanes": 3}, "one focal plane"),
        ({"BitsAllocated": 32}, "of 32 bits"),
    ],
)
def test_refused(tmp_path, tags, message):
    frames = [coded(tile) for tile in tiles_of(GREY)]
    with pytest.raises(ValueError, match=message):
        open_slide(write(tmp_path / "a.dcm", frames, GREY.shape, 1, **tags))


class Marker:
    """A restorer that marks the blocks of 8×8 as they lie in what it is given."""

    name, color, size_multiple, halo, fixed_tile, needs_tables = "marker", "any", 8, 8, None, False

    def restore(self, tiles, jpeg):
        marks = np.zeros(tiles.shape[-2:], np.float32)
        marks[::8], marks[:, ::8] = 1, 1
        return tiles * 0 + marks


@pytest.mark.parametrize(("height", "width"), [(72, 80), (68, 76)])
@pytest.mark.parametrize("picture", [GREY, COLOR], ids=["grey", "colour"])
def test_the_model_sees_each_tile_on_its_own_grid(tmp_path, picture, height, width):
    samples = 3 if picture.ndim == 3 else 1
    frames = [coded(tile) for tile in tiles_of(picture, height, width)]
    path = write(tmp_path / "a.dcm", frames, picture.shape[:2], samples, Rows=height, Columns=width)
    for _ in restore_slide(path, tmp_path / "a.ome.zarr", Marker(), chunk_size=64, consistency=False):
        pass
    found = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")["0"][0]
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    expected = (rows % height % 8 == 0) | (columns % width % 8 == 0)
    np.testing.assert_array_equal(found, 255 * expected)
