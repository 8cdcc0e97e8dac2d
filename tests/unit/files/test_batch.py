"""Folders, patterns and single files find their targets; a bad file costs one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.files import stages
from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.plan import plan_jobs
from napari_deartifact.files.read import read_image

TREE = ["a.jpg", "b.png", "sub/a.jpg", "sub/deep/c.tif", "notes.txt", ".hidden.jpg", ".git/d.jpg"]


@pytest.fixture
def tree(tmp_path, grey, monkeypatch) -> Path:
    root = tmp_path / "tree"
    for name in TREE:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("not a picture")
        elif path.suffix == ".tif":
            tifffile.imwrite(path, grey)
        else:
            Image.fromarray(grey).save(path)
    monkeypatch.chdir(tmp_path)
    return root


def targets(inputs, output):
    return {job.source.as_posix(): job.target.as_posix() for job in plan_jobs(inputs, output)}


CASES = {
    "folder": (
        ["tree"],
        {
            "tree/a.jpg": "a.png",
            "tree/b.png": "b.png",
            "tree/sub/a.jpg": "sub/a.png",
            "tree/sub/deep/c.tif": "sub/deep/c.tif",
        },
    ),
    "folders keep their names": (
        ["tree/sub/deep", "tree/sub"],
        {"tree/sub/deep/c.tif": "deep/c.tif", "tree/sub/a.jpg": "sub/a.png"},
    ),
    "pattern": (["tree/**/*.jpg"], {"tree/a.jpg": "a.png", "tree/sub/a.jpg": "sub/a.png"}),
    "pattern in the middle": (["tree/s*/a.jpg"], {"tree/sub/a.jpg": "sub/a.png"}),
    "files": (["tree/sub/a.jpg", "tree/b.png"], {"tree/sub/a.jpg": "a.png", "tree/b.png": "b.png"}),
    "one file": (["tree/a.jpg"], {"tree/a.jpg": "a.png"}),
    "file twice": (["tree/a.jpg", "tree/a.jpg"], {"tree/a.jpg": "a.png"}),
    "file and its folder": (
        ["tree/sub/a.jpg", "tree/sub"],
        {"tree/sub/a.jpg": "a.png", "tree/sub/deep/c.tif": "deep/c.tif"},
    ),
    "missing file": (
        ["tree/missing.jpg", "tree/a.jpg"],
        {"tree/missing.jpg": "missing.png", "tree/a.jpg": "a.png"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_targets_in_a_folder(tree, case):
    inputs, expected = CASES[case]
    assert targets(inputs, "out") == {source: f"out/{target}" for source, target in expected.items()}


def test_names_that_collide_keep_their_suffix(tree, grey):
    Image.fromarray(grey).save(tree / "A.bmp")
    Image.fromarray(grey).save(tree / "a.webp")
    found = targets(["tree"], "out")
    assert found["tree/a.jpg"] == "out/a.jpg.png"
    assert found["tree/A.bmp"] == "out/A.bmp.png"
    assert found["tree/a.webp"] == "out/a.webp.png"
    assert found["tree/b.png"] == "out/b.png"


def test_names_that_collide_beyond_repair_are_refused(tree):
    with pytest.raises(ValueError, match=r"tree/a\.jpg and tree/sub/a\.jpg would both become"):
        plan_jobs(["tree/a.jpg", "tree/sub/a.jpg"], "out")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_one_file_to_a_named_file(tree, suffix):
    assert targets(["tree/a.jpg"], f"out/x{suffix}") == {"tree/a.jpg": f"out/x{suffix}"}
    assert targets("tree/a.jpg", f"out/x{suffix}") == {"tree/a.jpg": f"out/x{suffix}"}


def test_output_inside_the_input_is_not_restored_again(tree, model):
    first = list(restore_files("tree", "tree/out", model))
    assert targets("tree", "tree/out") == {str(r.source): str(r.target) for r in first}


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["tree/a.jpg", "tree/b.png"], "x.png", "names one file"),
        (["tree"], "x.png", "names one file"),
        (["tree/a.jpg"], "x.bmp", "expected one of"),
        (["tree/a.jpg"], "x.gif", "expected one of"),
        (["tree/.git"], "out", None),
        (["tree/*.gif"], "out", "no picture found in tree/\\*\\.gif; expected files such as"),
        (["empty"], "out", "no picture found in empty"),
        ([], "out", "an empty list"),
        (["tree"], "", "is empty"),
        ([""], "out", "is empty"),
        (["tree"], "tree", "choose another"),
        (["tree"], "tree/sub/..", "choose another"),
    ],
)
def test_nothing_to_do(tree, inputs, output, message):
    (tree.parent / "empty").mkdir()
    if message is None:
        assert len(plan_jobs(inputs, output)) == 1  # a hidden folder may be asked for by name
        return
    with pytest.raises(ValueError, match=message):
        plan_jobs(inputs, output)


def test_restored_pixels_and_tree(tree, model, grey):
    results = list(restore_files(["tree"], "out", model, force=True))
    assert [result.status for result in results] == ["restored"] * 4
    assert all(result.seconds > 0 for result in results)
    expected = np.clip(grey.astype(int) + 10, 0, 255)
    assert (read_image("out/b.png").pixels == expected).all()
    assert read_image("out/sub/a.png").pixels.shape == grey.shape
    assert sorted(path.name for path in Path("out").rglob("*") if path.is_file()) == [
        "a.png",
        "a.png",
        "b.png",
        "c.tif",
    ]


def test_a_bad_file_costs_one_line(tree, model):
    (tree / "bad.jpg").write_bytes((tree / "a.jpg").read_bytes()[:300])
    (tree / "text.jpg").write_text("hello")
    results = {result.source.name: result for result in restore_files(["tree", "gone.png"], "out", model)}
    assert len(results) == 6
    failed = {name for name, result in results.items() if result.status == "failed"}
    assert failed == {"bad.jpg", "text.jpg", "gone.png"}
    for name in failed:
        assert name in results[name].message
        assert "\n" not in results[name].message
        assert not results[name].target.exists()


def test_existing_targets_are_kept_unless_told_otherwise(tree, model):
    Path("out").mkdir()
    Path("out/b.png").write_text("precious")
    status = {result.source.name: result.status for result in restore_files("tree", "out", model)}
    assert status["b.png"] == "skipped"
    assert Path("out/b.png").read_text() == "precious"
    status = {result.status for result in restore_files("tree", "out", model, overwrite=True)}
    assert status == {"restored", "unchanged"}


def test_originals_are_never_overwritten(tree, model):
    before = (tree / "b.png").read_bytes()
    results = {
        result.source.name: result for result in restore_files("tree/*", "tree", model, overwrite=True)
    }
    assert results["b.png"].status == "failed"
    assert "one of the originals" in results["b.png"].message
    assert (tree / "b.png").read_bytes() == before


def test_unknown_model_fails_at_once(tree):
    with pytest.raises(ValueError, match="unknown model"):
        restore_files("tree", "out", "no-such-model")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "message"), [({"strength": 2}, "strength is 2"), ({"tile_size": 0}, "tile_size is 0")]
)
def test_bad_options_fail_at_once(tree, model, options, message):
    with pytest.raises(ValueError, match=message):
        restore_files("tree", "out", model, **options)


@pytest.mark.parametrize("output", ["tree/a.jpg/out", "tree/notes.txt"])
def test_a_file_in_the_way_of_the_output_fails_at_once(tree, model, output):
    with pytest.raises(NotADirectoryError, match="a file is in the way"):
        restore_files(["tree/a.jpg", "tree/b.png"], output, model)


def test_float_tiff_to_png_is_refused_before_the_work(tree, model, grey, monkeypatch):
    tifffile.imwrite("float.tif", grey.astype(np.float32))
    monkeypatch.setattr(stages, "restoration_steps", None)
    (result,) = restore_files("float.tif", "x.png", model)
    assert result.status == "failed"
    assert "x.tif" in result.message


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_passes_through(tmp_path, rgb, model, mode):
    picture = Image.fromarray(rgb).convert(mode)
    alpha = np.arange(rgb[..., 0].size, dtype=np.uint8).reshape(rgb.shape[:2])
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "a.png")
    (result,) = restore_files(tmp_path / "a.png", tmp_path / "b.png", model, force=True)
    assert result.status == "restored"
    before, after = (read_image(tmp_path / name).pixels for name in ("a.png", "b.png"))
    assert (after[..., -1] == alpha).all()
    assert (after[..., 0] == np.clip(before[..., 0].astype(int) + 10, 0, 255)).all()


def test_a_warning_of_many_planes_is_told_once(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 24, 24)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "noise.tif", noise, photometric="minisblack")
    (result,) = restore_files(tmp_path / "noise.tif", tmp_path / "out.tif", "spp")
    assert len(result.warnings) == 1


def test_warnings_belong_to_their_file(tmp_path, rgb, model):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (result,) = restore_files(tmp_path / "a.png", tmp_path / "b.jpg", model, force=True)
    assert result.status == "restored"
    assert "brings artifacts back" in result.warnings[0]


def test_progress_counts_tiles(tree, model):
    seen = []
    list(
        restore_files(
            "tree/a.jpg",
            "out",
            model,
            tile_size=32,
            progress=lambda job, step: seen.append((job.source.name, *step)),
        )
    )
    assert seen[0][1] == 0
    assert seen[-1][1] == seen[-1][2] > 1
    assert {name for name, *_ in seen} == {"a.jpg"}


def test_stopping_in_the_middle_leaves_nothing_half_written(tree, model):
    def stop(job, step):
        if step.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(restore_files("tree/a.jpg", "out", model, progress=stop))
    assert not list(Path("out").iterdir())


def test_a_jpeg_brings_its_tables_to_the_model(jpeg_file, tmp_path, model, monkeypatch):
    seen = {}

    def steps(pixels, model, **options):
        seen.update(options)
        yield from ()
        return pixels + 1

    monkeypatch.setattr(stages, "restoration_steps", steps)
    (result,) = restore_files(jpeg_file, tmp_path / "out", model, strength=0.5, device="cpu", tile_size=64)
    assert result.status == "restored"
    assert seen["jpeg"].quality == 30
    assert (seen["channel_axis"], seen["rgb"]) == (-1, True)
    assert (seen["strength"], seen["device"], seen["tile_size"]) == (0.5, "cpu", 64)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_results_are_as_readable_as_any_file(tree, model):
    mask = os.umask(0o022)
    try:
        list(restore_files("tree/a.jpg", "out", model))
    finally:
        os.umask(mask)
    assert Path("out/a.png").stat().st_mode & 0o777 == 0o644
