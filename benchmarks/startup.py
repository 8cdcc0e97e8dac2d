"""How long the program takes to start, against what it cannot do without: ``python benchmarks/startup.py``.

Each line is the median of paired runs of fresh processes: the user's and the system's time, or with
``--wall`` the time on the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

RESTORE = ["-m", "napari_deartifact", "restore", "small.jpg", "-o", "small.png", "--overwrite"]
PAIRS = {
    "import napari_deartifact": (["-c", "import napari_deartifact"], ["-c", "import numpy"]),
    "deartifact --help": (["-m", "napari_deartifact", "--help"], ["-c", "import torch"]),
    "deartifact restore, 64×64 pixels": (RESTORE, ["-c", "import torch"]),
}


def seconds(words: list[str], folder: str, *, wall: bool) -> float:
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    after = os.times()
    if wall:
        return time.perf_counter() - start
    return sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--wall", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(astronaut()[:64, :64]).save(Path(folder) / "small.jpg", quality=50)
        for name, (ours, theirs) in PAIRS.items():
            seconds(ours, folder, wall=options.wall)
            pairs = [
                tuple(seconds(words, folder, wall=options.wall) for words in (ours, theirs))
                for _ in range(options.repeats)
            ]
            ratio = statistics.median(mine / other for mine, other in pairs)
            own = statistics.median(mine for mine, _ in pairs)
            print(f"{name:34} {own:5.2f} s, {ratio:4.2f} × '{theirs[-1]}'", flush=True)


if __name__ == "__main__":
    main()
