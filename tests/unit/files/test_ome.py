"""What is written follows OME-Zarr 0.5 and OME-TIFF, and reads back as it was."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_deartifact.files.ome_tiff import TIFFLabels, tile_count, write_ome_tiff
from napari_deartifact.files.ome_zarr import Pyramid, PyramidLayout, halved, read_ome_zarr

RANDOM = np.random.default_rng(0)
LAYOUTS = {
    "rgb": PyramidLayout((3, 100, 71), np.dtype("uint8"), 32, (0.5, 0.25), rgb=True, name="a"),
    "rgba": PyramidLayout((4, 40, 71), np.dtype("uint8"), 32, rgb=True),
    "channels": PyramidLayout((2, 64, 70), np.dtype("uint16"), 32, (0.5, 0.5)),
    "float": PyramidLayout((1, 20, 20), np.dtype("float32"), 32),
}


@pytest.fixture(params=LAYOUTS)
def pyramid(request, tmp_path):
    layout = LAYOUTS[request.param]
    made = Pyramid(tmp_path / "a.ome.zarr", layout)
    pixels = (RANDOM.random(layout.shape) * 200).astype(layout.dtype)
    for rows, columns in made.windows(0, 64):
        made.write(0, rows, columns, pixels[:, rows, columns])
    for level in range(1, len(made.levels)):
        for window in made.windows(level, 64):
            made.coarsen(level, *window)
    made.describe({"program": "test"})
    return made


def test_the_group_follows_the_specification(pyramid):
    """The rules of OME-NGFF 0.5 on the group's metadata that its schema checks, and those it cannot."""
    told = json.loads((pyramid.folder / "zarr.json").read_text())
    assert (told["zarr_format"], told["node_type"]) == (3, "group")
    ome = told["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    axes = multiscale["axes"]
    assert [axis["type"] for axis in axes] == ["channel", "space", "space"]
    assert [axis["name"] for axis in axes] == ["c", "y", "x"]
    assert all(axis.get("unit") in (None, "micrometer") for axis in axes)
    before = None
    for number, part in enumerate(multiscale["datasets"]):
        array = json.loads((pyramid.folder / part["path"] / "zarr.json").read_text())
        assert (array["zarr_format"], array["node_type"]) == (3, "array")
        assert array["dimension_names"] == [axis["name"] for axis in axes]
        assert tuple(array["shape"]) == pyramid.layout.levels[number]
        assert before is None or all(a <= b for a, b in zip(array["shape"], before, strict=True))
        before = array["shape"]
        kinds = [transform["type"] for transform in part["coordinateTransformations"]]
        assert kinds == (["scale"] if number == 0 else ["scale", "translation"])
        assert all(len(t[t["type"]]) == len(axes) for t in part["coordinateTransformations"])
    channels = ome["omero"]["channels"]
    assert len(channels) == pyramid.layout.shape[0]
    for channel in channels:
        assert len(channel["color"]) == 6
        assert set(channel["window"]) == {"min", "max", "start", "end"}


def test_levels_are_means_of_whole_levels(pyramid):
    for finer, coarser in zip(pyramid.levels, pyramid.levels[1:], strict=False):
        np.testing.assert_array_equal(coarser[:], halved(finer[:]))


def test_the_middles_of_levels_agree():
    """Pixel (0, 0) of a coarser level lies in the middle of those that it is the mean of."""
    datasets = LAYOUTS["rgb"].attributes()["multiscales"][0]["datasets"]
    for number, part in enumerate(datasets[1:], 1):
        scale, translation = (t[t["type"]][1:] for t in part["coordinateTransformations"])
        assert scale == [0.5 * 2**number, 0.25 * 2**number]
        expected = [np.arange(2**number).mean() * size for size in (0.5, 0.25)]
        assert translation == expected


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
def test_halved(dtype):
    pixels = (RANDOM.random((2, 5, 6)) * 100).astype(dtype)
    even = np.concatenate([pixels, pixels[:, -1:]], axis=1).astype(float)
    mean = even.reshape(2, 3, 2, 3, 2).mean(axis=(2, 4))
    expected = np.floor(mean + 0.5) if np.dtype(dtype).kind != "f" else mean
    found = halved(pixels)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_zarr_reads_back(pyramid):
    image = read_ome_zarr(pyramid.folder)
    assert image.rgb == pyramid.layout.rgb
    assert image.scale == pyramid.layout.pixel_size
    assert image.provenance == {"program": "test"}
    assert len(image.levels) == len(pyramid.levels)
    np.testing.assert_array_equal(image.levels[0].compute(), pyramid.levels[0][:])


def test_what_is_no_image(tmp_path):
    (tmp_path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    with pytest.raises(ValueError, match=r"no OME-Zarr 0\.5 image"):
        read_ome_zarr(tmp_path)


def labels(layout):
    properties = {"AppMag": 20}
    return TIFFLabels("rgb" if layout.rgb else "minisblack", "scanned <1>", properties, "00-1", b"icc")


def test_tiff(pyramid, tmp_path):
    path, layout = tmp_path / "a.ome.tif", pyramid.layout
    steps = list(write_ome_tiff(path, pyramid, labels(layout)))
    assert len(steps) == tile_count(pyramid)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert not file.is_bigtiff
        (series,) = file.series
        assert len(series.levels) == len(pyramid.levels)
        for level, array in zip(series.levels, pyramid.levels, strict=True):
            expected = np.moveaxis(array[:], 0, -1) if layout.rgb else array[:]
            np.testing.assert_array_equal(level.asarray(), expected.squeeze())
            assert level.keyframe.is_tiled
            assert level.keyframe.compression == 8
        page = file.pages[0]
        assert page.tags[34675].value == b"icc"
        check_xml(file.ome_metadata, layout)


def check_xml(text, layout):
    """The attributes that the schema of 2016-06 wants, and what was to be kept."""
    root = ElementTree.fromstring(text)  # noqa: S314
    assert root.tag == "{http://www.openmicroscopy.org/Schemas/OME/2016-06}OME"
    pixels = root.find("{*}Image/{*}Pixels")
    _, rows, columns = layout.shape
    assert (pixels.get("SizeX"), pixels.get("SizeY")) == (str(columns), str(rows))
    assert pixels.get("Type") == {"float32": "float"}.get(layout.dtype.name, layout.dtype.name)
    assert pixels.get("SizeC") == str(layout.shape[0])
    size = layout.pixel_size or (None, None)
    assert [pixels.get(f"PhysicalSize{axis}") for axis in "YX"] == [side and str(side) for side in size]
    assert root.find("{*}Image/{*}Description").text == "scanned <1>"
    assert "AppMag" in text


def test_cancelled_tiff_ends_its_thread(tmp_path):
    import threading

    made = Pyramid(tmp_path / "a.ome.zarr", LAYOUTS["rgb"])
    before = threading.active_count()
    steps = write_ome_tiff(tmp_path / "a.ome.tif", made, labels(made.layout))
    next(steps)
    steps.close()
    assert threading.active_count() == before


def test_failure_of_the_writing_thread_is_told(tmp_path):
    made = Pyramid(tmp_path / "a.ome.zarr", LAYOUTS["rgb"])
    with pytest.raises(FileNotFoundError):
        list(write_ome_tiff(tmp_path / "missing" / "a.ome.tif", made, labels(made.layout)))
