"""Many files, one after the other: a bad one costs one line, and the others are restored."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

# Whatever a decoder, the network or the disk may raise on one file.
_FAILURES = (
    ArithmeticError, ImportError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError,
)  # fmt: skip

Status = Literal["restored", "skipped", "failed"]


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
    device: str = "auto",
    tile_size: int | None = None,
    overwrite: bool = False,
    progress: Callable[[Job, Progress], object] | None = None,
) -> Iterator[FileResult]:
    """Restore files, a file a step; to cancel, stop iterating.

    Parameters
    ----------
    inputs, output
        As for :func:`~napari_deartifact.files.plan.plan_jobs`.
    model : str, path or Restorer
        As for :func:`~napari_deartifact.deartifact`.
    strength, device, tile_size
        As for :func:`~napari_deartifact.deartifact`.
    overwrite : bool
        Restore again where a target exists.
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
    options = {"strength": strength, "device": device, "tile_size": tile_size}
    return _restore_each(jobs, loaded, overwrite, progress, options)


def _restore_each(
    jobs: Sequence[Job],
    model: Restorer,
    overwrite: bool,
    progress: Callable[[Job, Progress], object] | None,
    options: dict[str, Any],
) -> Iterator[FileResult]:
    originals = {identity(job.source) for job in jobs}
    for job in jobs:
        start = time.perf_counter()
        if identity(job.target) in originals:
            message = f"{job.target} is one of the originals; choose another output"
            yield FileResult(job.source, job.target, "failed", message)
            continue
        if job.target.exists() and not overwrite:
            yield FileResult(job.source, job.target, "skipped", f"{job.target} exists")
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            failure: Exception | None
            try:
                _restore_file(job, model, progress, options)
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
    steps = restoration_steps(
        pixels, model, channel_axis=channel_axis, rgb=image.rgb, jpeg=image.jpeg, **options
    )
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            restored = end.value
            break
        if progress is not None:
            progress(job, step)
    if has_grey_and_alpha:
        restored = _with_grey(image, restored)
    write_image(job.target, restored, image)


def _with_grey(image: ImageFile, grey: NDArray[Any]) -> NDArray[Any]:
    """Put the restored grey plane beside the alpha that was there."""
    pixels = np.moveaxis(image.pixels.copy(), image.channel_axis or 0, 0)
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
