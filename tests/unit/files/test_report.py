"""The report of a batch: a line a file, valid whenever it was cut off."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.read import read_image
from napari_deartifact.files.reference import References
from napari_deartifact.files.report import COLUMNS, Report
from napari_deartifact.files.result import FileResult
from napari_deartifact.metrics import psnr


@pytest.fixture
def tree(tmp_path, grey, rgb, monkeypatch) -> Path:
    """A colour JPEG of quality 30, a grey one saved as PNG, a clean picture and no picture at all."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    Image.fromarray(rgb).save("in/sub/color.jpg", quality=30)
    Image.fromarray(np.tile(grey, (4, 4))).save("a.jpg", quality=20)
    Image.open("a.jpg").save("in/decoded.png")
    Image.fromarray(np.tile(grey, (2, 2))).save("in/clean.png")
    Path("in/text.jpg").write_text("hello")
    return tmp_path


def rows(path="report.csv"):
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["source"]: row for row in csv.DictReader(stream)}


def lines(path="report.csv"):
    return Path(path).read_text(encoding="utf-8").splitlines()


def done(model, **options):
    return list(restore_files("in", "out", model, report="report.csv", **options))


def test_one_line_a_file(tree, model):
    done(model)
    assert lines()[0] == ",".join(COLUMNS)
    found = rows()
    assert len(lines()) == 5 == len(found) + 1
    color, decoded, clean, text = (
        found[f"in/{name}"] for name in ("sub/color.jpg", "decoded.png", "clean.png", "text.jpg")
    )
    assert [row["status"] for row in (color, decoded, clean, text)] == [
        "restored", "restored", "unchanged", "failed"
    ]  # fmt: skip
    assert color["method"].startswith("JPEG artifacts reduced by napari-deartifact")
    assert color["method"].endswith(f"model {model.name}")
    assert clean["method"].startswith("Left as it was by napari-deartifact")
    assert text["method"] == ""
    known = (
        "target",
        "format",
        "shape",
        "dtype",
        "history",
        "evidence",
        "quality",
        "subsampling",
        "grid_row",
    )
    assert [color[name] for name in known] == [
        "out/sub/color.png", "JPEG", "50x63x3", "uint8", "jpeg", "header", "30", "4:2:0", "0"
    ]  # fmt: skip
    assert [decoded[name] for name in known[4:]] == ["jpeg", "pixels", "20", "grey", "0"]
    assert float(decoded["confidence"]) > 0.9
    assert clean["history"] in ("none", "uncertain")
    assert "shows no JPEG history" in clean["warnings"]
    assert "not a picture" in text["error"]
    assert text["format"] == text["gain"] == ""
    assert all(float(row["seconds"]) >= 0 for row in found.values())


def test_the_pixels_are_looked_at_once(tree, model, monkeypatch):
    from napari_deartifact import history

    seen = []
    look = history.estimate_of
    monkeypatch.setattr(history, "estimate_of", lambda picture, *more: seen.append(1) or look(picture, *more))
    list(restore_files("in/decoded.png", "out.png", model))
    assert len(seen) == 1


def test_a_second_run_goes_on_with_the_report(tree, model):
    done(model)
    before = lines()
    done(model)
    assert lines()[:5] == before
    assert [line.split(",")[2] for line in lines()[5:]] == ["failed"]  # what was done is told already
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("in/new.png")
    (tree / "out" / "decoded.png").unlink()
    done(model)
    assert {row["status"] for row in rows().values()} == {"restored", "unchanged", "failed"}
    assert len(rows()) == 5


def test_what_was_done_without_a_report_is_told_as_skipped(tree, model):
    list(restore_files("in", "out", model))
    done(model)
    assert rows()["in/sub/color.jpg"]["status"] == "skipped"
    done(model, overwrite=True)
    assert rows()["in/sub/color.jpg"]["status"] == "restored"


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_half_a_line_is_removed(tree, model, lost):
    done(model)
    whole = Path("report.csv").read_bytes()
    Path("report.csv").write_bytes(whole[:-lost])
    assert len(Report.open("report.csv").told) == 3
    assert whole.startswith(Path("report.csv").read_bytes())


@pytest.mark.parametrize("held", [0, 1, 30])
def test_half_a_header_is_written_anew(tree, held):
    Path("report.csv").write_text(",".join(COLUMNS)[:held])
    Report.open("report.csv")
    assert lines() == [",".join(COLUMNS)]


@pytest.mark.parametrize("content", ["name,age\nme,7\n", "no table", "source\n"])
def test_other_files_are_left_alone(tree, model, content):
    Path("report.csv").write_text(content)
    with pytest.raises(ValueError, match=r"report\.csv is not a report"):
        done(model)
    assert Path("report.csv").read_text() == content
    assert not list(Path("out").rglob("*.png"))


@pytest.mark.parametrize(
    ("report", "error"), [("missing/report.csv", FileNotFoundError), ("in", IsADirectoryError)]
)
def test_where_no_report_can_be_written(tree, model, report, error):
    with pytest.raises(error):
        restore_files("in", "out", model, report=report)


@pytest.mark.parametrize(
    "name", ["line\nbreak", 'a "quoted", name', "tab\tand\x1b[31mcolour", "caf\udce9", "näıve ünï"]
)
def test_any_name_and_any_message_is_one_line(tree, name):
    report = Report.open("report.csv")
    message = f"{name}: first\nsecond " + 10_000 * "x"
    report.add(FileResult(Path(name + ".jpg"), Path(name + ".png"), "failed", message, (message,)))
    assert len(lines()) == 2
    (row,) = rows().values()
    assert row["status"] == "failed"
    assert len(row["error"]) == len(row["warnings"]) == 500
    assert row["source"].isprintable()
    assert Report.open("report.csv").told == {row["source"]}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_gain_on_a_reference(tree, rgb, model, suffix):
    Path("originals/sub").mkdir(parents=True)
    Image.fromarray(rgb).save(f"originals/sub/color{suffix}")
    done(model, reference="originals")
    row = rows()["in/sub/color.jpg"]
    before, after = (psnr(rgb, read_image(path).pixels) for path in ("in/sub/color.jpg", "out/sub/color.png"))
    assert float(row["psnr_before"]) == pytest.approx(before, abs=1e-3)
    assert float(row["psnr_after"]) == pytest.approx(after, abs=1e-3)
    assert float(row["gain"]) == pytest.approx(after - before, abs=2e-3)
    assert rows()["in/decoded.png"]["gain"] == ""


@pytest.mark.parametrize(
    ("original", "place"),
    [
        ("a.ome.tif", "sub/a.jpg"),
        ("a.tif", "sub/a.ome.tif"),
        ("1.2.840.7", "sub/1.2.840.7"),
        ("1.2.840.7.dcm", "sub/1.2.840.7"),
    ],
)
def test_originals_are_found_by_the_stem_of_a_batch(tmp_path, grey, write_dicom, original, place):
    path = tmp_path / "sub" / original
    path.parent.mkdir()
    if path.suffix == ".tif":
        tifffile.imwrite(path, grey)
    else:
        write_dicom(path, [grey.tobytes()], "1.2.840.10008.1.2.1", pixels=grey)
    references = References.below(tmp_path)
    assert references.read(Path(place)).path == path
    assert references.read(Path("sub/1.2.840.8")) is None
    assert references.read(Path(place).relative_to("sub")) is None


def test_gain_over_a_stack_and_beside_alpha(tmp_path, rgb, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "originals"):
        Path(folder).mkdir()
        noise = np.random.default_rng(len(folder)).integers(0, 4000, (3, 40, 50), dtype=np.uint16)
        tifffile.imwrite(f"{folder}/stack.tif", noise, photometric="minisblack")
        picture = Image.fromarray(rgb).convert("RGBA")
        picture.putalpha(len(folder))
        picture.save(f"{folder}/alpha.png")
    done(model, reference="originals", force=True)
    stack, alpha = rows()["in/stack.tif"], rows()["in/alpha.png"]
    assert 0 < float(stack["psnr_before"]) < 20
    assert math.isinf(float(alpha["psnr_before"]))


@pytest.mark.parametrize("case", ["other shape", "damaged"])
def test_a_bad_reference_costs_a_warning(tree, rgb, model, case):
    Path("originals/sub").mkdir(parents=True)
    if case == "damaged":
        Path("originals/sub/color.png").write_text("hello")
    else:
        Image.fromarray(rgb[1:]).save("originals/sub/color.png")
    done(model, reference="originals")
    row = rows()["in/sub/color.jpg"]
    assert row["status"] == "restored"
    assert "no gain is told" in row["warnings"]
    assert row["gain"] == ""


@pytest.mark.parametrize("times", [1, 9])
def test_a_share_that_loses_a_file_for_a_moment(tree, model, monkeypatch, times):
    monkeypatch.setattr("napari_deartifact.files.report._PAUSES", (0, 0))
    opened, failures = Path.open, [OSError(errno.ESTALE, "Stale file handle")] * times

    def fails(path, *arguments, **options):
        if path.suffix == ".csv" and arguments == ("ab",) and failures:
            raise failures.pop()
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", fails)
    results = restore_files(tree, "out", model, device="cpu", report="report.csv")
    if times > 3:
        with pytest.raises(OSError, match=r"report report\.csv cannot be written"):
            list(results)
    else:
        done = list(results)
        assert len(Path("report.csv").read_text().splitlines()) == len(done) + 1


def test_a_device_is_no_report(tree, model):
    with pytest.raises(ValueError, match="is a device"):
        restore_files("in", "out", model, report=os.devnull)


@pytest.mark.parametrize("written", [0, 7])
def test_a_full_disk_ends_the_batch_and_leaves_a_report_that_goes_on(tree, model, monkeypatch, written):
    class Full(io.FileIO):
        def write(self, line):
            if b"decoded" not in line:
                return super().write(line)
            super().write(line[:written])
            if written:
                return written
            raise OSError(28, "No space left on device")

    results = restore_files("in", "out", model, report="report.csv")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, mode, **_: Full(self, mode.replace("b", "")))
        assert next(results).source.name == "clean.png"
        with pytest.raises(OSError, match=r"report report\.csv cannot be written \(No space left"):
            next(results)
    assert Report.open("report.csv").told == {"in/clean.png"}


def test_without_the_folder_of_references(tree, model):
    with pytest.raises(NotADirectoryError, match="no folder at nowhere"):
        restore_files("in", "out", model, reference="nowhere")
