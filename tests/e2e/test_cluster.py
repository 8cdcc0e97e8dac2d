"""dask.distributed: two worker processes, of which one is killed, answer as one process does."""

from __future__ import annotations

import os
import signal
import subprocess

import dask.array as da
import distributed
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut, camera

from napari_deartifact import deartifact
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.files import cluster as files_on_cluster
from napari_deartifact.files.batch import restore_jobs
from napari_deartifact.files.cluster import restore_jobs_on
from napari_deartifact.files.plan import plan_jobs

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

MODEL = "compact-cnn"


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def degraded():
    return jpeg_round_trip(camera()[:320, :320], 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        picture = camera()[60 * number :, 60 * number :][:72, :80]
        Image.fromarray(picture).save(folder / f"{number}.jpg", quality=20)
    Image.fromarray(astronaut()[:64, :64]).save(folder / "colour.jpg", quality=20)
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 no more")
    return folder


def loads_and_threads():
    import torch

    from napari_deartifact.models.reference import _loaded

    return _loaded.cache_info().misses, torch.get_num_threads()


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def test_work_of_a_killed_worker_is_done_again(client, degraded):
    image = da.from_array(degraded, chunks=64)
    expected = deartifact(image, MODEL, device="cpu").compute(scheduler="synchronous")
    with client.as_current():
        lazy = deartifact(image, MODEL, device="cpu").persist()
        parts = distributed.futures_of(lazy)
        next(iter(distributed.as_completed(parts)))
        holder = next(workers[0] for workers in client.who_has(parts).values() if workers)
        kill(client.run(os.getpid, workers=[holder])[holder])
        np.testing.assert_array_equal(lazy.compute(), expected)


def test_a_model_is_loaded_once_a_process(client, degraded):
    with client.as_current():
        deartifact(da.from_array(degraded, chunks=64), MODEL, device="cpu").compute()
    answers = client.run(loads_and_threads).values()
    assert max(loads for loads, _ in answers) == 1
    # dask gives each worker one thread for its numbers; it computes as many chunks at once as it has threads.
    assert {threads for _, threads in answers} == {1}


def test_strangers_are_not_written_over(client, folder, tmp_path):
    jobs = plan_jobs([folder], tmp_path / "out")
    chosen = next(job for job in jobs if job.source.suffix == ".jpg")
    chosen.target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(chosen.target)
    before = chosen.target.read_bytes()
    (result,) = restore_jobs_on(client, [chosen], MODEL, uncertainty=True)
    assert result.status == "failed"
    assert "is not what would be written there" in result.message
    assert chosen.target.read_bytes() == before


def test_files_are_restored_as_here(cluster, client, folder, tmp_path):
    here = list(restore_jobs(plan_jobs([folder], tmp_path / "here"), MODEL, device="cpu"))
    jobs = plan_jobs([folder], tmp_path / "there")
    there = list(
        restore_jobs_on(cluster.scheduler_address, jobs, MODEL, device="cpu", report=tmp_path / "report.csv")
    )
    assert [result.status for result in here].count("failed") == 1

    def told(results):
        return {(one.source, one.status, one.warnings, one.facts) for one in results}

    assert told(there) == told(here)
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    assert len((tmp_path / "report.csv").read_text().splitlines()) == len(jobs) + 1
    again = restore_jobs_on(client, jobs, MODEL)
    assert sorted(result.status for result in again) == ["failed", *["skipped"] * 5]


def test_every_worker_is_as_perceptual(cluster, client, folder, degraded, tmp_path, pair):
    image = da.from_array(degraded, chunks=64)
    lazy = deartifact(image, "pair", perceptual=0.5, device="cpu")
    expected = lazy.compute(scheduler="synchronous")
    with client.as_current():
        np.testing.assert_array_equal(lazy.compute(), expected)
    options = {"perceptual": 0.5, "device": "cpu"}
    list(restore_jobs(plan_jobs([folder], tmp_path / "here"), "pair", **options))
    list(restore_jobs_on(client, plan_jobs([folder], tmp_path / "there"), "pair", **options))
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(ValueError, match="no perceptual twin"):
        restore_jobs_on(client, plan_jobs([folder], tmp_path / "there"), MODEL, perceptual=0.5)


def test_slides_are_jobs_like_others(client, folder, tmp_path):
    source = tmp_path / "slide.svs"
    tifffile.imwrite(
        source, astronaut()[:90, :70], tile=(48, 48), compression="jpeg", photometric="rgb",
        description="Aperio Image Library v11", metadata=None,
    )  # fmt: skip
    jobs = plan_jobs([source, folder / "0.jpg"], tmp_path / "out")
    results = list(restore_jobs_on(client, jobs, MODEL, device="cpu"))
    assert {(one.target.name, one.status) for one in results} == {
        ("slide.ome.zarr", "restored"), ("0.png", "restored")
    }  # fmt: skip
    assert {one.status for one in restore_jobs_on(client, jobs, MODEL)} == {"skipped"}


def test_a_killed_worker_costs_no_file(cluster, client, folder, tmp_path):
    jobs = plan_jobs([folder], tmp_path)
    results = restore_jobs_on(client, jobs, MODEL, device="cpu", force=True, overwrite=True)
    first = next(results)
    worker, pid = next(iter(client.run(os.getpid).items()))
    assert worker
    kill(pid)
    told = [first, *results]
    assert sorted(result.status for result in told) == ["failed", *["restored"] * 5]
    whole = {result.target for result in told if result.status == "restored"}
    for path in whole:
        with Image.open(path) as picture:
            picture.load()
    # What the killed process was writing keeps its temporary name: no target is half written.
    assert whole == {job.target for job in jobs if job.target.exists()}


def test_the_program_takes_a_scheduler(cluster, folder, program, environment, tmp_path):
    command = [program, "restore", "0.jpg", "1.jpg", "-o", tmp_path / "out", "--model", MODEL]
    done = subprocess.run(  # noqa: S603
        [*map(str, command), "--scheduler", cluster.scheduler_address],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 restored" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "1.png"]


def test_originals_are_safe(client, folder, tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(camera()[:64, :64]).save(source)
    (job,) = plan_jobs([source], tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(source)
    (result,) = restore_jobs_on(client, [job], MODEL, overwrite=True)
    assert result.status == "failed"
    assert "one of the originals" in result.message


def test_no_scheduler_is_told(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(files_on_cluster, "CONNECTING", 0.5)
    with pytest.raises(ConnectionError, match=r"no scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        list(restore_jobs_on("tcp://127.0.0.1:9", plan_jobs([folder], tmp_path), MODEL))


def test_what_makes_no_sense_is_told_before_a_scheduler_is_looked_for(folder, tmp_path):
    jobs = plan_jobs([folder], tmp_path)
    with pytest.raises(TypeError, match="did you mean 'strength'"):
        restore_jobs_on("tcp://127.0.0.1:9", jobs, MODEL, strenght=0.5)
    with pytest.raises(ValueError, match="is to be a report"):
        restore_jobs_on("tcp://127.0.0.1:9", jobs, MODEL, report=jobs[0].target)


def test_a_lost_scheduler_is_told_and_what_is_done_stays(folder, tmp_path):
    jobs = plan_jobs([folder], tmp_path)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        results = restore_jobs_on(cluster.scheduler_address, jobs, MODEL, device="cpu", force=True)
        while (first := next(results)).status != "restored":
            pass
        cluster.close(timeout=5)
        with pytest.raises(ConnectionError, match="run the same again"):
            list(results)
    assert first.target.is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_source_that_fails_there_fails_here(client):
    def source(block_id):
        raise OSError(f"tile {block_id} is missing")

    image = da.map_blocks(source, chunks=((64,), (64,)), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    lazy = deartifact(image, MODEL, device="cpu")
    with client.as_current(), pytest.raises(OSError, match="is missing"):
        lazy.compute()
