"""Many files, one after the other: a bad one costs one line, and the others are restored."""

from __future__ import annotations

import glob
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.read import SUFFIXES, ImageFile, read_image
from napari_deartifact.files.write import check_fits, writable_suffixes, write_image
from napari_deartifact.models.registry import DEFAULT_MODEL, load_model
from napari_deartifact.restoration import restoration_steps
from napari_deartifact.tiling import Progress

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

# Whatever a decoder, the network or the disk may raise on one file.
_FAILURES = (
    ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
_TIFF_SUFFIXES = (".tif", ".tiff")
# Whoever writes one of these names a file, not a folder.
_UNWRITABLE_SUFFIXES = frozenset((".gif", ".jp2", ".jxl", ".avif", ".heic", ".dcm", ".svs", ".ndpi", ".npy"))
_WILDCARDS = frozenset("*?[")

FilePath = str | os.PathLike[str]
Status = Literal["restored", "skipped", "failed"]


@dataclass(frozen=True)
class Job:
    """A file to restore and where the answer goes."""

    source: Path
    target: Path


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


def plan_jobs(inputs: FilePath | Iterable[FilePath], output: FilePath) -> list[Job]:
    """Find the files and name the targets; nothing is read or written.

    Parameters
    ----------
    inputs : path or paths
        Files, folders (searched with their subfolders) and patterns such as ``"run*/**/*.jpg"``.
    output : path
        With a single file as input, a file name if its suffix is one that can be written;
        otherwise a folder.

    Returns
    -------
    list of Job
        Under `output` the tree below each folder is kept; of several folders their names too.
        Targets are ``STEM.tif`` for TIFF and ``STEM.png`` for all else; two that would be the
        same keep the suffix of their source in their names.

    Raises
    ------
    ValueError
        When there is nothing to restore, two files of the same name would become one, a name is
        empty, or the output is one of the folders to be restored.
    """
    inputs = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not all(os.fspath(name) for name in (*inputs, output)):
        raise ValueError("the name of an input or of the output is empty; expected a file or folder")
    output = Path(output)
    for name in inputs:
        if Path(name).is_dir() and _identity(Path(name)) == _identity(output):
            raise ValueError(f"{output} is the folder to be restored; choose another for the answers")
    if output.suffix.lower() in _UNWRITABLE_SUFFIXES.union(SUFFIXES) and not output.is_dir():
        return [Job(_only_file(inputs, output), output)]
    sources = _find_sources(inputs, output)
    if not sources:
        raise ValueError(
            f"no picture found in {', '.join(map(str, inputs)) or 'an empty list'}; "
            f"expected files such as {', '.join(sorted(SUFFIXES))}"
        )
    targets = {source: output / place.with_suffix(_suffix(place)) for source, place in sources.items()}
    taken = Counter(str(target).lower() for target in targets.values())
    for source, target in targets.items():
        if taken[str(target).lower()] > 1:
            targets[source] = target.with_name(sources[source].name + target.suffix)
    _check_distinct(targets)
    return [Job(source, target) for source, target in targets.items()]


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
        As for :func:`plan_jobs`.
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
    originals = {_identity(job.source) for job in jobs}
    for job in jobs:
        start = time.perf_counter()
        if _identity(job.target) in originals:
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


def _identity(path: Path) -> Path:
    return path.resolve()


def _suffix(place: Path) -> str:
    return ".tif" if place.suffix.lower() in _TIFF_SUFFIXES else ".png"


def _is_single_file(name: FilePath) -> bool:
    return not Path(name).is_dir() and (Path(name).exists() or not _WILDCARDS & set(str(name)))


def _check_distinct(targets: dict[Path, Path]) -> None:
    sources: dict[str, Path] = {}
    for source, target in targets.items():
        other = sources.setdefault(str(target).lower(), source)
        if other != source:
            raise ValueError(
                f"{other} and {source} would both become {target}; restore them into different folders"
            )


def _only_file(inputs: Sequence[FilePath], output: Path) -> Path:
    if output.suffix.lower() not in writable_suffixes():
        raise ValueError(
            f"{output} has the suffix {output.suffix!r}; expected one of {', '.join(writable_suffixes())}"
        )
    if len(inputs) != 1 or not _is_single_file(inputs[0]):
        raise ValueError(f"{output} names one file, and the input may be several; name a folder")
    return Path(inputs[0])


def _find_sources(inputs: Sequence[FilePath], output: Path) -> dict[Path, Path]:
    """Map each file to its place below the output, every file once."""
    keep_names = sum(Path(name).is_dir() for name in inputs) > 1
    sources: dict[Path, Path] = {}
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            root = Path(os.path.abspath(path)).name if keep_names else ""
            found = {file: root / file.relative_to(path) for file in _pictures_below(path, output)}
        elif _is_single_file(name):
            found = {path: Path(path.name)}
        else:
            base = _fixed_part(path)
            found = {file: file.relative_to(base) for file in _matches(str(name))}
        for file, place in found.items():
            sources.setdefault(file, place)
    return sources


def _pictures_below(folder: Path, output: Path) -> Iterator[Path]:
    """Walk in a stable order; hidden files and the output folder itself are left out."""
    inside = output.resolve()
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(root) / name).resolve() != inside
        )
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(root) / name


def _matches(pattern: str) -> Iterator[Path]:
    for name in sorted(glob.glob(pattern, recursive=True)):
        if os.path.isfile(name) and Path(name).suffix.lower() in SUFFIXES:
            yield Path(name)


def _fixed_part(pattern: Path) -> Path:
    fixed = []
    for part in pattern.parts[:-1]:
        if _WILDCARDS & set(part):
            break
        fixed.append(part)
    return Path(*fixed)
