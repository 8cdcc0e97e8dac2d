"""Two processes train as one with the doubled batch, and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from napari_deartifact.models.model_file import read_card, read_model
from napari_deartifact.training import train
from napari_deartifact.training.ranks import asked_device

SCRIPT = """
import json, sys
from napari_deartifact.training import parse_recipe, train
recipe, data, output, steps = sys.argv[1:]
report = lambda record: print(record.step, flush=True)
train(parse_recipe(json.loads(recipe)), data, output, steps=int(steps), progress=report)
"""


def run_two(tmp_path, recipe, pictures, output, steps):
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    command = [*launcher, str(script), json.dumps(recipe.to_dict()), str(pictures), str(output), str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.parametrize("gan", [False, True])
def test_two_processes_equal_one_with_the_doubled_batch(recipe, make_gan, pictures, tmp_path, gan):
    if gan:
        recipe = make_gan()
    outputs = [tmp_path / "two.safetensors", tmp_path / "one.safetensors"]
    process = run_two(tmp_path, recipe, pictures, outputs[0], 6)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    doubled = replace(recipe, data=replace(recipe.data, batch_size=2 * recipe.data.batch_size))
    train(doubled, pictures, outputs[1], steps=6)
    two, one = (read_model(output)[0] for output in outputs)
    for mine, theirs in zip(two.parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-6, rtol=1e-4)
    assert read_card(outputs[0]).recipe["run"]["processes"] == 2


def test_an_interrupt_ends_both_and_leaves_loadable_files(recipe, pictures, tmp_path):
    output = tmp_path / "two.safetensors"
    process = run_two(tmp_path, recipe, pictures, output, 10**6)
    while (line := process.stdout.readline()) and int(line) < 5:
        pass
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    process.communicate(timeout=120)
    assert time.monotonic() - begun < 60
    steps = read_card(output).recipe["run"]["steps"]
    assert steps >= 5
    assert train(recipe, pictures, output, steps=steps + 1).steps == steps + 1


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda:3"])
def test_devices_are_left_alone_where_there_is_no_gpu_to_share_out(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert asked_device(device, {"LOCAL_RANK": "1"}) == device


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    given = [asked_device("auto", {"LOCAL_RANK": str(rank)}) for rank in range(4)]
    assert given == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert asked_device("cuda", {}) == "cuda"
