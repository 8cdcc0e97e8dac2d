"""Many files on the machines of a dask cluster: each file a task, done again where its worker died."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_deartifact.files.batch import make_folders, stop_on_a_full_disk
from napari_deartifact.files.batch_options import BatchOptions
from napari_deartifact.files.plan import Job
from napari_deartifact.files.reference import References
from napari_deartifact.files.report import Report
from napari_deartifact.files.result import FileResult
from napari_deartifact.files.sources import FilePath
from napari_deartifact.files.stages import Stages, file_number
from napari_deartifact.lazy import turnstile
from napari_deartifact.models.reference import ModelReference
from napari_deartifact.models.registry import DEFAULT_MODEL
from napari_deartifact.tiling import Progress
from napari_deartifact.warned import sorted_warnings

if TYPE_CHECKING:
    from distributed import Client

    from napari_deartifact.models.restorer import Restorer

CONNECTING = 10.0
"""Seconds in which a scheduler has to answer."""
_TASKS_PER_THREAD, _FEWEST_TASKS = 4, 100
"""Files that wait in the cluster, so that no worker does: a million at once would burden the scheduler."""


def restore_jobs_on(
    scheduler: str | Client,
    jobs: Sequence[Job],
    model: FilePath = DEFAULT_MODEL,
    *,
    progress: Callable[[Job, Progress], object] | None = None,
    **options: Any,
) -> Iterator[FileResult]:
    """Do what :func:`~napari_deartifact.files.batch.restore_jobs` does, on a cluster.

    Parameters
    ----------
    scheduler : str or distributed.Client
        Where the cluster is, such as ``"tcp://10.0.0.1:8786"``.
    jobs : sequence of Job
        Files that the workers see under the same names as this machine.
    model : str or path
        Each worker process loads it once.
    progress : callable, optional
        Gets each job when it is done.
    **options
        The attributes of :class:`~napari_deartifact.files.batch_options.BatchOptions`; ``device="auto"``
        lets each worker choose.

    Returns
    -------
    iterator of FileResult
        One a file, in the order in which they are done.

    Raises
    ------
    ConnectionError
        When no scheduler answers, or it is lost on the way: what is done is done, and the same call skips it.
    ModuleNotFoundError
        When the extra ``distributed`` is not installed.
    OSError
        When the disk has no room left.
    TypeError, ValueError, FileNotFoundError
        At once, as :func:`~napari_deartifact.files.batch.restore_jobs`.
    """
    wanted = BatchOptions.of(**options)
    wanted.check_model(model)
    if wanted.reference is not None and not Path(wanted.reference).is_dir():
        raise NotADirectoryError(f"no folder at {wanted.reference}; name one that holds the originals")
    errors = wanted.planned_errors(jobs)
    work = _Work(
        ModelReference.of(model, wanted.device, perceptual=wanted.perceptual),
        wanted.for_pictures,
        None if wanted.reference is None else Path(wanted.reference).absolute(),
        wanted.overwrite,
    )
    wanted.warn_of_slides(jobs)
    make_folders(jobs)
    report = wanted.opened_report()
    return _results(_tasks(jobs, errors, overwrite=wanted.overwrite), work, scheduler, report, progress)


@dataclass(frozen=True)
class _Task:
    """A file that is to be restored, or of which is known already what becomes of it."""

    job: Job
    error_target: Path | None
    missing: frozenset[Path] = frozenset()
    result: FileResult | None = None

    def sent(self) -> _Task:
        """Name the files so that every process finds them, wherever it was started."""
        job = replace(self.job, source=self.job.source.absolute(), target=self.job.target.absolute())
        return replace(
            self,
            job=job,
            error_target=self.error_target and self.error_target.absolute(),
            missing=frozenset(target.absolute() for target in self.missing),
        )


@dataclass(frozen=True)
class _Work:
    """What all tasks have in common; it travels with each of them."""

    model: ModelReference
    options: dict[str, Any]
    reference: Path | None
    overwrite: bool
    batch: str = field(default_factory=lambda: uuid4().hex)
    """Workers outlive a batch, and the next one's originals may be others."""

    def do(self, task: _Task) -> FileResult:
        """Restore one file, in a worker.

        A file that is there already was written by a worker that died before it could say so.
        """
        model = self.model.load()
        stages = Stages(
            model=model,
            options=self.options,
            error_targets={} if task.error_target is None else {task.job.target: task.error_target},
            overwrite=self.overwrite,
            missing=task.missing,
            references=None if self.reference is None else _references(self.reference, self.batch),
        )
        if task.job.is_slide:
            return self._do_slide(task.job, model, stages)
        with _warnings_of_all_threads():
            entry = stages.load(task.job)
            with turnstile(getattr(model, "device", "cpu")):
                entry = stages.restore(entry)
            return stages.save(entry).result()

    def _do_slide(self, job: Job, model: Restorer, stages: Stages) -> FileResult:
        """Restore a slide, or go on with what a worker that died has left of it."""
        from napari_deartifact.files.slides_batch import restored_slide

        with _warnings_of_all_threads(), turnstile(getattr(model, "device", "cpu")):
            return restored_slide(job, model, stages)


@lru_cache(maxsize=1)
def _references(folder: Path, batch: str) -> References:
    return References.below(folder)


_warnings_lock = Lock()
_warnings_stack = ExitStack()
_warnings_users = 0


@contextmanager
def _warnings_of_all_threads() -> Iterator[None]:
    """Keep the sorting of warnings up while any thread of this process works on a file."""
    global _warnings_users
    with _warnings_lock:
        _warnings_users += 1
        if _warnings_users == 1:
            _warnings_stack.enter_context(sorted_warnings())
    try:
        yield
    finally:
        with _warnings_lock:
            _warnings_users -= 1
            if _warnings_users == 0:
                _warnings_stack.close()


def _tasks(jobs: Sequence[Job], errors: dict[Path, Path], *, overwrite: bool) -> Iterator[_Task]:
    """Leave out what is done, and what would overwrite an original."""
    originals = frozenset(filter(None, (file_number(job.source) for job in jobs)))
    for job in jobs:
        error = errors.get(job.target)
        targets = [job.target] if error is None else [job.target, error]
        result = None
        if any(file_number(target) in originals for target in targets):
            message = f"{job.source}: {job.target} is one of the originals; choose another output"
            result = FileResult(job.source, job.target, "failed", message)
        elif not overwrite and all(target.exists() for target in targets):
            result = FileResult(job.source, job.target, "skipped", f"{job.target} exists")
        missing = frozenset(target for target in targets if not target.exists())
        yield _Task(job, error, missing, result)


def _results(
    tasks: Iterator[_Task],
    work: _Work,
    scheduler: str | Client,
    report: Report | None,
    progress: Callable[[Job, Progress], object] | None,
) -> Iterator[FileResult]:
    with _connected(scheduler) as client:
        for result in _restored_on(client, tasks, work):
            if report is not None:
                report.add(result)
            if progress is not None:
                progress(Job(result.source, result.target), Progress(1, 1))
            yield result
            stop_on_a_full_disk(result)


@contextmanager
def _connected(scheduler: str | Client) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a cluster needs the package distributed: pip install 'napari-deartifact[distributed]'"
        ) from error
    if isinstance(scheduler, Client):
        yield scheduler
        return
    try:
        client = Client(scheduler, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no scheduler answers at {scheduler!r} ({error}); start one with 'dask scheduler' and name its "
            "address, such as tcp://localhost:8786"
        ) from error
    with client:
        yield client


def _restored_on(client: Client, tasks: Iterator[_Task], work: _Work) -> Iterator[FileResult]:
    from distributed import wait
    from distributed.scheduler import KilledWorker

    if not (threads := client.nthreads()):
        warnings.warn(
            "the cluster has no workers yet; start some with 'dask worker ADDRESS'", UserWarning, stacklevel=2
        )
    most = max(_FEWEST_TASKS, _TASKS_PER_THREAD * sum(threads.values()))
    pending: dict[Any, _Task] = {}
    try:
        while True:
            while len(pending) < most and (task := next(tasks, None)) is not None:
                if task.result is not None:
                    yield task.result
                    continue
                name = f"restore-{task.job.source.name}-{os.urandom(8).hex()}"
                pending[client.submit(work.do, task.sent(), key=name)] = task
            if not pending:
                return
            with client.as_current():
                done = wait(list(pending), return_when="FIRST_COMPLETED").done
            for future in done:
                task = pending.pop(future)
                try:
                    result = future.result()
                except KilledWorker:
                    message = (
                        f"{task.job.source}: every worker that took it died, most likely of a lack of memory"
                    )
                    result = FileResult(task.job.source, task.job.target, "failed", message)
                yield replace(result, source=task.job.source, target=task.job.target)
    except Exception as error:
        if client.status == "running" and client.scheduler_info():
            raise
        raise ConnectionError(
            "the scheduler was lost; what is restored is complete: run the same again, and it is skipped"
        ) from error
    finally:
        if client.status == "running":
            client.cancel(list(pending))
