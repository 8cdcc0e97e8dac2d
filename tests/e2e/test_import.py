"""What a bare import and the start of the program must not load."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

HEAVY = [
    "torch",
    "napari",
    "qtpy",
    "dask",
    "skimage",
    "scipy",
    "matplotlib",
    "imagecodecs",
    "zarr",
    "pydicom",
    "tifffile",
]


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603


def modules_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = run(script)
    return set(json.loads(done.stdout.splitlines()[-1]))


CASES = {
    "import": "import napari_deartifact",
    "public names": "import napari_deartifact\ndir(napari_deartifact)\nnapari_deartifact.__version__",
    "parser": "from napari_deartifact.cli import _parser\n_parser()",
    "header of a JPEG": "from napari_deartifact import JPEGInfo as J\nJ.from_quality(10, height=8, width=8)",
}


@pytest.mark.parametrize("case", CASES)
def test_imports_nothing_heavy(case):
    assert modules_after(CASES[case]).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module", ["files.read", "files.write", "metrics", "cli", "atomic", "messages", "axes"]
)
def test_modules_that_stay_light(module):
    assert modules_after(f"import napari_deartifact.{module}").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module", ["restoration", "files.batch", "files.inspect", "evaluation", "models.registry"]
)
def test_modules_that_need_no_napari(module):
    loaded = modules_after(f"import napari_deartifact.{module}")
    assert loaded.isdisjoint({"napari", "qtpy", "magicgui", "matplotlib"})


def test_restoring_a_jpeg_loads_torch_and_little_else(tmp_path):
    Image.fromarray(np.indices((64, 64)).sum(axis=0).astype(np.uint8)).save(tmp_path / "in.jpg", quality=20)
    words = ["restore", str(tmp_path / "in.jpg"), "-o", str(tmp_path / "out.png"), "--model", "compact-cnn"]
    loaded = modules_after(f"from napari_deartifact.cli import main\nassert main({words}) == 0")
    assert "torch" in loaded
    assert loaded.isdisjoint({*HEAVY, "torch._dynamo", "torch._inductor", "sympy", "distributed"} - {"torch"})


def test_import_is_quick():
    """Against numpy alone, the median of several: under 0.15 s more."""
    script = (
        "import time, numpy\n"
        "start = time.perf_counter()\n"
        "import napari_deartifact\n"
        "print(time.perf_counter() - start)"
    )
    times = sorted(float(run(script).stdout) for _ in range(5))
    assert times[2] < 0.15
