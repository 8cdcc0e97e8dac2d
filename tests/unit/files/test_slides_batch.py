"""Slides in a folder are restored in parts, beside the pictures, and one bad slide costs one line."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest
import tifffile
import zarr
from PIL import Image
from skimage import data

from napari_deartifact.cli import main
from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.plan import plan_jobs
from napari_deartifact.files.slides import restore_slide

APERIO = "Aperio Image Library v11.2.1\n90x70 (48x48) JPEG Q=60|AppMag = 20|MPP = 0.4990"
MODEL = "compact-cnn"


@pytest.fixture
def tree(tmp_path, grey, monkeypatch) -> Path:
    """Two slides, one of them cut off, a picture, and what an earlier run has left."""
    monkeypatch.chdir(tmp_path)
    Path("in/sub").mkdir(parents=True)
    Path("in/old.ome.zarr/0/c").mkdir(parents=True)
    Path("in/old.ome.tif.part").mkdir()
    for name in ("old.ome.zarr/picture.png", "old.ome.tif.part/pyramid.ome.tif"):
        Image.fromarray(grey).save(Path("in", name), format="PNG")
    Image.fromarray(grey).save("in/z.jpg", quality=20)
    tifffile.imwrite(
        "in/sub/a.SVS", data.astronaut()[:90, 150:220], tile=(48, 48), compression="jpeg",
        compressionargs={"level": 60}, photometric="rgb", description=APERIO, metadata=None,
    )  # fmt: skip
    Path("in/bad.ndpi").write_bytes(Path("in/sub/a.SVS").read_bytes()[:200])
    return tmp_path


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["source"]: row for row in csv.DictReader(stream)}


@pytest.mark.parametrize(
    ("suffix", "slide", "picture"),
    [(None, ".ome.zarr", ".png"), (".tif", ".ome.tif", ".tif"), (".ome.tif", ".ome.tif", ".ome.tif")],
)
def test_targets(tree, suffix, slide, picture):
    jobs = plan_jobs("in", "out", suffix)
    assert [(job.target.as_posix(), job.is_slide) for job in jobs] == [
        (f"out/z{picture}", False),
        (f"out/bad{slide}", True),
        (f"out/sub/a{slide}", True),
    ]
    assert [job.target.name for job in plan_jobs("in/**/*.SVS", "out", suffix)] == [f"a{slide}"]


@pytest.mark.parametrize("words", [[], ["--format", "tif"]])
def test_a_folder_with_slides(tree, capsys, words):
    command = ["restore", "in", "-o", "out", "--model", MODEL, "--device", "cpu", *words]
    assert main(command) == 1
    told = capsys.readouterr()
    suffix = ".ome.tif" if words else ".ome.zarr"
    assert told.out.splitlines()[1:] == [
        f"in/sub/a.SVS → out/sub/a{suffix}", "2 restored, 0 skipped, 1 failed"
    ]  # fmt: skip
    (line,) = told.err.splitlines()
    assert line.startswith("deartifact: error: ")
    assert "in/bad.ndpi" in line
    row = rows("out/deartifact.csv")["in/sub/a.SVS"]
    known = ("status", "format", "shape", "dtype", "history", "evidence", "quality")
    assert [row[name] for name in known] == ["restored", "SVS", "90x70x3", "uint8", "jpeg", "header", "60"]
    for _ in restore_slide("in/sub/a.SVS", f"single{suffix}", MODEL, device="cpu"):
        pass
    assert (pixels_of(f"out/sub/a{suffix}") == pixels_of(f"single{suffix}")).all()
    assert main(command) == 1
    assert "0 restored, 2 skipped, 1 failed" in capsys.readouterr().out


def pixels_of(path):
    return (
        zarr.open_group(path, mode="r")["0"][:] if path.endswith("zarr") else tifffile.imread(path, level=0)
    )


def test_an_interrupted_slide_is_gone_on_with(tree):
    class Enough(BaseException):
        pass

    def stop(job, progress):
        if job.is_slide and progress.done:
            raise Enough

    Path("in/bad.ndpi").unlink()
    with pytest.raises(Enough):
        list(restore_files("in", "out", MODEL, device="cpu", progress=stop))
    assert Path("out/sub/a.ome.zarr.part/journal").stat().st_size
    begun = []
    results = list(
        restore_files("in", "out", MODEL, device="cpu", progress=lambda job, step: begun.append(step.done))
    )
    assert [result.status for result in results] == ["skipped", "restored"]
    assert begun[:2] == [0, 1]
    assert not Path("out/sub/a.ome.zarr.part").exists()


def test_slides_of_a_batch_are_as_perceptual_as_pictures(tree, pair):
    Path("in/bad.ndpi").unlink()
    results = restore_files("in", "out", "pair", perceptual=0.5, device="cpu")
    assert [result.status for result in results] == ["restored", "restored"]
    told = zarr.open_group("out/sub/a.ome.zarr", mode="r").attrs["napari-deartifact"]
    assert (told["model"], told["perceptual"]) == ("pair, perceptual 0.5", 0.5)


def test_what_slides_do_not_have_is_said_once(tree, model):
    Path("originals").mkdir()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = list(restore_files("in", "out", model, uncertainty=False, reference="originals"))
    assert [str(warning.message) for warning in told] == [
        "gains on references are not made of slides, of which there are 2"
    ]
    assert [result.status for result in results] == ["restored", "failed", "restored"]


def test_originals_are_never_overwritten(tree, model):
    Path("in/sub/a.ome.tif").symlink_to("a.SVS")
    (result,) = restore_files("in/sub/*.SVS", "in/sub", model, suffix=".tif", overwrite=True)
    assert result.status == "failed"
    assert "one of the originals" in result.message
