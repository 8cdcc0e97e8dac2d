"""Many files, one after the other: a bad one costs one line, and the others are restored.

While one file is restored, the next is read and the last is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.files.batch_options import BatchOptions
from napari_deartifact.files.entry import Entry
from napari_deartifact.files.plan import Job, plan_jobs
from napari_deartifact.files.reference import References
from napari_deartifact.files.report import Report
from napari_deartifact.files.result import FileResult
from napari_deartifact.files.sources import FilePath
from napari_deartifact.files.stages import Stages, file_number
from napari_deartifact.intensities import DataRange
from napari_deartifact.models.registry import DEFAULT_MODEL, loaded
from napari_deartifact.tiling import Progress
from napari_deartifact.warned import sorted_warnings

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

_LARGE = 2**28
"""Bytes of pixels from which nothing else is held beside them."""
_DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def restore_files(
    inputs: FilePath | Iterable[FilePath],
    output: FilePath,
    model: FilePath | Restorer = DEFAULT_MODEL,
    *,
    suffix: str | None = None,
    report: FilePath | None = None,
    reference: FilePath | None = None,
    strength: float = 1.0,
    perceptual: float = 0.0,
    force: bool = False,
    data_range: DataRange = None,
    device: str = "auto",
    tile_size: int | None = None,
    overwrite: bool = False,
    uncertainty: bool = False,
    progress: Callable[[Job, Progress], object] | None = None,
) -> Iterator[FileResult]:
    """Restore files, a file a step; to cancel, stop iterating.

    Parameters
    ----------
    inputs, output, suffix
        As for :func:`~napari_deartifact.files.plan.plan_jobs`.
    model : str, path or Restorer
        As for :func:`~napari_deartifact.deartifact`.
    report : path, optional
        A CSV file that gets a line a file, as soon as the file is done; a report of an earlier run is
        continued.  :mod:`~napari_deartifact.files.report` has the columns.
    reference : path, optional
        A folder with originals, in the same tree and of the same names but for their suffixes.  What the
        answers gain on them is told.
    strength, perceptual, force, device, tile_size
        As for :func:`~napari_deartifact.deartifact`.
    data_range : number or (number, number), optional
        Black and white of the files that hold no JPEG, which says so itself.
    overwrite : bool
        Restore again where a target exists.
    uncertainty : bool
        Write the standard error of every pixel too, as ``STEM_standard_error.tif`` beside the target;
        where only one of the two exists and `overwrite` is off, the other is written if it belongs to it.
    progress : callable, optional
        Gets the job and its (done, total) tiles after each tile.

    Returns
    -------
    iterator of FileResult
        One a file, in order, slides last.  What a JPEG says of its tables is used.  A result comes once its
        target is complete, which is when the next file has been restored.

    Raises
    ------
    ValueError
        At once, for an unknown model, one without the perceptual twin that is asked for, an argument out of
        its range, nothing to restore, standard errors of a perceptual model, or a report that is none or
        an answer's name.
    FileNotFoundError
        At once, for a model file that is not there.
    OSError
        At once, when the output folder cannot be made or the report not be written; at the next step, when
        the disk has no room left.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skimage.data import camera
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.fromarray(camera()[:64, :96]).save(folder / "cell.jpg", quality=20)
    >>> for result in restore_files(folder, folder / "restored", "compact-cnn", device="cpu"):
    ...     print(result.status, result.target.name)
    restored cell.png
    """
    jobs = plan_jobs(inputs, output, suffix)
    return restore_jobs(
        jobs,
        model,
        report=report,
        reference=reference,
        strength=strength,
        perceptual=perceptual,
        force=force,
        data_range=data_range,
        device=device,
        tile_size=tile_size,
        overwrite=overwrite,
        uncertainty=uncertainty,
        progress=progress,
    )


def restore_jobs(
    jobs: Sequence[Job],
    model: FilePath | Restorer = DEFAULT_MODEL,
    *,
    progress: Callable[[Job, Progress], object] | None = None,
    **options: Any,
) -> Iterator[FileResult]:
    """Do what :func:`restore_files` does, with files that are planned already.

    Parameters
    ----------
    jobs : sequence of Job
    model, progress
        As for :func:`restore_files`.
    **options
        The attributes of :class:`~napari_deartifact.files.batch_options.BatchOptions`.

    Raises
    ------
    TypeError
        At once, for an option that nobody knows.
    ValueError, FileNotFoundError, OSError
        As :func:`restore_files`.
    """
    wanted = BatchOptions.of(**options)
    references = None if wanted.reference is None else References.below(wanted.reference)
    wanted.check_model(model)
    errors = wanted.planned_errors(jobs)
    restorer = loaded(model, wanted.device, wanted.perceptual)
    make_folders(jobs)
    stages = Stages(
        model=restorer,
        options={**wanted.for_pictures, "device": wanted.device},
        originals=frozenset(filter(None, (file_number(job.source) for job in jobs))),
        error_targets=errors,
        overwrite=wanted.overwrite,
        references=references,
        progress=progress,
    )
    wanted.warn_of_slides(jobs)
    report = wanted.opened_report()
    return _results(jobs, model, wanted.perceptual, stages, report)


def _results(
    jobs: Sequence[Job],
    model: FilePath | Restorer,
    perceptual: float,
    stages: Stages,
    report: Report | None,
) -> Iterator[FileResult]:
    """Restore the pictures, and then the slides, beside which nothing else is read or written."""
    from napari_deartifact.files.slides_batch import restored_slide

    yield from run_stages([job for job in jobs if not job.is_slide], stages, report)
    for job in jobs:
        if not job.is_slide:
            continue
        with sorted_warnings():
            result = restored_slide(job, model, stages, perceptual=perceptual)
        if report is not None:
            report.add(result)
        yield result
        stop_on_a_full_disk(result)


def run_stages(jobs: Iterable[Job], stages: Stages, report: Report | None = None) -> Iterator[FileResult]:
    """Restore a file while the next is read and the last is written; at each yield nothing is under way.

    Parameters
    ----------
    jobs : iterable of Job
    stages : Stages
    report : Report, optional

    Yields
    ------
    FileResult
        One a job, in order.

    Raises
    ------
    OSError
        When the disk is full, after the result that met it, or the report cannot be written.
    """

    def save(entry: Entry) -> FileResult:
        result = stages.save(entry).result()
        if report is not None:
            report.add(result)
        return result

    loaded: Entry | None = None
    restored: Entry | None = None
    with ThreadPoolExecutor(2, "deartifact-files") as threads:
        for job in chain(jobs, (None, None)):
            saving: Future[FileResult] | None = None
            loading: Future[Entry] | None = None
            beside = not (_is_large(loaded) or _is_large(restored))
            with sorted_warnings():
                try:
                    if restored is not None:
                        saving = threads.submit(save, restored)
                        restored = None
                        if not beside:
                            wait([saving])
                    if job is not None and beside:
                        loading = threads.submit(stages.load, job)
                    if loaded is not None:
                        restored = stages.restore(loaded)
                        loaded = None
                    if job is not None and loading is None:
                        loading = threads.submit(stages.load, job)
                finally:
                    under_way: list[Future[Any]] = [task for task in (saving, loading) if task is not None]
                    wait(under_way)
            loaded = None if loading is None else loading.result()
            if saving is not None:
                result = saving.result()
                yield result
                stop_on_a_full_disk(result)


def _is_large(entry: Entry | None) -> bool:
    return entry is not None and entry.nbytes > _LARGE


def stop_on_a_full_disk(result: FileResult) -> None:
    """Spare the user hours of work of which nothing can be kept."""
    if isinstance(result.error, OSError) and result.error.errno in _DISK_IS_FULL:
        raise OSError(
            result.error.errno,
            f"{os.strerror(result.error.errno)}, so the rest is not begun; make room and run the same again: "
            "what is done is skipped",
        )


def make_folders(jobs: Iterable[Job]) -> None:
    """Make the folders of the targets.

    Raises
    ------
    OSError
        When one cannot be made or written to.
    """
    for folder in sorted({job.target.parent for job in jobs}):
        _make_folder(folder)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(
            f"{folder} cannot be a folder, a file is in the way; choose another"
        ) from error
    except OSError as error:
        raise type(error)(
            f"folder {folder} cannot be made ({error.strerror}); choose another output"
        ) from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"folder {folder} is not writable; choose another output")
