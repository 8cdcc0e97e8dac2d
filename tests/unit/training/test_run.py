"""One call leaves a model file, a checkpoint and a table, however it ends."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import read_card, read_model
from napari_deartifact.models.registry import find_model
from napari_deartifact.training import (
    StepRecord,
    TrainingDivergedError,
    TrainingRun,
    curves,
    losses,
    parse_recipe,
    train,
)
from napari_deartifact.training.data import Picture, PictureSet
from napari_deartifact.training.ranks import Ranks
from napari_deartifact.training.reporting import open_table
from napari_deartifact.widgets.wording import in_words_of_the_widget

SCRIPT = """
import json, sys
from napari_deartifact.training import parse_recipe, train
recipe, data, output = sys.argv[1:]
report = lambda record: print(record.step, flush=True)
train(parse_recipe(json.loads(recipe)), data, output, steps=10**6, progress=report)
"""


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_leaves_a_model_a_checkpoint_and_a_table(recipe, pictures, tmp_path):
    records = []
    sources = [{"name": "scikit-image", "licence": "BSD-3-Clause"}]
    result = train(
        recipe,
        pictures,
        tmp_path / "tiny.safetensors",
        progress=records.append,
        sources=sources,
        validate_every=3,
    )
    assert result.steps == recipe.steps == len(records) == len(rows(result.table))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny.checkpoint",
        "tiny.csv",
        "tiny.png",
        "tiny.safetensors",
    ]
    generator, card = read_model(result.model)
    assert card.architecture == "compact-cnn"
    assert card.data == sources
    assert card.recipe["phases"][0]["losses"] == {"l1": 1.0}
    assert card.recipe["run"]["steps"] == 6
    torch.manual_seed(0)
    initial = build(card.architecture, card.arguments)
    for trained, untrained in zip(generator.parameters(), initial.parameters(), strict=True):
        assert not torch.equal(trained, untrained)
    assert {"gain_q10", "gain_q90", "clean_psnr"} <= set(result.validation)
    assert [bool(record.validation) for record in records] == [False, False, True, False, False, True]
    assert rows(result.table)[2]["gain_q10"]


def test_resuming_gives_the_same_model_and_table(recipe, pictures, tmp_path):
    whole = train(recipe, pictures, tmp_path / "whole.safetensors", steps=6)

    def stop(record):
        if record.step == 4:
            raise KeyboardInterrupt

    output = tmp_path / "parts.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, pictures, output, steps=6, progress=stop)
    assert read_card(output).recipe["run"]["steps"] == 4
    parts = train(recipe, pictures, output, steps=6)
    for one, other in zip(
        read_model(whole.model)[0].parameters(), read_model(output)[0].parameters(), strict=True
    ):
        assert torch.equal(one, other)
    assert [row["loss"] for row in rows(parts.table)] == [row["loss"] for row in rows(whole.table)]


def test_starting_anew_forgets_the_checkpoint(recipe, pictures, tmp_path):
    output = tmp_path / "tiny.safetensors"
    train(recipe, pictures, output)
    assert train(recipe, pictures, output, steps=2, resume=False).steps == 2
    assert len(rows(output.with_suffix(".csv"))) == 2


def test_a_finished_run_is_not_trained_further(recipe, pictures, tmp_path):
    output = tmp_path / "tiny.safetensors"
    train(recipe, pictures, output)
    assert train(recipe, pictures, output, progress=lambda record: pytest.fail("a step")).steps == 6


def test_fine_tuning_starts_from_the_given_weights(recipe, make_recipe, pictures, tmp_path):
    first = train(recipe, pictures, tmp_path / "first.safetensors").model
    crawling = make_recipe(learning_rate=1e-12)
    second = train(crawling, pictures, tmp_path / "second.safetensors", init=first).model
    for one, other in zip(read_model(first)[0].parameters(), read_model(second)[0].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert read_card(second).recipe["run"]["init"] == "first.safetensors"
    assert read_card(second).recipe["before"] == read_card(first).recipe


def test_fine_tuning_starts_from_a_model_that_ships(make_recipe, pictures, tmp_path):
    entries = {**make_recipe(learning_rate=1e-12).to_dict(), "generator": {"architecture": "compact-cnn"}}
    entries["generator"]["arguments"] = {"dilations": [1, 1, 1, 1, 1]}
    model = train(
        parse_recipe(entries), pictures, tmp_path / "m.safetensors", init="compact-cnn", steps=1
    ).model
    shipped, card = read_model(find_model("compact-cnn"))
    for one, other in zip(read_model(model)[0].parameters(), shipped.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert read_card(model).recipe["before"] == card.recipe
    with pytest.raises(ValueError, match="'spp', which has no weights"):
        train(parse_recipe(entries), pictures, tmp_path / "n.safetensors", init="spp")


def test_a_recipe_names_the_model_that_it_fine_tunes(recipe, make_recipe, pictures, tmp_path):
    first = train(recipe, pictures, tmp_path / "first.safetensors").model
    tuning = replace(make_recipe(learning_rate=1e-12), init=str(first))
    output = tmp_path / "second.safetensors"
    train(tuning, pictures, output, steps=1)
    assert read_card(output).recipe["run"]["init"] == "first.safetensors"
    for one, other in zip(read_model(first)[0].parameters(), read_model(output)[0].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert train(tuning, pictures, output, steps=2).new_steps == 1  # whatever it would begin from now
    new = train(tuning, pictures, tmp_path / "new.safetensors", init="new", steps=1).model
    assert read_card(new).recipe["run"]["init"] is None
    with pytest.raises(ValueError, match="unknown model 'nowhere'"):
        train(replace(recipe, init="nowhere"), pictures, tmp_path / "third.safetensors", steps=1)


def test_fine_tuning_another_architecture_is_refused(recipe, pictures, tmp_path):
    first = train(recipe, pictures, tmp_path / "first.safetensors", steps=1).model
    wider = replace(
        recipe, generator=replace(recipe.generator, arguments={"widths": [9], "dilations": [1, 1]})
    )
    with pytest.raises(ValueError, match=r"\[8\].*'tiny' trains.*\[9\].*'new' for new weights"):
        train(wider, pictures, tmp_path / "second.safetensors", init=first)


def test_a_diverged_run_leaves_the_model_from_before(make_recipe, pictures, tmp_path, monkeypatch):
    calls = []

    def turn_bad(restored, clean):
        calls.append(None)
        return (restored - clean).abs().mean() * (float("inf") if len(calls) > 3 else 1)

    monkeypatch.setitem(losses.PIXEL_LOSSES, "l1", turn_bad)
    with pytest.raises(TrainingDivergedError, match="at step 4"):
        train(make_recipe(), pictures, tmp_path / "tiny.safetensors")
    generator, card = read_model(tmp_path / "tiny.safetensors")
    assert card.recipe["run"]["steps"] == 3
    assert all(parameter.isfinite().all() for parameter in generator.parameters())


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM to catch")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_loadable_files(recipe, pictures, tmp_path, number):
    output = tmp_path / "tiny.safetensors"
    command = [sys.executable, "-c", SCRIPT, json.dumps(recipe.to_dict()), str(pictures), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout.readline() == "1\n"
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGINT)
    steps = read_card(output).recipe["run"]["steps"]
    read_model(output)
    assert train(recipe, pictures, output, steps=steps + 2).steps == steps + 2


def test_progress_on_the_standard_error(recipe, pictures, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    train(recipe, [pictures, tmp_path], tmp_path / "tiny.safetensors", progress=True, validate_every=3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "skipped" in captured.err
    assert "5 pictures of 5 files; 1 file unreadable" in captured.err
    assert captured.err.count("gain_q90") == 2


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        ("model.pt", ValueError, "ends in .safetensors"),
        ("none/model.safetensors", FileNotFoundError, "create it"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(recipe, pictures, tmp_path, output, error, message):
    with pytest.raises(error, match=message):
        train(recipe, pictures, tmp_path / output)


def test_an_unknown_device_is_refused(recipe, pictures, tmp_path):
    with pytest.raises(ValueError, match="device 'tpu'"):
        train(recipe, pictures, tmp_path / "tiny.safetensors", device="tpu")


def test_training_loads_nothing_but_torch_numpy_and_pillow(recipe, pictures, tmp_path):
    code = (
        "import json, sys\n"
        "from napari_deartifact.training import parse_recipe, train\n"
        "train(parse_recipe(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3], steps=1)\n"
        "print([m for m in ('napari', 'qtpy', 'skimage', 'tifffile', 'dask') if m in sys.modules])\n"
    )
    command = [
        sys.executable,
        "-c",
        code,
        json.dumps(recipe.to_dict()),
        str(pictures),
        str(tmp_path / "t.safetensors"),
    ]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603
    assert done.stdout.strip() == "[]", f"after {time.monotonic() - started:.0f} s"


@pytest.mark.parametrize("suffix", [".safetensors", ".png", ".csv"])
def test_files_that_no_run_has_made_are_spared(recipe, pictures, tmp_path, suffix):
    mine = tmp_path / f"cell{suffix}"
    mine.write_bytes(b"area,mean\n1,2\n")
    with pytest.raises(FileExistsError, match=rf"cell\{suffix} exists, and no cell\.checkpoint"):
        train(recipe, pictures, tmp_path / "cell.safetensors")
    assert mine.read_bytes() == b"area,mean\n1,2\n"
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(recipe, pictures, tmp_path):
    run = TrainingRun(recipe, pictures, tmp_path / "tiny.safetensors")
    with open_table(run.table, 0) as write:
        write(StepRecord(1, 0, 0.1, 0.5, 1e-3, 0.1))
    assert train(recipe, pictures, run.output).steps == len(rows(run.table)) == 6


def test_a_folder_that_holds_its_own_run_gives_the_same_pictures_again(recipe, pictures, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "folder")
    first = train(recipe, folder, folder / "tiny.safetensors", steps=3)
    assert first.curves.parent == folder
    again = TrainingRun(recipe, folder, first.model, steps=6)
    assert (again.trainer.step, len(again.found.pictures)) == (3, 5)
    (folder / "moon.png").unlink()
    with pytest.raises(ValueError, match="another run: it had other pictures; give it the same") as told:
        train(recipe, folder, first.model, steps=6)
    assert "--restart" in str(told.value)
    assert "--restart" not in in_words_of_the_widget(str(told.value))


def test_asking_for_a_finished_run_again_changes_nothing(recipe, pictures, tmp_path):
    first = train(recipe, pictures, tmp_path / "tiny.safetensors").model
    before = read_model(first)[0]
    train(recipe, pictures, first)
    for one, other in zip(before.parameters(), read_model(first)[0].parameters(), strict=True):
        assert torch.equal(one, other)


def test_held_out_pictures_too_small_to_restore_are_not_measured(recipe, tmp_path):
    levels = {"widths": [4] * 5, "kernel_sizes": [3] * 5}
    unet = {"architecture": "unet", "arguments": levels}
    entries = {**recipe.to_dict(), "generator": unet}
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = [Picture("icon.png", pixels[:20, :20]), Picture("large.png", pixels)]
    seed = next(
        seed for seed in range(9) if PictureSet(tuple(found)).split(0.2, seed)[1][0].name == "icon.png"
    )
    result = train(
        parse_recipe(entries), found, tmp_path / "u.safetensors", steps=2, seed=seed, poisoned="keep"
    )
    assert result.validation == {}


def test_a_phase_that_goes_by_a_measure_needs_something_to_measure(make_recipe, pictures, tmp_path):
    recipe = make_recipe(keep_best="gain_q20")
    recipe = replace(recipe, data=replace(recipe.data, validation_fraction=0.0))
    with pytest.raises(ValueError, match=r"was kept for validation.*raise data\.validation_fraction"):
        train(recipe, pictures, tmp_path / "tiny.safetensors")


class Follower(Ranks):
    """The second of two processes; the first is as far as the test says."""

    told = (0.0, 0.0, 0.0)

    def share(self, network, device):
        return network

    def largest(self, *values):
        return (
            tuple(max(pair) for pair in zip(values, self.told, strict=True)) if len(values) == 3 else values
        )


def test_the_other_processes_neither_measure_nor_write_and_follow_the_first(make_recipe, pictures, tmp_path):
    recipe = make_recipe(steps=50, keep_best="gain_q20", patience=1, measure_every=1)
    recipe = replace(recipe, phases=(recipe.phases[0], make_recipe(steps=50).phases[0]))
    ranks = Follower(1, 2)
    run = TrainingRun(recipe, pictures, tmp_path / "tiny.safetensors", ranks=ranks)
    phases = []
    for record in run.steps():
        phases.append(record.phase)
        assert not record.validation
        object.__setattr__(ranks, "told", (0.0, 0.49, 0.0))  # the first has ended its phase at step 2
        if record.step == 4:
            break
    assert phases == [0, 1, 1, 1]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_cannot_see_the_checkpoint_says_so(recipe, pictures, tmp_path):
    class Alone(Ranks):
        def largest(self, *values):
            return tuple(1.0 for _ in values)

    with pytest.raises(FileNotFoundError, match="in a folder that all see"):
        TrainingRun(recipe, pictures, tmp_path / "tiny.safetensors", ranks=Alone(1, 2))


def test_a_run_is_stepped_through_and_closed_in_the_middle(recipe, pictures, tmp_path):
    run = TrainingRun(recipe, pictures, tmp_path / "tiny.safetensors", steps=20)
    steps = run.steps()
    assert [next(steps).step for _ in range(3)] == [1, 2, 3]
    steps.close()
    assert read_card(run.output).recipe["run"]["steps"] == 3
    again = TrainingRun(recipe, pictures, run.output, steps=20)
    assert (again.trainer.step, len(rows(run.table))) == (3, 3)
    (degraded, restored, clean), *_ = again.preview()
    assert degraded.shape == restored.shape == clean.shape == (128, 160, 3)
    assert (degraded != clean).any()


def test_the_curves_are_a_picture(make_recipe, pictures, tmp_path):
    recipe = make_recipe(steps=30, learning_rate=1e-2)
    result = train(recipe, pictures, tmp_path / "tiny.safetensors", validate_every=10)
    page = np.asarray(Image.open(result.curves).convert("RGB"))
    assert page.shape[1] >= 2 * 480
    crop = page[270 + 20 : 270 + 20 + 128]
    assert crop.std() > 20
    blue = (page[:270] == (0x44, 0x77, 0xAA)).all(axis=2)
    assert blue.sum() > 200, "no curve was drawn"


def test_each_phase_has_a_scale_of_its_own(make_recipe, pictures, tmp_path):
    recipe = make_recipe()
    second = replace(recipe.phases[0], losses={"psnr": 1.0}, steps=6)
    result = train(replace(recipe, phases=(*recipe.phases, second)), pictures, tmp_path / "two.safetensors")
    phase, losses, measured = curves._read(result.table)
    assert phase == 1
    assert [step for step, _ in losses["generator"]] == [7, 8, 9, 10, 11, 12]
    assert all(loss < -1 for _, loss in losses["generator"])
    assert measured["gain_q10"][-1] == (12, pytest.approx(result.validation["gain_q10"], abs=1e-4))


def test_a_full_disk_stops_the_run_and_spares_the_last_files(recipe, pictures, tmp_path, monkeypatch):
    output = tmp_path / "tiny.safetensors"
    train(recipe, pictures, output, steps=3)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("tiny.[cs][ha]*")}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(recipe, pictures, output, steps=6)
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("tiny.[cs][ha]*")}


def test_what_a_run_began_from_is_told_by_its_checkpoint(recipe, pictures, tmp_path):
    base = train(recipe, pictures, tmp_path / "base.safetensors", steps=1).model
    first = train(recipe, pictures, tmp_path / "own.safetensors", steps=1, init=base)
    again = train(recipe, pictures, first.model, steps=2)
    told = read_card(again.model).recipe
    assert (told["run"]["init"], again.new_steps) == (base.name, 1)
    assert told["before"] == read_card(base).recipe
    other = train(recipe, pictures, tmp_path / "new.safetensors", steps=1)
    with pytest.raises(ValueError, match=f"another run: init is None there and '{base.name}' here"):
        train(recipe, pictures, other.model, steps=2, init=base)


@pytest.mark.parametrize("torn", [b"\0" * 64, b"3", b"3,0,gen", b"3,0,generator,0.1,l1=0.1,\xff"])
def test_a_torn_line_of_the_table_does_not_end_a_run(recipe, pictures, tmp_path, torn):
    first = train(recipe, pictures, tmp_path / "tiny.safetensors", steps=2)
    with first.table.open("ab") as stream:
        stream.write(torn)
    train(recipe, pictures, first.model, steps=4)
    assert [row["step"] for row in rows(first.table)] == ["1", "2", "3", "4"]


def test_a_full_disk_is_told_as_such(recipe, pictures, tmp_path, monkeypatch):
    def full(state, stream):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("[enforce fail at inline_container.cc:672]")  # noqa: B904  (as torch does)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(recipe, pictures, tmp_path / "tiny.safetensors", steps=1)


def test_a_run_that_learnt_nothing_is_not_in_the_way(make_recipe, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(losses.PIXEL_LOSSES, "l1", lambda restored, clean: (restored - clean).mean() * np.nan)
    for _ in range(2):
        with pytest.raises(TrainingDivergedError):
            train(make_recipe(), pictures, tmp_path / "tiny.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.csv"]
