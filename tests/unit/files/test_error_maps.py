"""The standard error beside each answer: where it is written, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.cli import main
from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.read import read_image


@pytest.fixture(autouse=True)
def folder(tmp_path, jpeg_file, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: str = "out") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_map_lies_beside_the_answer(model):
    (result,) = restore_files("photo.jpg", "out", model, uncertainty=True, device="cpu")
    assert result.status == "restored"
    assert names() == ["photo.png", "photo_standard_error.tif"]
    error, picture = read_image("out/photo_standard_error.tif"), read_image("out/photo.png")
    assert error.pixels.dtype == np.float32
    assert error.pixels.shape == picture.pixels.shape
    assert (error.pixels > 0).all()
    assert error.metadata.orientation == picture.metadata.orientation == 6
    (plain,) = restore_files("photo.jpg", "plain.png", model)
    assert (read_image(plain.target).pixels == picture.pixels).all()


@pytest.mark.parametrize("missing", ["photo.png", "photo_standard_error.tif"])
def test_only_what_is_missing_is_written(model, missing):
    def restore(**options):
        (result,) = restore_files("photo.jpg", "out", model, uncertainty=True, device="cpu", **options)
        return result.status

    assert restore() == "restored"
    before = {name: Path("out", name).read_bytes() for name in names()}
    stamps = {name: Path("out", name).stat().st_mtime_ns for name in names()}
    Path("out", missing).unlink()
    assert restore() == "restored"
    assert {name: Path("out", name).read_bytes() for name in names()} == before
    assert [name for name in names() if Path("out", name).stat().st_mtime_ns != stamps[name]] == [missing]
    assert restore() == "skipped"
    assert restore(overwrite=True) == "restored"


@pytest.mark.parametrize("existing", ["photo.png", "photo_standard_error.tif"])
@pytest.mark.parametrize("content", ["text", "another model's"])
def test_a_file_that_is_not_its_pair_is_kept_and_nothing_written_beside_it(model, existing, content):
    Path("out").mkdir()
    if content == "text":
        Path("out", existing).write_text("precious")
    else:
        list(restore_files("photo.jpg", "out", "spp", uncertainty=True, device="cpu"))
        for name in set(names()) - {existing}:
            Path("out", name).unlink()
    before = Path("out", existing).read_bytes()
    (result,) = restore_files("photo.jpg", "out", model, uncertainty=True, device="cpu")
    assert result.status == "failed"
    assert "overwrite" in result.message
    assert names() == [existing]
    assert Path("out", existing).read_bytes() == before
    (over,) = restore_files("photo.jpg", "out", model, uncertainty=True, overwrite=True, device="cpu")
    assert over.status == "restored"
    assert len(names()) == 2


def test_maps_of_two_targets_are_two_files(model, grey):
    for name in ("a.png", "a.tif", "b.png", "b_standard_error.tif"):
        image = Image.fromarray(grey)
        image.save(name)
    results = list(
        restore_files(
            ["a.png", "a.tif", "b.png", "b_standard_error.tif"], "out", model, uncertainty=True, device="cpu"
        )
    )
    assert [result.status for result in results] == ["unchanged"] * 4
    assert names() == [
        "a.png", "a.png_standard_error.tif", "a.tif", "a.tif_standard_error.tif",
        "b.png", "b.png_standard_error.tif", "b_standard_error.tif",
        "b_standard_error_standard_error.tif",
    ]  # fmt: skip


def test_originals_are_never_overwritten(model, grey):
    tifffile.imwrite("photo_standard_error.tif", grey)
    results = list(
        restore_files(["photo.jpg", "photo_standard_error.tif"], ".", model, uncertainty=True, overwrite=True)
    )
    assert [result.status for result in results] == ["restored", "failed"]
    assert (tifffile.imread("photo_standard_error.tif") == grey).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_has_no_error(model, rgb, mode):
    Image.fromarray(rgb).convert(mode).save("a.png")
    (result,) = restore_files("a.png", "out.png", model, uncertainty=True, device="cpu")
    assert result.status == "unchanged"
    error = read_image("out_standard_error.tif").pixels
    assert error.shape == (*rgb.shape[:2], len(mode))
    assert (error[..., -1] == 0).all()
    assert (error[..., :-1] > 0).all()


def test_command(capsys):
    assert main(["restore", "photo.jpg", "-o", "a.png", "--uncertainty", "--device", "cpu"]) == 0
    assert Path("a_standard_error.tif").is_file()
