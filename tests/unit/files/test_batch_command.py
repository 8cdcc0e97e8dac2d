"""``deartifact restore`` with several files: lines, a report, exit codes; ``inspect`` with several."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_deartifact.cli import main
from napari_deartifact.files import stages


@pytest.fixture
def folder(tmp_path, grey, rgb, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    Image.fromarray(grey).save("in/grey.jpg", quality=20)
    Image.fromarray(rgb).save("in/clean.png")
    return tmp_path


def restore(*words):
    return main(["restore", *words, "--model", "spp", "--device", "cpu"])


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["source"]: row for row in csv.DictReader(stream)}


def test_lines_and_the_report_of_several_files(folder, capsys):
    assert restore("in", "-o", "out") == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "in/clean.png → out/clean.png, unchanged",
        "in/grey.jpg → out/grey.png",
        "1 restored, 1 unchanged, 0 skipped, 0 failed",
    ]
    assert told.err.startswith("deartifact: warning: in/clean.png: the image shows no JPEG history")
    assert "--force" in told.err
    assert "force=True" not in told.err
    told = rows("out/deartifact.csv")
    assert told["in/grey.jpg"]["quality"] == "20"
    assert "with --force" in told["in/clean.png"]["warnings"]
    assert "force=True" not in told["in/clean.png"]["warnings"]


def test_a_message_names_its_file_once(folder, capsys):
    whole = Path("in/grey.jpg").read_bytes()
    scan = whole.index(b"\xff\xda") + 20
    Path("cut.jpg").write_bytes(whole[: (scan + len(whole)) // 2] + b"\xff\xd9")
    assert restore("cut.jpg", "-o", "out") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deartifact: warning: cut.jpg is damaged (")
    assert line.count("cut.jpg") == 1


def test_one_file_has_a_report_only_when_asked_for(folder):
    assert restore("in/grey.jpg", "-o", "out") == 0
    assert not Path("out/deartifact.csv").exists()
    assert restore("in/grey.jpg", "-o", "a.png", "--report", "a.csv") == 0
    assert rows("a.csv")["in/grey.jpg"]["status"] == "restored"


def test_no_report(folder, capsys):
    assert restore("in", "-o", "out", "--no-report") == 0
    assert {path.name for path in Path("out").iterdir()} == {"grey.png", "clean.png"}
    assert restore("in", "-o", "out", "--no-report", "--report", "a.csv") == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_bad_file_is_one_line_and_the_exit_code(folder, capsys):
    Path("in/nothing.jpg").write_bytes(b"")
    assert restore("in", "-o", "out") == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "1 restored, 1 unchanged, 0 skipped, 1 failed"
    assert told.err.splitlines()[-1].startswith("deartifact: error: in/nothing.jpg is empty")
    assert rows("out/deartifact.csv")["in/nothing.jpg"]["status"] == "failed"


def test_reference_and_format(folder, grey):
    Path("originals").mkdir()
    Image.fromarray(grey).save("originals/grey.png")
    assert restore("in", "-o", "out", "--reference", "originals", "--format", "TIF") == 0
    assert float(rows("out/deartifact.csv")["in/grey.jpg"]["gain"]) > 0
    assert Path("out/grey.tif").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "gif"], "--format is '.gif'; expected one of .dcm"),
        (["--reference", "missing"], "no folder at missing"),
        (["--report", "in/clean.png"], "is not a report"),
        (["--report", "in"], "is a folder"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(folder, capsys, words, message):
    assert restore("in", "-o", "out", *words) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out
    assert not list(folder.rglob("out/*.*"))


@pytest.mark.parametrize("name", ["line\nbreak.jpg", "caf\udce9.jpg", "\x1b[31mred.jpg", "naïve.jpg"])
@pytest.mark.parametrize("good", [True, False])
def test_any_name_is_one_line_on_the_console(folder, capsys, name, good):
    Path("in", name).write_bytes(Path("in/grey.jpg").read_bytes() if good else b"")
    assert restore("in", "-o", "out") == (0 if good else 1)
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == (4 if good else 3)
    assert all(line.isprintable() for line in (told.out + told.err).splitlines())
    assert len(rows("out/deartifact.csv")) == 3


def test_long_messages_are_cut(folder, capsys, monkeypatch):
    def read(path):
        raise ValueError("x" * 10_000)

    monkeypatch.setattr(stages, "read_image", read)
    assert restore("in", "-o", "out") == 1
    assert max(map(len, capsys.readouterr().err.splitlines())) < 1100


def test_a_full_disk_is_told_and_the_rest_is_not_begun(folder, capsys, monkeypatch):
    def write(path, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stages, "write_image", write)
    assert restore("in", "-o", "out", "--force") == 1
    told = capsys.readouterr()
    assert told.err.count("error") == 2
    assert "make room and run the same again" in told.err


@pytest.mark.parametrize(("words", "shown"), [((), False), (("--tables",), True)])
def test_tables_of_several_files_are_shown_when_asked_for(folder, capsys, words, shown):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("in/other.jpg")
    assert main(["inspect", "in/grey.jpg", "in/other.jpg", *words]) == 0
    assert ("quantization table" in capsys.readouterr().out) == shown
    assert main(["inspect", "in/grey.jpg"]) == 0
    assert "quantization table" in capsys.readouterr().out
