"""Folders, patterns and single files find their targets; a bad file costs one line."""

from __future__ import annotations

import errno
import os
import threading
import warnings
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact import deartifact
from napari_deartifact.files import batch, stages
from napari_deartifact.files.batch import restore_files, restore_jobs, run_stages
from napari_deartifact.files.entry import Entry
from napari_deartifact.files.plan import Job, error_targets, plan_jobs
from napari_deartifact.files.read import read_image
from napari_deartifact.files.result import FileResult

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
    "one file by two names": (
        ["tree/a.jpg", os.path.join("{cwd}", "tree", "a.jpg")],
        {"tree/a.jpg": "a.png"},
    ),
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
    inputs = [name.format(cwd=Path.cwd()) for name in inputs]
    assert targets(inputs, "out") == {source: f"out/{target}" for source, target in expected.items()}


def test_names_that_collide_keep_their_suffix(tree, grey):
    Image.fromarray(grey).save(tree / "A.bmp")
    Image.fromarray(grey).save(tree / "a.webp")
    found = targets(["tree"], "out")
    assert found["tree/a.jpg"] == "out/a.jpg.png"
    assert found["tree/A.bmp"] == "out/A.bmp.png"
    assert found["tree/a.webp"] == "out/a.webp.png"
    assert found["tree/b.png"] == "out/b.png"


def test_names_that_collide_with_their_suffix_too(tree, grey):
    for name in ("A.JPG", "other/sub/a.jpg"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(tree / name)
    found = targets(["tree", "tree/sub", "tree/other/sub"], "out")
    assert len({target.lower() for target in found.values()}) == len(found) == 6
    assert found["tree/b.png"] == "out/tree/b.png"
    assert found["tree/sub/deep/c.tif"] == "out/tree/sub/deep/c.tif"
    crc = zlib.crc32(b"tree/A.JPG")
    assert found["tree/A.JPG"] == f"out/tree/A.JPG-{crc:08x}.png"
    before = found["tree/a.jpg"]
    Image.fromarray(grey).save(tree / "0.jpg")
    assert targets(["tree/other/sub", "tree"], "out")["tree/a.jpg"] == before


def test_files_of_one_name_from_folders_of_one_name(tree, model):
    first = list(restore_files(["tree/a.jpg", "tree/sub/a.jpg", "tree/b.png"], "out", model, force=True))
    assert [result.status for result in first] == ["restored"] * 3
    assert sorted(os.listdir("out")) == sorted(result.target.name for result in first)
    again = restore_files(["tree/a.jpg", "tree/sub/a.jpg", "tree/b.png"], "out", model, force=True)
    assert [(r.status, r.target) for r in again] == [("skipped", r.target) for r in first]


def test_names_that_collide_beyond_repair_are_refused(tree, grey):
    Image.fromarray(grey).save(tree / "a.JPG")
    Image.fromarray(grey).save(tree / f"a.JPG-{zlib.crc32(b'tree/a.JPG'):08x}.webp")
    with pytest.raises(ValueError, match=r"rename tree/a\.JPG"):
        plan_jobs("tree", "out")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_one_file_to_a_named_file(tree, suffix):
    assert targets(["tree/a.jpg"], f"out/x{suffix}") == {"tree/a.jpg": f"out/x{suffix}"}
    assert targets("tree/a.jpg", f"out/x{suffix}") == {"tree/a.jpg": f"out/x{suffix}"}


@pytest.mark.parametrize("folder", ["out.v2", "2024.11.03", "run.final"])
def test_a_folder_may_have_a_dot_in_its_name(tree, folder):
    assert targets("tree/a.jpg", folder) == {"tree/a.jpg": f"{folder}/a.png"}


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
        (["tree/a.jpg"], "x.pdf", "expected one of"),
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


def test_a_folder_that_cannot_be_listed_is_named(tree, not_listed):
    not_listed("deep", errno.EIO)
    with pytest.warns(UserWarning, match=r"tree/sub/deep cannot be listed \(Input/output error\)"):
        assert set(targets(["tree"], "out")) == {"tree/a.jpg", "tree/b.png", "tree/sub/a.jpg"}


def test_a_pattern_finds_no_answers(tree, grey):
    expected = targets(["**/*.tif"], "out")
    for name in ("out/tree/sub/deep/c.tif", "tree/x.zarr/d.tif"):
        path = Path(name)
        path.parent.mkdir(parents=True)
        tifffile.imwrite(path, grey)
    assert targets(["**/*.tif"], "out") == expected


def test_pictures_that_are_not_read_are_named(tree):
    before = targets(["tree"], "out")
    for name in ("e.gif", "f.jp2", "sub/g.GIF", "sub/h.heic", ".i.gif"):
        (tree / name).write_bytes(b"")
    with pytest.warns(UserWarning, match=r"tree/e.gif, tree/f.jp2, tree/sub/g.GIF and 1 more left out"):
        assert targets(["tree"], "out") == before


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


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "a.png"), ({}, "sub/../A.PNG"), ({"uncertainty": True}, "a_standard_error.tif")],
)
def test_a_report_does_not_take_the_place_of_an_answer(tree, model, options, name):
    with pytest.raises(ValueError, match="is to be a report"):
        restore_files("tree", "out", model, report=Path("out", name), **options)
    assert not Path("out").exists()


def test_an_option_that_nobody_knows_is_refused(tree, model):
    with pytest.raises(TypeError, match=r"unknown option 'strenght' \(did you mean 'strength'\?\)"):
        restore_jobs(plan_jobs("tree", "out"), model, strenght=0.5)


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
    ("options", "message"),
    [
        ({"strength": 2}, "strength is 2"),
        ({"tile_size": 3}, "tile_size is 3; expected .*at least 8"),
        ({"data_range": (5, 1)}, "white level must be above"),
    ],
)
def test_bad_options_fail_at_once(tree, model, options, message):
    with pytest.raises(ValueError, match=message):
        restore_files("tree", "out", model, **options)


def test_a_batch_may_be_perceptual(tree, pair):
    (result,) = restore_files("tree/a.jpg", "out", "pair", perceptual=0.5, device="cpu")
    assert result.status == "restored"
    image = read_image("tree/a.jpg")
    expected = deartifact(image.pixels, "pair", perceptual=0.5, jpeg=image.jpeg, device="cpu")
    np.testing.assert_array_equal(read_image("out/a.png").pixels, expected)
    assert not np.array_equal(deartifact(image.pixels, "pair", jpeg=image.jpeg, device="cpu"), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("compact-cnn", {"perceptual": 0.5}, "no perceptual twin"),
        ("pair", {"perceptual": 2}, "perceptual is 2"),
        ("pair", {"perceptual": 0.5, "uncertainty": True}, "learnt from faithful answers"),
        ("pair-perceptual", {"uncertainty": True}, "learnt from faithful answers"),
    ],
)
def test_what_cannot_be_perceptual_fails_at_once(tree, pair, name, options, message):
    with pytest.raises(ValueError, match=message):
        restore_files("tree", "out", name, **options)
    assert not Path("out").exists()


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


def test_a_range_is_that_of_files_without_a_jpeg(tree, grey, model):
    dull = grey.astype(np.uint16) * 4 + 100
    for path in tree.rglob("*.tif"):
        path.unlink()
    tifffile.imwrite(tree / "dull.tif", dull)
    found = {path.source.name: path for path in restore_files(
        "tree", "out", model, force=True, data_range=(100, 1120), report="out/report.csv"
    )}  # fmt: skip
    assert {result.status for result in found.values()} == {"restored"}
    expected = deartifact(dull, model=model, force=True, data_range=(100, 1120))
    np.testing.assert_array_equal(read_image(found["dull.tif"].target).pixels, expected)
    assert (expected != deartifact(dull, model=model, force=True)).any()
    image = read_image(tree / "a.jpg")
    expected = deartifact(image.pixels, model=model, force=True, jpeg=image.jpeg)
    np.testing.assert_array_equal(read_image("out/a.png").pixels, expected)


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


@pytest.mark.parametrize("link", ["tree/sub/loop", "tree/loop.jpg"])
@pytest.mark.parametrize("inputs", ["tree", "tree/**/*.jpg"])
def test_links_do_not_lead_round_and_round(tree, model, link, inputs):
    os.symlink(Path(link) if link.endswith(".jpg") else tree, link)  # the file is a link to itself
    results = {result.source.as_posix(): result.status for result in restore_files(inputs, "out", model)}
    assert results.pop("tree/loop.jpg", "failed") == "failed"
    assert set(results) <= {"tree/a.jpg", "tree/b.png", "tree/sub/a.jpg", "tree/sub/deep/c.tif"}
    assert "failed" not in results.values()


@pytest.mark.parametrize(
    "name", ["line\nbreak.jpg", "caf\udce9.jpg", "-o.jpg", "x" * 250 + ".jpg", "a b'\".jpg"]
)
def test_any_name(tree, model, name):
    source = Path("tree", name)
    source.write_bytes((tree / "a.jpg").read_bytes())
    (result,) = restore_files(source, "out", model, report="report.csv")
    assert (result.status, result.message) == ("restored", "")
    assert Path("out", name).with_suffix(".png").is_file()


BAD_CONTENT = {
    "nothing": b"",
    "text": b"hello",
    "a huge PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0" + bytes(100),
    "a huge JPEG": b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0" + bytes(100),
    "a huge TIFF": b"II*\0\x08\0\0\0\2\0\0\1\4\0\1\0\0\0\0\0\1\0\1\1\4\0\1\0\0\0\0\0\1\0" + bytes(100),
}


@pytest.mark.parametrize("content", BAD_CONTENT)
def test_bad_content_costs_one_line(tree, model, content):
    (tree / "a.jpg").write_bytes(BAD_CONTENT[content])
    results = list(restore_files("tree", "out", model, report="report.csv"))
    assert [result.status == "failed" for result in results] == [True, False, False, False]
    assert "tree/a.jpg" in results[0].message
    assert isinstance(results[0].error, Exception)
    assert not Path("out/a.png").exists()
    assert len(Path("report.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "tree/b.png"), "tree/b.png: Permission denied"),
        (MemoryError(), "tree/b.png: not enough memory"),
        (ValueError("no"), "tree/b.png: no"),
        (AttributeError("of a decoder"), "tree/b.png: of a decoder"),
    ],
)
def test_whatever_reading_raises_costs_one_line(tree, model, monkeypatch, error, message):
    def read(path):
        if path.name == "b.png":
            raise error
        return read_image(path)

    monkeypatch.setattr(stages, "read_image", read)
    results = {result.source.as_posix(): result for result in restore_files("tree", "out", model)}
    assert results.pop("tree/b.png").message == message
    assert {result.status for result in results.values()} <= {"restored", "unchanged"}


@pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files; Linux, where CI runs, has"
)
def test_a_pipe_is_not_waited_for(tree, model):
    os.mkfifo(tree / "c.jpg")
    results = {result.source.name: result for result in restore_files("tree", "out", model)}
    assert "device or a pipe" in results["c.jpg"].message


def test_a_file_that_disappears(tree, model):
    def remove(job, step):
        (tree / "sub" / "deep" / "c.tif").unlink(missing_ok=True)

    results = list(restore_files("tree", "out", model, progress=remove))
    assert [result.source.name for result in results if result.status == "failed"] == ["c.tif"]
    assert "no file at" in results[-1].message


def test_a_full_disk_stops_the_batch(tree, model, monkeypatch):
    save = Image.Image.save

    def full(self, path, *arguments, **options):
        if Path(path).parent.name == "sub":
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, path, *arguments, **options)

    results = restore_files("tree", "out", model, report="report.csv")
    monkeypatch.setattr(Image.Image, "save", full)
    found = [next(results) for _ in range(3)]
    assert [result.status for result in found] == ["restored", "unchanged", "failed"]
    assert found[-1].message == "tree/sub/a.jpg: out/sub/a.png cannot be written (No space left on device)"
    with pytest.raises(OSError, match="make room and run the same again"):
        next(results)
    assert {path.name for path in Path("out").rglob("*.*")} == {"a.png", "b.png"}
    monkeypatch.setattr(Image.Image, "save", save)
    assert [result.status for result in restore_files("tree", "out", model)][:3] == [
        "skipped", "skipped", "restored"
    ]  # fmt: skip


def test_an_output_that_may_not_be_written(tree, model, monkeypatch):
    Path("out").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="folder out is not writable"):
        restore_files("tree/a.jpg", "out", model)


def test_stages_overlap_and_nothing_is_under_way_at_a_yield(tree):
    """Each file is restored only once the next is read and the last written, so that waiting proves it."""
    events = {(stage, index): threading.Event() for stage in ("load", "save") for index in range(4)}
    under_way = set()

    class Watched:
        def load(self, job):
            under_way.add(("load", job))
            events["load", job].set()
            under_way.remove(("load", job))
            return Entry(job)

        def restore(self, entry):
            if entry.job < 3:
                assert events["load", entry.job + 1].wait(5)
            if entry.job > 0:
                assert events["save", entry.job - 1].wait(5)
            return entry

        def save(self, entry):
            under_way.add(("save", entry.job))
            events["save", entry.job].set()
            under_way.remove(("save", entry.job))
            return SimpleNamespace(result=lambda: FileResult(entry.job, entry.job, "restored"))

    for index, result in enumerate(run_stages(range(4), Watched())):
        assert result.source == index
        assert not under_way
        assert index == 3 or not events["save", index + 1].is_set()


def test_large_files_are_alone_in_memory(tree, model, monkeypatch):
    log = []
    for name in ("load", "restore", "save"):
        stage = getattr(stages.Stages, name)

        def noted(self, part, name=name, stage=stage):
            log.append(name)
            return stage(self, part)

        monkeypatch.setattr(stages.Stages, name, noted)
    monkeypatch.setattr(batch, "_LARGE", 0)
    list(restore_files(["tree/a.jpg", "tree/b.png"], "out", model))
    assert log == ["load", "restore", "load", "save", "restore", "save"]


def test_warnings_of_stages_at_once_belong_to_their_files(tmp_path, rgb, grey, model, monkeypatch):
    """One file warns while it is read, one while it is restored, one while it is written."""
    monkeypatch.chdir(tmp_path)
    before = list(warnings.filters), warnings.showwarning
    with tifffile.TiffWriter("pyramid.tif") as file:
        file.write(np.tile(grey, (4, 4)), subifds=1, tile=(16, 16))
        file.write(grey, subfiletype=1, tile=(16, 16))
    Image.fromarray(rgb).save("clean.png")
    Image.fromarray(rgb).save("color.jpg", quality=30)
    jobs = [
        Job(Path(source), Path(target))
        for _ in range(3)
        for source, target in (("clean.png", "a.png"), ("pyramid.tif", "b.tif"), ("color.jpg", "c.jpg"))
    ]
    expected = {
        "clean.png": "no JPEG history",
        "pyramid.tif": "is a pyramid",
        "color.jpg": "brings artifacts back",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = list(restore_jobs(jobs, model, overwrite=True))
    for result in results:
        assert expected[result.source.name] in " ".join(result.warnings)
        others = [text for name, text in expected.items() if name != result.source.name]
        if result.source.name == "color.jpg":
            assert len(result.warnings) == 1
        assert not any(text in " ".join(result.warnings) for text in others[1:])
    assert (list(warnings.filters), warnings.showwarning) == before


def test_the_suffix_of_all_answers(tree, model):
    results = list(restore_files("tree", "out", model, suffix=".tif"))
    assert [result.target.suffix for result in results] == [".tif"] * 4
    with pytest.raises(ValueError, match=r"suffix is '\.gif'; expected one of"):
        plan_jobs("tree", "out", ".gif")


def test_suffixes_of_two_parts(tree, grey):
    tifffile.imwrite("tree/d.ome.tif", grey)
    assert targets(["tree/d.ome.tif"], "out") == {"tree/d.ome.tif": "out/d.ome.tif"}
    jobs = plan_jobs("tree", "out", ".ome.tif")
    assert {job.target.name for job in jobs} == {"a.ome.tif", "b.ome.tif", "c.ome.tif", "d.ome.tif"}
    assert {path.name for path in error_targets(jobs).values()} == {
        f"{name}_standard_error.tif" for name in "abcd"
    }
    assert targets("tree/d.ome.tif", "d.ome.tif") == {"tree/d.ome.tif": "d.ome.tif"}
    Image.fromarray(grey).save("tree/d.png")
    colliding = {job.target.name for job in plan_jobs("tree", "out", ".ome.tif")}
    assert {"d.ome.tif.ome.tif", "d.png.ome.tif"} < colliding


def test_ten_thousand_names_are_planned_without_looking_into_files(tmp_path, monkeypatch):
    names = [f"{index:05d}.jpg" for index in range(10_000)]
    monkeypatch.setattr(os, "walk", lambda folder, **_: iter([(str(folder), [], names)]))
    monkeypatch.setattr("builtins.open", None)
    jobs = plan_jobs(tmp_path, tmp_path / "out")
    assert [job.place.name for job in jobs] == names
