"""One call leaves a model file, a checkpoint and a table, however it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import read_card, read_model
from napari_deartifact.training import TrainingDivergedError, train

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


def test_fine_tuning_another_architecture_is_refused(recipe, pictures, tmp_path):
    first = train(recipe, pictures, tmp_path / "first.safetensors", steps=1).model
    wider = replace(
        recipe, generator=replace(recipe.generator, arguments={"widths": [9], "dilations": [1, 1]})
    )
    with pytest.raises(ValueError, match=r"\[8\].*'tiny' trains.*\[9\]"):
        train(wider, pictures, tmp_path / "second.safetensors", init=first)


def test_a_diverged_run_leaves_the_model_from_before(make_recipe, pictures, tmp_path, monkeypatch):
    from napari_deartifact.training import loop

    original = loop.weighted_sum
    calls = []

    def turn_bad(*arguments):
        calls.append(None)
        return original(*arguments) * (float("inf") if len(calls) > 3 else 1)

    monkeypatch.setattr(loop, "weighted_sum", turn_bad)
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
    assert "5 pictures, 1 unreadable" in captured.err
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
