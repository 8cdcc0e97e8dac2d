"""Many files, one after the other: a bad one costs one line, and the others are restored."""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.plan import FilePath, Job, identity, plan_jobs
from napari_deartifact.files.read import ImageFile, read_image
from napari_deartifact.files.write import check_fits, write_image
from napari_deartifact.models.registry import DEFAULT_MODEL, load_model
from napari_deartifact.restoration import restoration_steps
from napari_deartifact.tiling import Progress
from napari_deartifact.uncertainty import Restoration, uncertainty_steps

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

# Whatever a decoder, the network or the disk may raise on one file.
_FAILURES = (
    ArithmeticError, ImportError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError,
)  # fmt: skip

Status = Literal["restored", "skipped", "failed"]

_ERROR_NAME = "_standard_error.tif"


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes
    ----------
    source, target : Path
    status : {"restored", "skipped", "failed"}
        Skipped files had a target already.
    message : str
        Why it failed or was skipped.
    warnings : tuple of str
        What the work on this file warned of.
    seconds : float
        For reading, restoring and writing.
    error : Exception or None
        What made it fail, where that was an exception.
    """

    source: Path
    target: Path
    status: Status
    message: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    error: Exception | None = None


def restore_files(
    inputs: FilePath | Iterable[FilePath],
    output: FilePath,
    model: FilePath | Restorer = DEFAULT_MODEL,
    *,
    strength: float = 1.0,
    force: bool = False,
    device: str = "auto",
    tile_size: int | None = None,
    overwrite: bool = False,
    uncertainty: bool = False,
    progress: Callable[[Job, Progress], object] | None = None,
) -> Iterator[FileResult]:
    """Restore files, a file a step; to cancel, stop iterating.

    Parameters
    ----------
    inputs, output
        As for :func:`~napari_deartifact.files.plan.plan_jobs`.
    model : str, path or Restorer
        As for :func:`~napari_deartifact.deartifact`.
    strength, force, device, tile_size
        As for :func:`~napari_deartifact.deartifact`.
    overwrite : bool
        Restore again where a target exists.
    uncertainty : bool
        Write the standard error of every pixel too, as ``STEM_standard_error.tif`` beside the target;
        where only one of the two exists and `overwrite` is off, the other is written.
    progress : callable, optional
        Gets the job and its (done, total) tiles after each tile.

    Returns
    -------
    iterator of FileResult
        One a file, in order.  What a JPEG says of its tables is used.

    Raises
    ------
    ValueError
        At once, for an unknown model, an argument out of its range or nothing to restore.
    FileNotFoundError
        At once, for a model file that is not there.
    OSError
        At once, when the output folder cannot be made.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; expected a number from 0 to 1")
    if tile_size is not None and tile_size < 1:
        raise ValueError(f"tile_size is {tile_size}; expected a number of pixels of at least 1")
    jobs = plan_jobs(inputs, output)
    loaded = load_model(model, device) if isinstance(model, str | os.PathLike) else model
    for folder in sorted({job.target.parent for job in jobs}):
        _make_folder(folder)
    options = {"strength": strength, "force": force, "device": device, "tile_size": tile_size}
    errors = _error_targets(jobs) if uncertainty else {}
    return _restore_each(jobs, errors, loaded, overwrite, progress, options)


def _error_targets(jobs: Sequence[Job]) -> dict[Path, Path]:
    """Name the file of each target's standard error; those of ``A.png`` and ``A.tif`` keep their suffix."""
    short = {job.target: job.target.with_name(job.target.stem + _ERROR_NAME) for job in jobs}
    taken = Counter(str(path).lower() for path in (*short, *short.values()))
    return {
        target: target.with_name(target.name + _ERROR_NAME) if taken[str(path).lower()] > 1 else path
        for target, path in short.items()
    }


def _restore_each(
    jobs: Sequence[Job],
    errors: dict[Path, Path],
    model: Restorer,
    overwrite: bool,
    progress: Callable[[Job, Progress], object] | None,
    options: dict[str, Any],
) -> Iterator[FileResult]:
    originals = {identity(job.source) for job in jobs}
    for job in jobs:
        start = time.perf_counter()
        targets = [job.target, *([errors[job.target]] if errors else [])]
        lost = next((target for target in targets if identity(target) in originals), None)
        if lost is not None:
            message = f"{lost} is one of the originals; choose another output"
            yield FileResult(job.source, job.target, "failed", message)
            continue
        wanted = [target for target in targets if overwrite or not target.exists()]
        if not wanted:
            yield FileResult(job.source, job.target, "skipped", f"{job.target} exists")
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            failure: Exception | None
            try:
                _restore_file(job, errors.get(job.target), wanted, model, progress, options)
                failure = None
            except _FAILURES as error:
                failure = error
        told = tuple(
            dict.fromkeys(str(item.message) for item in caught if issubclass(item.category, UserWarning))
        )
        status: Status = "failed" if failure else "restored"
        message = _describe(job.source, failure) if failure else ""
        seconds = time.perf_counter() - start
        yield FileResult(job.source, job.target, status, message, told, seconds, failure)


def _restore_file(
    job: Job,
    error_target: Path | None,
    wanted: Sequence[Path],
    model: Restorer,
    progress: Callable[[Job, Progress], object] | None,
    options: dict[str, Any],
) -> None:
    image = read_image(job.source)
    check_fits(job.target, image.pixels)
    pixels, channel_axis = image.pixels, image.channel_axis
    has_grey_and_alpha = image.alpha and not image.rgb and channel_axis is not None
    if has_grey_and_alpha:
        pixels, channel_axis = np.take(pixels, 0, axis=channel_axis), None
    start: Callable[..., Generator[Progress, None, Any]]
    start = restoration_steps if error_target is None else uncertainty_steps
    steps = start(pixels, model, channel_axis=channel_axis, rgb=image.rgb, jpeg=image.jpeg, **options)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            answer = end.value
            break
        if progress is not None:
            progress(job, step)
    restored, error = (
        (answer.image, answer.standard_error) if isinstance(answer, Restoration) else (answer, None)
    )
    if error_target is not None and error is not None and error_target in wanted:
        if has_grey_and_alpha:
            error = _with_grey(image, error, np.zeros(image.pixels.shape, np.float32))
        write_image(error_target, error, image)
    if job.target in wanted:
        if has_grey_and_alpha:
            restored = _with_grey(image, restored, image.pixels)
        write_image(job.target, restored, image)


def _with_grey(image: ImageFile, grey: NDArray[Any], beside: NDArray[Any]) -> NDArray[Any]:
    """Put a grey plane in the place of the one in a picture with alpha."""
    pixels = np.moveaxis(beside.copy(), image.channel_axis or 0, 0)
    pixels[0] = grey
    return np.moveaxis(pixels, 0, image.channel_axis or 0)


def _describe(source: Path, error: BaseException) -> str:
    message = str(error) or type(error).__name__
    return message if str(source) in message else f"{source}: {message}"


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
