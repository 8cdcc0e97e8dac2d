"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "arguments", "pictures", "words"),
    [
        ("restore_a_jpeg", [], ["side_by_side.png"], ["PSNR"]),
        (
            "trust_a_restoration",
            [],
            ["restored.png", "standard_error.png"],
            ["agree with the file", "jpeg, quality 30, grid (5, 3)", "answer itself: restored"],
        ),
        (
            "train_on_micrographs",
            ["--minutes", "0.01"],
            ["micrographs_compared.png"],
            ["24 pictures of 24 files", "held-out fields", "fine-tuned"],
        ),
    ],
)
def test_example(name, arguments, pictures, words, tmp_path, environment):
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--output", str(tmp_path), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)  # noqa: S603
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout
    for picture in pictures:
        assert np.asarray(Image.open(tmp_path / picture)).std() > 5
