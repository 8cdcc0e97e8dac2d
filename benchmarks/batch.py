"""Many small files in flat memory, and what reading and writing beside the network saves.

``python benchmarks/batch.py small --files 10000 --model spp`` prints the memory of the process and its speed
as it goes through 10,000 JPEGs of 64×64 pixels; ``python benchmarks/batch.py overlap --files 12`` restores
larger pictures, one stage after the other and side by side, and prints the ratio; with
``--delay 0.5`` the disk takes half a second a file each way, as a network drive may.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from napari_deartifact.files.batch import restore_jobs, run_stages
from napari_deartifact.files.plan import Job, plan_jobs
from napari_deartifact.files.stages import Entry, Stages
from napari_deartifact.models.registry import load_model
from napari_deartifact.warned import sorted_warnings

FOLDERS = 100
ROUNDS = 3


@dataclass(frozen=True)
class SlowDisk(Stages):
    """Wait at each file, as for a disk."""

    delay: float = 0.0

    def load(self, job: Job) -> Entry:
        time.sleep(self.delay)
        entry = super().load(job)
        return replace(entry, seconds=entry.seconds + self.delay)

    def save(self, entry: Entry) -> Entry:
        time.sleep(self.delay)
        entry = super().save(entry)
        return replace(entry, seconds=entry.seconds + self.delay)


def resident_mib() -> float:
    """Return the memory that the process holds, from Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def make_small(folder: Path, count: int) -> None:
    """Cut-outs of photographs, grey and in colour, in a tree of folders."""
    sources = [data.camera(), data.astronaut(), data.coffee(), data.page()]
    random = np.random.default_rng(0)
    for index in range(count):
        source = sources[index % len(sources)]
        y, x = (int(random.integers(side - 64)) for side in source.shape[:2])
        place = folder / f"{index % FOLDERS:02d}" / f"{index:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source[y : y + 64, x : x + 64]).save(place, quality=int(random.integers(10, 90)))


def small(folder: Path, options: argparse.Namespace) -> None:
    make_small(folder / "in", options.files)
    model = load_model(options.model, options.device)
    start = time.perf_counter()
    jobs = plan_jobs(folder / "in", folder / "out")
    print(f"{len(jobs)} files planned in {time.perf_counter() - start:.2f} s; {options.model}")
    print(f"{'files':>6} {'RSS MiB':>8} {'open':>5} {'files/s':>8}")
    start, told = time.perf_counter(), {round(share * len(jobs) / 5) for share in range(1, 6)}
    results = restore_jobs(jobs, model, report=folder / "report.csv", device=options.device)
    for done, result in enumerate(results, 1):
        assert result.status in ("restored", "unchanged"), result
        if done == min(100, len(jobs)) or done in told:
            speed = done / (time.perf_counter() - start)
            print(f"{done:6d} {resident_mib():8.1f} {open_files():5d} {speed:8.1f}")
    lines = (folder / "report.csv").read_bytes().count(b"\n")
    start = time.perf_counter()
    again = restore_jobs(jobs, model, report=folder / "report.csv", device=options.device)
    assert {result.status for result in again} == {"skipped"}
    print(f"again: all skipped in {time.perf_counter() - start:.2f} s; {lines} lines in the report")


def make_large(folder: Path, count: int, side: int) -> None:
    folder.mkdir()
    stream = io.BytesIO()
    Image.fromarray(np.tile(data.coffee(), (6, 4, 1))[:side, :side]).save(stream, "JPEG", quality=30)
    for index in range(count):
        (folder / f"{index:03d}.jpg").write_bytes(stream.getvalue())


def one_after_the_other(jobs: Sequence[Job], stages: Stages) -> tuple[float, np.ndarray]:
    """Return the seconds in all, and those of each stage."""
    parts = np.zeros(3)
    start = time.perf_counter()
    with sorted_warnings():
        for job in jobs:
            loaded = stages.load(job)
            restored = stages.restore(loaded)
            saved = stages.save(restored)
            assert saved.status == "restored", saved
            parts += np.diff([0, loaded.seconds, restored.seconds, saved.seconds])
    return time.perf_counter() - start, parts


def side_by_side(jobs: Sequence[Job], stages: Stages) -> float:
    start = time.perf_counter()
    assert all(result.status == "restored" for result in run_stages(jobs, stages))
    return time.perf_counter() - start


def overlap(folder: Path, options: argparse.Namespace) -> None:
    make_large(folder / "in", options.files, options.side)
    model = load_model(options.model, options.device)
    jobs = plan_jobs(folder / "in", folder / "out", options.suffix)
    (folder / "out").mkdir()
    stages = SlowDisk(model, {"device": options.device}, overwrite=True, delay=options.delay)
    one_after_the_other(jobs[:1], stages)  # what only the first file costs
    rounds = [(*one_after_the_other(jobs, stages), side_by_side(jobs, stages)) for _ in range(ROUNDS)]
    apart, parts, _ = min(rounds, key=lambda found: found[0])
    beside = min(found[2] for found in rounds)
    shares = zip(("read", "restore", "write"), 100 * parts / parts.sum(), strict=True)
    told = ", ".join(f"{name} {share:.0f} %" for name, share in shares)
    cores = len(os.sched_getaffinity(0))
    print(f"{options.model}, {cores} core(s), {options.suffix}, delay {options.delay} s: {told}")
    megapixels = options.side**2 * len(jobs) / 1e6
    print(
        f"one after the other {megapixels / apart:.2f} MP/s, side by side {megapixels / beside:.2f} MP/s: "
        f"{beside / apart:.2f} of the time (best of {ROUNDS} rounds in turns)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("small", "overlap"))
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--model", default="spp")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--side", type=int, default=1024, help="of the pictures, for overlap")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a file each way, for overlap")
    parser.add_argument("--suffix", default=".png", help="of the answers, for overlap")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        {"small": small, "overlap": overlap}[options.what](folder, options)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
