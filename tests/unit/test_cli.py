"""What the command line says when the command makes no sense, and what its exit codes are."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import json
import os
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from napari_deartifact.cli import console, lists, main, slides


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a picture, an empty folder and a file that is in the way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "originals").mkdir()
    (tmp_path / "file").write_text("in the way")
    Image.fromarray(data.camera()[100:140, 150:200]).save(tmp_path / "photo.jpg", quality=20)
    Image.fromarray(data.camera()[100:140, 150:200]).save(tmp_path / "originals" / "grey.png")
    Image.fromarray(data.astronaut()[100:140, 150:200]).save(tmp_path / "originals" / "color.png")
    return tmp_path


def one_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


def code_of(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


RESTORE = ["restore", "photo.jpg", "-o", "a.png", "--device", "cpu"]
EVALUATE = ["evaluate", "--images", "originals", "--model", "spp"]
TRAIN = ["train", "compact-cnn", "missing", "-o", "m.safetensors"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "COMMAND"),
        (["restor"], 2, "invalid choice: 'restor'"),
        (["restore", "photo.jpg"], 2, "required: -o/--output; see deartifact restore --help"),
        ([*RESTORE, "--tile-size", "big"], 2, "invalid int value: 'big'"),
        ([*RESTORE, "--model", "spp", "--tile-size", "3"], 2, "--tile-size is 3; expected"),
        ([*RESTORE, "--model", "spp", "--strength", "3"], 2, "--strength is 3.0; expected"),
        ([*EVALUATE, "--codec", "webp", "--jpeg-info"], 2, "leave --jpeg-info and --consistency out"),
        ([*TRAIN, "--shares", "3", "1"], 2, "--shares has 2 numbers for 1 sources"),
        ([*RESTORE, "--model", "sppp"], 2, "did you mean 'spp'?"),
        ([*RESTORE, "--model", "missing.safetensors"], 2, "no model file at missing.safetensors"),
        ([*RESTORE, "--model", "file"], 2, "file is not a model file"),
        ([*RESTORE, "--model", "spp", "--strength", "2"], 2, "strength is 2.0"),
        ([*RESTORE, "--model", "spp", "--perceptual", "2"], 2, "perceptual is 2.0"),
        ([*RESTORE, "--model", "spp", "--perceptual", "nan"], 2, "perceptual is nan"),
        ([*RESTORE, "--perceptual", "much"], 2, "invalid float value: 'much'"),
        ([*RESTORE, "--model", "spp", "--perceptual", "1"], 2, "with --perceptual 0 none is needed"),
        ([*RESTORE, "--model", "spp", "--device", "cuda:99"], 2, "available: auto"),
        (["restore", "empty", "-o", "out", "--model", "spp"], 2, "no picture found in empty"),
        (["restore", "*.gif", "-o", "out", "--model", "spp"], 2, "no picture found in *.gif"),
        (["restore", "missing.jpg", "-o", "a.png", "--model", "spp"], 1, "no file at missing.jpg"),
        (["restore", "file", "-o", "a.png", "--model", "spp"], 1, "file is not a picture"),
        (["restore", "photo.jpg", "-o", "file/a.png", "--model", "spp"], 2, "a file is in the way"),
        (["restore", "photo.jpg", "-o", "file", "--model", "spp"], 2, "a file is in the way"),
        (["restore", "photo.jpg", "-o", "a.bmp", "--model", "spp"], 2, "expected one of"),
        (["restore", "photo.jpg", "photo.jpg", "-o", "a.png", "--model", "spp"], 2, "name a folder"),
        (["inspect", "missing.jpg"], 1, "no file at missing.jpg"),
        (["inspect", "file"], 1, "file is not a picture"),
        (["inspect", "empty"], 2, "no picture found in empty"),
        ([*RESTORE, "--data-range", "9", "5"], 2, "--data-range is [9.0, 5.0]; the white level must be"),
        (["evaluate"], 2, "required: --images"),
        ([*EVALUATE, "--images", "missing"], 2, "no folder at missing"),
        ([*EVALUATE, "--images", "empty"], 2, "holds no pictures"),
        ([*EVALUATE, "--qualities", "10,best"], 2, "'10,best' is no list of qualities"),
        ([*EVALUATE, "--qualities", "0"], 2, "quality is 0"),
        ([*EVALUATE, "--qualities", "10:"], 2, "'10:' is no list of qualities"),
        ([*EVALUATE, "--codec", "gif"], 2, "invalid choice: 'gif'"),
        ([*EVALUATE, "--codec", "webp", "--qualities", "10:30"], 2, "only JPEG goes twice"),
        ([*EVALUATE, "--shift", "3"], 2, "'3' is no shift such as 3,5"),
        ([*EVALUATE, "--shift", "3,16"], 2, "shift is (3, 16)"),
        ([*EVALUATE, "--passes", "0"], 2, "passes is 0"),
        ([*EVALUATE, "--model", "sppp"], 2, "did you mean 'spp'?"),
        ([*EVALUATE, "--perceptual", "0.5"], 2, "'spp' has no perceptual twin"),
        ([*EVALUATE, "--features", "missing.npz"], 2, "no file of weights at missing.npz"),
        ([*EVALUATE, "--features", "file"], 2, "file holds no weights that can be read"),
        ([*EVALUATE, "--niqe", "missing.npz"], 2, "no file at missing.npz; expected what NIQE compares"),
        ([*EVALUATE, "--niqe", "file"], 2, "file cannot be read as .npz or .mat; expected what"),
        ([*EVALUATE, "--features", "empty"], 2, "empty is a folder; name the file; expected SqueezeNet"),
        ([*EVALUATE, "--features", "photo.jpg"], 2, "fetch the file again"),
        ([*EVALUATE, "--niqe", "empty"], 2, "empty is a folder; name the file; expected what NIQE"),
        ([*EVALUATE, "--niqe", "photo.jpg"], 2, "photo.jpg cannot be read as .npz or .mat; expected what"),
        ([*EVALUATE, "--luma", "video"], 2, "invalid choice: 'video'"),
        (["train", "no-such-recipe", "originals", "-o", "m.safetensors"], 2, "no-such-recipe"),
        (TRAIN, 2, "missing"),
        ([*TRAIN, "--minutes", "0"], 2, "--minutes is 0"),
        ([*TRAIN, "--minutes", "nan"], 2, "--minutes is nan"),
        ([*TRAIN, "--steps", "-1"], 2, "--steps is -1"),
        ([*EVALUATE, "--json", "missing/result.json"], 2, "folder missing does not exist"),
        (["export", "general"], 2, "required: -o/--output"),
        (["export", "general", "-o", "m.pt"], 2, "expected a name that ends in .onnx"),
        (["export", "spp", "-o", "m.onnx"], 2, "has no network to export"),
        (["export", "genral", "-o", "m.onnx"], 2, "did you mean 'general'?"),
        (["export", "general", "-o", "missing/m.zip"], 2, "folder missing does not exist"),
    ],
)
def test_one_line_says_what_to_do(folder, capsys, words, code, message):
    before = sorted(folder.rglob("*"))
    assert code_of(words) == code
    line = one_line(capsys.readouterr().err)
    assert line.startswith("deartifact: error: ")
    assert message in line
    assert "Traceback" not in line
    assert [path for path in sorted(folder.rglob("*")) if path.name != "out"] == before


@pytest.mark.parametrize(
    "command", ["restore", "inspect", "models", "train", "recipes", "export", "evaluate"]
)
def test_each_command_has_help(capsys, command):
    assert code_of([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: deartifact {command}")


@pytest.mark.parametrize("place", [0, 1])
def test_debug_may_stand_before_or_after_the_command(folder, place):
    words = ["inspect", "missing.jpg"]
    words.insert(place * 2, "--debug")
    with pytest.raises(FileNotFoundError):
        main(words)


def test_debug_shows_why_a_file_failed(folder, capsys):
    words = ["restore", "file", "-o", "a.png", "--model", "spp", "--debug"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.splitlines()[-1].startswith("deartifact: error: file is not a picture")


def raising(error: BaseException):
    def run(options):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "deartifact: interrupted"),
        (ValueError("two\nlines"), 2, "deartifact: error: two lines"),
        (RuntimeError("out of memory"), 1, "deartifact: error: out of memory"),
        (OSError(28, "No space left", "a.png"), 1, "deartifact: error: a.png: No space left"),
        (
            KeyError("x"), 1,
            "deartifact: error: KeyError: 'x'; run it again with --debug and report what it shows",
        ),
        (
            ValueError(), 2,
            "deartifact: error: ValueError: ; run it again with --debug and report what it shows",
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_line_and_a_code(capsys, monkeypatch, error, code, line):
    monkeypatch.setattr(lists, "run_models", raising(error))
    assert main(["models"]) == code
    assert capsys.readouterr().err == line + "\n"


def test_warnings_are_lines_too(capsys, monkeypatch):
    import warnings

    def warn(options):
        warnings.warn("mind\nthe gap", UserWarning, stacklevel=2)
        return 0

    monkeypatch.setattr(lists, "run_models", warn)
    monkeypatch.setattr(warnings, "filters", [("default", None, UserWarning, None, 0)])
    assert main(["models"]) == 0
    assert capsys.readouterr().err == "deartifact: warning: mind the gap\n"


def test_evaluation_in_color_skips_grey_and_says_so(folder, capsys, monkeypatch):
    class Identity:
        name, color, size_multiple, halo, fixed_tile, needs_tables = "identity", "any", 1, 0, None, False

        def restore(self, tiles, jpeg):
            return tiles

    module = importlib.import_module("napari_deartifact.evaluation.evaluate")
    monkeypatch.setattr(module, "loaded", lambda *_, **__: Identity())
    assert main([*EVALUATE, "--qualities", "20", "--color", "--json", "out.json"]) == 1
    told = capsys.readouterr()
    assert "grey.png is grey" in one_line(told.err)
    assert "RGB 4:2:0" in told.out
    assert (folder / "out.json").read_text(encoding="utf-8").count('"measures"') == 1


@pytest.mark.filterwarnings("default")
def test_warnings_of_an_evaluation_are_told_once(folder, capsys, monkeypatch):
    class Slow:
        name, color, size_multiple, halo, fixed_tile, needs_tables = "slow", "any", 1, 0, None, False

        def restore(self, tiles, jpeg):
            warnings.warn("out of memory; the CPU does the rest", UserWarning, stacklevel=1)
            return tiles

    module = importlib.import_module("napari_deartifact.evaluation.evaluate")
    monkeypatch.setattr(module, "loaded", lambda *_, **__: Slow())
    assert main([*EVALUATE, "--qualities", "20,30"]) == 0
    assert one_line(capsys.readouterr().err) == "deartifact: warning: out of memory; the CPU does the rest"


def test_evaluation_options_reach_the_evaluation(folder, capsys):
    assert main([*EVALUATE, "--qualities", "20,10:30", "--shift", "3,5", "--passes", "2"]) == 0
    told = capsys.readouterr().out
    assert "shifted by 3,5, 2 passes" in told
    assert " 10:30 " in told
    assert main([*EVALUATE, "--qualities", "20", "--codec", "jpeg2000"]) == 0
    assert "JPEG 2000 at the bitrate of JPEG" in capsys.readouterr().out


def test_perceptual_reaches_the_model(folder, capsys, pair):
    def restored(name, *words):
        assert main(["restore", "photo.jpg", "-o", name, "--device", "cpu", *words]) == 0
        return Image.open(name).tobytes()

    twin = restored("a.png", "--model", "pair", "--perceptual", "1")
    assert twin == restored("b.png", "--model", "pair-perceptual")
    assert restored("c.png", "--model", "pair", "--perceptual", "0.5") != twin
    assert Image.open("c.png").text["Software"].endswith("model pair, perceptual 0.5")
    assert restored("d.png", "--model", "pair") == restored("e.png", "--model", "pair", "--perceptual", "0")
    words = ["--model", "pair", "--perceptual", "0.5", "--qualities", "20", "--device", "cpu"]
    assert main(["evaluate", "--images", "originals", *words]) == 0
    assert "pair, perceptual 0.5: 2 pictures" in capsys.readouterr().out
    assert main(["restore", "photo.jpg", "-o", "f.png", *words[:4], "--uncertainty"]) == 2
    assert "(--perceptual 0)" in one_line(capsys.readouterr().err)
    words = ["--model", "pair-perceptual", "--uncertainty"]
    assert main(["restore", "photo.jpg", "-o", "g.png", *words]) == 2
    assert one_line(capsys.readouterr().err).endswith("or use 'pair'")


def test_models_with_a_twin_are_listed_as_such(capsys, pair):
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    told = [lines[name].endswith("With a perceptual twin.") for name in ("pair", "pair-perceptual", "spp")]
    assert told == [True, False, False]
    assert lines["pair-perceptual"].endswith("The perceptual twin of pair.")


def test_descriptions_of_recipes_stand_below_each_other(capsys):
    from napari_deartifact.training import list_recipes, read_recipe

    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = zip(lines, map(read_recipe, list_recipes()), strict=True)
    assert len({line.index(f" {recipe.description}") for line, recipe in pairs}) == 1


def test_features_measure_a_perceptual_distance(folder, capsys):
    import torch

    from napari_deartifact.training.feature_weights import SQUEEZENET_CAFFE

    layers = torch.nn.Sequential(*(module for _, module in SQUEEZENET_CAFFE.build()))
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, "squeezenet.pth")
    assert main([*EVALUATE, "--qualities", "20", "--features", "squeezenet.pth"]) == 0
    told = capsys.readouterr().out
    assert "feature distance by squeezenet1_1-caffe relu1 fire3" in told
    assert "feature distance in → out" in told
    assert "less is better: feature distance\n" in told


def test_niqe_needs_no_original(folder, capsys):
    import numpy as np

    from napari_deartifact.niqe import PristineModel

    PristineModel(np.zeros(36), np.eye(36), block_size=16).save("own.npz")
    assert main([*EVALUATE, "--qualities", "20", "--niqe", "own.npz", "--json", "out.json"]) == 0
    title, header, line, below = capsys.readouterr().out.splitlines()
    assert title.endswith("NIQE by own.npz")
    assert below == "less is better: niqe"
    assert "niqe in → out (original)" in header
    assert "nan" not in line
    assert '"original": {"niqe": ' in (folder / "out.json").read_text(encoding="utf-8")


def test_the_codecs_offered_are_those_that_there_are():
    from napari_deartifact.cli import evaluate
    from napari_deartifact.degradation import CODECS

    assert list(CODECS) == list(evaluate._CODECS)


def test_a_line_now_and_then_in_a_pipe(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    assert not sys.stderr.isatty()
    with console.bar(500, "tile") as tiles:
        for minute in range(300):
            now = 60.0 * minute
            tiles.update()
        tiles.update(-300)  # another file
        now += 59
        tiles.update()
        now += 1
        tiles.update()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 300
    assert told[0] == "deartifact: 2 of 500 tiles after 1 min"
    assert told[298] == "deartifact: 300 of 500 tiles after 5.0 h"
    assert told[299] == "deartifact: 2 of 500 tiles after 1 min"


def test_short_work_is_silent_in_a_pipe(capsys):
    with console.bar(3, "file") as files, console.bar(2, "tile", shown=False) as tiles:
        for _ in range(3):
            files.update()
            tiles.update()
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("always:.*cannot be listed")
def test_a_folder_that_cannot_be_listed_is_no_success(folder, not_listed, capsys):
    (folder / "scans" / "closed").mkdir(parents=True)
    (folder / "photo.jpg").rename(folder / "scans" / "photo.jpg")
    not_listed("closed", errno.EACCES)
    assert main(["restore", "scans", "-o", "out", "--model", "spp", "--device", "cpu"]) == 1
    assert (folder / "out" / "photo.png").is_file()
    assert "closed cannot be listed (Permission denied); nothing in it is found" in capsys.readouterr().err


@pytest.fixture
def unread(monkeypatch):
    """Make the standard output a pipe of which nobody reads the other end."""
    receiving, sending = os.pipe()
    os.close(receiving)
    with open(sending, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        yield
        monkeypatch.undo()


def test_a_batch_goes_on_when_nobody_reads_what_it_says(folder, unread):
    (folder / "second.jpg").write_bytes((folder / "photo.jpg").read_bytes())
    assert code_of(["restore", "photo.jpg", "second.jpg", "empty/none.jpg", "-o", "o", "--model", "spp"]) == 1
    assert {path.name for path in (folder / "o").iterdir()} == {"photo.png", "second.png", "deartifact.csv"}


def test_measurements_are_written_when_nobody_reads_the_table(folder, unread):
    assert code_of([*EVALUATE, "--qualities", "20", "--json", "e.json"]) == 0
    assert json.loads((folder / "e.json").read_text())["mean"]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_program_without_a_standard_stream(folder, monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    assert code_of(["restore", "photo.jpg", "-o", "a.png", "--model", "spp"]) == 0
    assert (folder / "a.png").is_file()


@pytest.mark.parametrize("target", ["a.png", "a.ome.zarr"])
def test_an_answer_that_is_there_excuses_no_missing_source(folder, capsys, target):
    (folder / target).touch()
    assert code_of(["restore", "nosuch.png", "-o", target, "--model", "spp"]) != 0
    assert "nosuch.png" in one_line(capsys.readouterr().err)


def test_a_slash_makes_no_folder_of_a_zarr():
    options = argparse.Namespace(output="a.ome.zarr/", inputs=["a.tif"])
    assert slides.is_wanted(options)


def test_json_of_a_terminal_that_knows_few_letters(folder, monkeypatch):
    os.replace("photo.jpg", "ph\u00f6to.jpg")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert code_of(["inspect", "--json", "ph\u00f6to.jpg"]) == 0
    assert json.loads(stream.buffer.getvalue())[0]["path"] == "ph\u00f6to.jpg"
