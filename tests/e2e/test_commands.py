"""The other commands of the installed program."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image


def test_help_lists_the_commands(run):
    done = run("--help")
    assert done.returncode == 0
    for command in ("restore", "inspect", "models", "train", "recipes", "evaluate", "export"):
        assert command in done.stdout


def test_version(run):
    from napari_deartifact import __version__

    assert run("--version").stdout == f"deartifact {__version__}\n"


def test_models(run):
    done = run("models")
    assert (done.returncode, done.stderr) == (0, "")
    assert "spp" in [line.split()[0] for line in done.stdout.splitlines()]


def test_recipes(run):
    done = run("recipes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "compact-cnn" in [line.split()[0] for line in done.stdout.splitlines()]


def test_inspect_a_jpeg(run, pictures):
    done = run("inspect", pictures / "photo.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    assert "quality          20" in done.stdout
    assert "4:2:0" in done.stdout
    (facts,) = json.loads(run("inspect", pictures / "photo.jpg", "--json").stdout)
    assert facts["source"] == "header"
    assert (facts["quality"], facts["subsampling"], facts["orientation"]) == (20, "4:2:0", 3)
    assert facts["shape"] == [150, 180, 3]
    assert len(facts["tables"]) == 3


def test_inspect_estimates_what_no_header_tells(run, pictures, tmp_path):
    from napari_deartifact.files.read import read_image

    tifffile.imwrite(tmp_path / "saved_again.tif", read_image(pictures / "grey.jpg").pixels)
    done = run("inspect", "saved_again.tif", pictures / "originals" / "grey.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    decoded, original = json.loads(done.stdout)
    assert decoded["source"] == original["source"] == "estimate"
    assert decoded["is_jpeg"]
    assert abs(decoded["quality"] - 10) <= 2
    assert not original["is_jpeg"]
    readable = run("inspect", "saved_again.tif").stdout
    assert "estimate" in readable


def test_inspect_a_folder(run, pictures):
    found = json.loads(run("inspect", pictures, "--json").stdout)
    paths = [Path(facts["path"]).relative_to(pictures).as_posix() for facts in found]
    assert sorted(paths) == ["grey.jpg", "originals/grey.png", "originals/photo.png", "photo.jpg"]


def test_inspect_goes_on_after_a_bad_file(run, pictures):
    done = run("inspect", "missing.jpg", pictures / "photo.jpg")
    assert done.returncode == 1
    assert done.stderr == "deartifact: error: no file at missing.jpg; check the name\n"
    assert "photo.jpg" in done.stdout


def test_evaluate(run, pictures, tmp_path):
    qualities = ["--qualities", "10,clean,10:30"]
    words = ["evaluate", "--model", "spp", "--images", pictures / "originals", *qualities]
    done = run(*words, "--json", "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["10", "clean", "10:30"]
    content = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert content["command"].startswith("deartifact evaluate --model spp")
    assert [image["image"] for image in content["images"]] == ["grey.png", "photo.png"]
    compressed, clean, double = content["mean"]
    assert compressed["restored"]["psnr"] > compressed["jpeg"]["psnr"] + 0.3
    assert clean["jpeg"]["psnr"] is None
    assert double["quality"] == "10:30"


def test_train_writes_a_model_that_restores(run, pictures, tmp_path):
    from skimage import data, io

    (tmp_path / "clean").mkdir()
    for name in ("camera", "coffee", "moon"):
        io.imsave(tmp_path / "clean" / f"{name}.png", getattr(data, name)()[:256, :256])
    done = run("train", "compact-cnn", "clean", "-o", "mine.safetensors", "--steps", "3")
    assert done.returncode == 0
    pictures_line, last_line = done.stderr.splitlines()
    assert pictures_line == "3 pictures of 3 files; begins from new weights"
    assert "step 3" in last_line
    assert "gain_q10" in last_line
    assert "3 steps" in done.stdout
    assert {path.name for path in tmp_path.glob("mine.*")} == {
        f"mine.{suffix}" for suffix in ("safetensors", "checkpoint", "csv", "png")
    }
    again = run("train", "compact-cnn", "clean", "-o", "mine.safetensors", "--steps", "3")
    assert again.stdout.startswith("mine.safetensors was at its end, 3 steps in ")
    assert again.stderr.splitlines()[0].endswith("; goes on from mine.checkpoint")
    done = run("restore", pictures / "photo.jpg", "-o", "a.png", "--model", "mine.safetensors")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_batch_that_is_killed_goes_on_where_it_was(program, environment, model_file, tmp_path):
    """The report is whole at any moment, and the second run does only what the first did not."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for index in range(12):
        noise = Image.fromarray(rng.integers(0, 255, (120, 120, 3), dtype=np.uint8))
        noise.save(tmp_path / "in" / f"{index:02d}.jpg", quality=30)
    command = [program, "restore", "in", "-o", "out", "--model", model_file]
    running = subprocess.Popen(  # noqa: S603
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(list(tmp_path.glob("out/[!.]*.png"))) < 3:
        assert running.poll() is None
        time.sleep(0.01)
    running.kill()
    running.wait()
    begun = report(tmp_path)
    assert {row["status"] for row in begun} == {"restored"}
    assert all((tmp_path / row["target"]).is_file() for row in begun)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out/[!.]*.png")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
    rows = report(tmp_path)
    assert rows[: len(begun)] == begun
    assert sorted(row["source"] for row in rows) == [f"in/{index:02d}.jpg" for index in range(12)]
    again = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out/[!.]*.png")}
    assert len(again) == 12
    assert {name: again[name] for name in written} == written


def report(folder):
    with open(folder / "out" / "deartifact.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
