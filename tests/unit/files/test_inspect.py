"""What a file's header says, or its pixels betray."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from napari_deartifact.cli import main
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.files.inspect import format_facts, inspect_file


def test_header(jpeg_file):
    facts = inspect_file(jpeg_file)
    assert (facts["source"], facts["quality"], facts["subsampling"]) == ("header", 30, "4:2:0")
    assert (facts["format"], facts["shape"], facts["dtype"]) == ("JPEG", [50, 63, 3], "uint8")
    assert facts["orientation"] == 6
    text = format_facts(facts)
    assert text.startswith(str(jpeg_file))
    assert text.count("quantization table") == 2  # Cb and Cr share theirs
    assert json.loads(json.dumps(facts)) == facts


@pytest.fixture(scope="module")
def camera() -> np.ndarray:
    return data.camera()[100:356, 100:356]


@pytest.mark.parametrize("layout", ["plain", "stack", "channels"])
def test_estimate_from_the_pixels(tmp_path, camera, layout):
    decoded = jpeg_round_trip(camera, 20)
    stacked = {"plain": decoded, "stack": np.stack([decoded] * 2), "channels": np.stack([decoded] * 2)}[
        layout
    ]
    axes = {"plain": "YX", "stack": "ZYX", "channels": "CYX"}[layout]
    tifffile.imwrite(tmp_path / "a.tif", stacked, photometric="minisblack", metadata={"axes": axes})
    facts = inspect_file(tmp_path / "a.tif")
    assert facts["source"] == "estimate"
    assert facts["is_jpeg"]
    assert abs(facts["quality"] - 20) <= 2
    assert json.loads(json.dumps(facts)) == facts
    assert "quality" in format_facts(facts)


def test_estimate_in_color(tmp_path):
    decoded = jpeg_round_trip(data.astronaut()[:256, 100:356], 30)
    Image.fromarray(decoded).save(tmp_path / "a.png")
    facts = inspect_file(tmp_path / "a.png")
    assert facts["is_jpeg"]
    assert abs(facts["quality"] - 30) <= 2


def test_a_picture_that_has_no_intensities_is_named_and_the_rest_goes_on(tmp_path, jpeg_file, capsys):
    path = tmp_path / "waves.tif"
    tifffile.imwrite(path, np.ones((64, 64), complex))
    assert main(["inspect", str(path), str(jpeg_file)]) == 1
    shown = capsys.readouterr()
    assert f"{path}: image has dtype complex128" in shown.err
    assert str(jpeg_file) in shown.out


def test_no_history(tmp_path, camera):
    Image.fromarray(camera).save(tmp_path / "a.png")
    facts = inspect_file(tmp_path / "a.png")
    assert facts["is_jpeg"] is False
    lines = format_facts(facts).splitlines()
    assert any(line.split() == ["is", "jpeg", "no"] for line in lines)
    assert not any(line.split()[0] in ("double", "offset", "quality") for line in lines)
