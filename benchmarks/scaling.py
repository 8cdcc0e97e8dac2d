"""The numbers of docs/scaling.md: ``python benchmarks/scaling.py``, or some of them by their names.

They are ``tiles``, ``halos``, ``floats``, ``graph`` and ``workers``, which compares two worker processes with
one, and says something only where two cores are idle.
"""

from __future__ import annotations

import io
import pickle
import sys
import time
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import zarr
from distributed import Client, LocalCluster, wait
from PIL import Image
from skimage.data import astronaut

from napari_deartifact import JPEGInfo, deartifact, list_models, load_model

TILE = 1024
WORKER_ROWS, WORKER_COLUMNS = 4, 6
"""Chunks of TILE in the array that one worker and two restore."""
QUALITY = 75
GRAPH_SIDE = 20
"""Chunks along each side of the array with which the cost of tasks is measured."""
SLIDE_TILES = (80_000 // TILE + 1) * (60_000 // TILE + 1)
PETABYTE_TILES = 1e15 / (TILE * TILE * 3)


def compressed(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return stream.getvalue()


def degraded(height: int, width: int) -> np.ndarray:
    clean = np.tile(astronaut(), (-(-height // 512), -(-width // 512), 1))[:height, :width]
    return np.asarray(Image.open(io.BytesIO(compressed(clean))))


def core_seconds(lazy: da.Array) -> tuple[np.ndarray, float]:
    """Compute the chunk in the middle."""
    start = time.process_time()
    answer = lazy.blocks[1, 1].compute(scheduler="synchronous")
    return answer, time.process_time() - start


def tiles() -> None:
    """Time the middle chunk of a lazy array of three by three, and size what it reads and writes."""
    import torch

    picture = degraded(3 * TILE, 3 * TILE)
    image = da.from_array(picture, chunks=(TILE, TILE, 3))
    info = JPEGInfo.from_quality(QUALITY, height=3 * TILE, width=3 * TILE, subsampling="4:2:0")
    read = len(compressed(picture[:TILE, :TILE]))
    print(
        f"a chunk of {TILE}² RGB, {torch.get_num_threads()} thread(s); it is {read / 1e6:.2f} MB as JPEG of "
        f"quality {QUALITY}, and {TILE * TILE * 3 / 1e6:.2f} MB raw; a slide of 60,000 × 80,000 has "
        f"{SLIDE_TILES} of them, 1 PB of raw pixels {PETABYTE_TILES:.2g}"
    )
    for model in [model.name for model in list_models()]:
        deartifact(
            picture[:64, :64], model, channel_axis=-1, jpeg=info.crop(slice(64), slice(64)), device="cpu"
        )
        options = {"channel_axis": -1, "jpeg": info, "device": "cpu"}
        _, free = core_seconds(deartifact(image, model, consistency=False, **options))
        answer, taken = core_seconds(deartifact(image, model, **options))
        stored = zarr.create_array({}, shape=answer.shape, dtype="u1", chunks=(TILE, TILE, 3))
        stored[:] = answer
        print(
            f"  {model:12} {taken:5.1f} s of a core, {free:.1f} with consistency=False; writes "
            f"{stored.nbytes_stored() / 1e6:.2f} MB (zarr); the slide {SLIDE_TILES * taken / 3600:.1f} core "
            f"hours, the petabyte {PETABYTE_TILES * taken / 3600 / 24 / 365:.0f} core years"
        )


class Counting:
    """Does nothing, with the halo of another model, and counts the pixels that it is given."""

    name = "counting"
    color = "any"
    fixed_tile = None
    needs_tables = False

    def __init__(self, halo: int, size_multiple: int) -> None:
        self.halo, self.size_multiple, self.pixels = halo, size_multiple, 0

    def restore(self, tiles: np.ndarray, jpeg: object = None) -> np.ndarray:
        self.pixels += tiles[0, 0].size
        return tiles

    def __dask_tokenize__(self) -> object:
        return self.halo, self.size_multiple


def halos() -> None:
    """Count what goes through the network for each pixel that is kept, by chunk size."""
    print("pixels through the network for each that is kept (chunks in the middle of an array)")
    for name in [model.name for model in list_models()]:
        shipped = load_model(name, "cpu")
        reach = {"RGB": shipped.halo, "grey": getattr(shipped, "grey_halo", shipped.halo)}
        for colors, halo in reach.items():
            line = []
            for asked in (128, 256, 512, 1024, 2048):
                model = Counting(halo, shipped.size_multiple)
                image = da.zeros((8192, 8192), dtype=np.uint8, chunks=asked)
                lazy = deartifact(image, model, device="cpu", tile_size=768)
                middle = [chunks // 2 for chunks in lazy.numblocks]
                kept = lazy.blocks[tuple(middle)].compute(scheduler="synchronous").shape
                joined = f" (joined to {kept[0]})" if kept[0] != asked else ""
                line.append(f"{asked}: {model.pixels / (kept[0] * kept[1]):.2f}{joined}")
            print(f"  {name:18} {colors:4} halo {halo:3}: {'; '.join(line)}")


def floats() -> None:
    """Compare chunks with the whole where they may differ: floats that obey a known JPEG."""
    print(
        "float32 with a known JPEG, chunks against the whole: pixels that differ by 0.001 levels, most levels"
    )
    clean = astronaut()[20:340, 100:436]
    for subsampling in ("4:4:4", "4:2:0"):
        for quality in (10, 50, 90):
            stream = io.BytesIO()
            Image.fromarray(clean).save(stream, "JPEG", quality=quality, subsampling=subsampling)
            picture = np.asarray(Image.open(stream)).astype(np.float32)
            options = {"channel_axis": -1, "jpeg": JPEGInfo.from_bytes(stream.getvalue()), "device": "cpu"}
            whole = deartifact(picture, "compact-cnn", **options)
            lazy = deartifact(da.from_array(picture, chunks=(160, 168, 3)), "compact-cnn", **options)
            difference = np.abs(lazy.compute(scheduler="synchronous") - whole)
            share, most = (difference > 1e-3).mean(), difference.max()
            print(f"  {subsampling} quality {quality}: {share:.1e}, {most:.2f}; {lazy.npartitions} chunks")


def graph() -> None:
    """Time everything but the work: a model that does nothing, on tiny chunks."""
    side = 512 * GRAPH_SIDE
    image = da.zeros((side, side), dtype=np.uint8, chunks=512)
    start = time.perf_counter()
    lazy = deartifact(image, "general", device="cpu")
    built = time.perf_counter() - start
    chunks = GRAPH_SIDE**2
    (optimised,) = dask.optimize(lazy)
    count = len(dict(optimised.dask))
    sizes = [len(pickle.dumps(task)) for key, task in dict(lazy.dask).items() if key[0] == lazy.name]
    print(
        f"{chunks} chunks: {count / chunks:.1f} tasks a chunk; built in {built:.2f} s, the model's loading "
        f"included; a task of restoring is {max(sizes)} bytes"
    )
    small = da.zeros((64 * GRAPH_SIDE, 64 * GRAPH_SIDE), dtype=np.uint8, chunks=64)
    idle = deartifact(small, Counting(8, 1), device="cpu")
    tasks = len(dict(dask.optimize(idle)[0].dask))
    start = time.process_time()
    idle.sum().compute(scheduler="threads", num_workers=1)
    taken = time.process_time() - start
    print(
        f"  in threads: {taken / chunks * 1e3:.1f} ms of a core a chunk, {taken / tasks * 1e6:.0f} µs a task"
    )
    with cluster(1) as local, Client(local) as client:
        client.run(warm_up)
        before = time.process_time(), sum(client.run(time.process_time).values())
        idle.sum().compute()
        here = time.process_time() - before[0]
        there = sum(client.run(time.process_time).values()) - before[1]
    print(
        f"  distributed: {here / chunks * 1e3:.1f} ms of a core a chunk in client and scheduler, "
        f"{there / chunks * 1e3:.1f} ms in the worker; {here / tasks * 1e6:.0f} µs a task in the former; "
        f"so much of a slide of 60,000 × 80,000 ({SLIDE_TILES * tasks / chunks:.0f} tasks): "
        f"{SLIDE_TILES * here / chunks:.0f} s, of 1 PB {PETABYTE_TILES * here / chunks / 86400:.0f} days"
    )


def warm_up(model: str = "compact-cnn") -> None:
    """Load the model, and let the libraries below torch choose how to compute pieces of this size."""
    deartifact(piece(), model, channel_axis=-1, device="cpu")


def piece() -> np.ndarray:
    return degraded(TILE, TILE)


def cluster(workers: int) -> LocalCluster:
    return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50)


def workers() -> None:
    """Time the same array on one worker process and on two, and on processes that nobody coordinates."""
    for model in ("general", "compact-cnn"):
        warm_up(model)
        plain, clustered = [], []
        for count in (1, 2):
            plain.append(by_processes(model, count))
            clustered.append(by_workers(model, count))
        rows, columns = WORKER_ROWS, WORKER_COLUMNS
        print(
            f"{model} on {rows * columns} chunks of {TILE}²: one worker {clustered[0]:.1f} s, two "
            f"{clustered[1]:.1f} s, ratio {clustered[0] / clustered[1]:.2f}; halves of it in two processes "
            f"that know nothing of each other against the whole in one: {plain[0]:.1f} s, {plain[1]:.1f} s, "
            f"ratio {plain[0] / plain[1]:.2f}",
            flush=True,
        )


def by_workers(model: str, count: int) -> float:
    with cluster(count) as local, Client(local) as client:
        client.run(warm_up, model)
        held = pieces(WORKER_ROWS).persist()
        wait(held)
        client.rebalance(held)  # work goes to where the chunks are
        start = time.perf_counter()
        wait(deartifact(held, model, channel_axis=-1, device="cpu").persist())
        return time.perf_counter() - start


def by_processes(model: str, count: int) -> float:
    """Restore as much in processes without a cluster: what the machine itself makes of so many."""
    context = get_context("spawn")
    ready, seconds = context.Barrier(count), context.Queue()
    work = (model, WORKER_ROWS // count, ready, seconds)
    running = [context.Process(target=by_itself, args=work) for _ in range(count)]
    for process in running:
        process.start()
    longest = max(seconds.get() for _ in running)
    for process in running:
        process.join()
    return longest


def by_itself(model: str, rows: int, ready: Barrier, seconds: Queue[float]) -> None:
    import torch

    torch.set_num_threads(1)
    warm_up(model)
    with dask.config.set(scheduler="synchronous"):
        held = pieces(rows).persist()
        ready.wait()
        start = time.perf_counter()
        deartifact(held, model, channel_axis=-1, device="cpu").persist()
        seconds.put(time.perf_counter() - start)


def pieces(rows: int) -> da.Array:
    chunks = (TILE,) * rows, (TILE,) * WORKER_COLUMNS, (3,)
    return da.map_blocks(piece, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0, 0), "u1"))


if __name__ == "__main__":
    parts = SimpleNamespace(tiles=tiles, halos=halos, floats=floats, graph=graph, workers=workers)
    for part in sys.argv[1:] or vars(parts):
        getattr(parts, part)()
