"""The three stages that a file of a batch goes through: it is read, restored and written.

A stage never raises what is wrong with one file; it says so in the entry, and the stages after it pass the
entry on.  Reading and writing may run in threads of their own, within
:func:`~napari_deartifact.warned.sorted_warnings`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.axes import PictureLayout, check_dtype
from napari_deartifact.files.entry import Entry, attempted
from napari_deartifact.files.plan import Job
from napari_deartifact.files.read import ImageFile, read_image
from napari_deartifact.files.reference import References, psnr_pair
from napari_deartifact.files.result import FileFacts, Status
from napari_deartifact.files.write import check_fits, write_image
from napari_deartifact.history import estimates_of
from napari_deartifact.intensities import DataRange
from napari_deartifact.progress import Answer, run_steps
from napari_deartifact.restoration import restoration_steps
from napari_deartifact.tiling import Progress
from napari_deartifact.uncertainty import Restoration, uncertainty_steps

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate
    from napari_deartifact.models.restorer import Restorer


@dataclass(frozen=True)
class Stages:
    """How the files of a batch are read, restored and written.

    Attributes
    ----------
    model : Restorer
    options : dict
        Of :func:`~napari_deartifact.restoration.restoration_steps`.
    originals : collection of (int, int)
        Device and inode of the files to be restored: none of them is overwritten.
    error_targets : dict of Path to Path
        Where the standard errors of each target go, if they are wanted.
    overwrite : bool
        Restore again where a target exists.
    missing : collection of Path
        Targets that were not there when the batch was planned; what lies there now is of this batch.
    references : References, optional
    progress : callable, optional
        Gets the job and its tiles.
    """

    model: Restorer
    options: Mapping[str, Any] = field(default_factory=dict)
    originals: Collection[tuple[int, int]] = ()
    error_targets: Mapping[Path, Path] = field(default_factory=dict)
    overwrite: bool = False
    missing: Collection[Path] = ()
    references: References | None = None
    progress: Callable[[Job, Progress], object] | None = None

    def load(self, job: Job) -> Entry:
        """Read a file, unless there is nothing to do."""
        return attempted(Entry(job), self._load)

    def restore(self, entry: Entry) -> Entry:
        """Put the answer in the place of the pixels."""
        return attempted(entry, self._restore)

    def save(self, entry: Entry) -> Entry:
        """Write the answer."""
        return attempted(entry, self._save)

    def run(self, job: Job, steps: Generator[Progress, None, Answer]) -> Answer:
        """Run the steps of a job to their end, and tell of each."""
        progress = self.progress
        if progress is None:
            return run_steps(steps)
        return run_steps(steps, lambda done, total: progress(job, Progress(done, total)))

    def refuse_originals(self, targets: Iterable[Path]) -> None:
        """Refuse to write over a file that is to be restored.

        Raises
        ------
        ValueError
        """
        lost = next((target for target in targets if file_number(target) in self.originals), None)
        if lost is not None:
            raise ValueError(f"{lost} is one of the originals; choose another output")

    def _load(self, entry: Entry) -> Entry:
        targets = [entry.job.target]
        if self.error_targets:
            targets.append(self.error_targets[entry.job.target])
        self.refuse_originals(targets)
        wanted = tuple(
            target for target in targets if self.overwrite or target in self.missing or not target.exists()
        )
        if not wanted and os.path.lexists(entry.job.source):
            return replace(entry, status="skipped", message=f"{entry.job.target} exists")
        image = read_image(entry.job.source)
        check_fits(entry.job.target, image.pixels, image)
        return replace(entry, wanted=wanted, image=image, original=self._original(entry.job))

    def _original(self, job: Job) -> ImageFile | None:
        """Read the reference; a bad one does not keep a file from being restored."""
        try:
            return self.references.read(job.place) if self.references else None
        except (OSError, ValueError, ImportError) as error:
            warnings.warn(f"no gain is told: {error}", UserWarning, stacklevel=2)
            return None

    def _restore(self, entry: Entry) -> Entry:
        image = entry.image
        assert image is not None  # noqa: S101  (an entry without a status was loaded)
        pixels, channel_axis = image.pixels, image.channel_axis
        has_grey_and_alpha = image.alpha and not image.rgb and channel_axis is not None
        if has_grey_and_alpha:
            pixels, channel_axis = np.take(pixels, 0, axis=channel_axis), None
        # A JPEG says itself what is white.
        data_range = None if image.jpeg else self.options.get("data_range")
        estimates = None if image.jpeg else _histories(pixels, channel_axis, data_range, rgb=image.rgb)
        entry = replace(entry, facts=FileFacts.of(image, estimates or {}))
        restored, error = self._answer(
            entry.job,
            pixels,
            channel_axis=channel_axis,
            rgb=image.rgb,
            jpeg=image.jpeg,
            estimates=estimates,
            data_range=data_range,
        )
        if has_grey_and_alpha:
            restored = _with_grey(image, restored, image.pixels)
            error = (
                None if error is None else _with_grey(image, error, np.zeros(image.pixels.shape, np.float32))
            )
        planned = [(entry.job.target, restored)]
        if error is not None:
            planned.insert(0, (self.error_targets[entry.job.target], error))
        self._refuse_strangers([(path, array) for path, array in planned if path not in entry.wanted])
        return replace(
            entry,
            image=replace(image, pixels=np.empty(0, image.pixels.dtype), jpeg=None),
            original=None,
            changed=not np.array_equal(restored, image.pixels, equal_nan=restored.dtype.kind == "f"),
            answers=tuple((path, pixels) for path, pixels in planned if path in entry.wanted),
            psnr=_gain(entry.original, image, restored),
        )

    def _refuse_strangers(self, kept: Iterable[tuple[Path, NDArray[Any]]]) -> None:
        """Refuse to write one of two files beside another one that does not belong to it."""
        for path, pixels in kept:
            if not _holds(path, pixels):
                raise FileExistsError(
                    f"{path} exists and is not what would be written there; overwrite (--overwrite) writes "
                    "the answer and its standard error anew, or choose another output"
                )

    def _answer(
        self, job: Job, pixels: NDArray[Any], **known: Any
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        start: Callable[..., Generator[Progress, None, Any]]
        start = uncertainty_steps if self.error_targets else restoration_steps
        answer = self.run(job, start(pixels, self.model, **{**self.options, **known}))
        if isinstance(answer, Restoration):
            return answer.image, answer.standard_error
        return answer, None

    def _save(self, entry: Entry) -> Entry:
        note = self.note(changed=entry.changed)
        for path, pixels in entry.answers:
            try:
                write_image(path, pixels, entry.image, note=note)
            except OSError as error:
                if error.errno is None:
                    raise
                # What failed was a temporary file, whose name helps nobody.
                raise OSError(error.errno, f"{path} cannot be written ({error.strerror})") from error
        status: Status = "restored" if entry.changed else "unchanged"
        return replace(entry, image=None, answers=(), status=status, method=note)

    def note(self, *, changed: bool) -> str:
        """Say what is written into files that tell how they were made."""
        if not changed:
            return f"Left as it was by napari-deartifact {__version__}, nothing to restore was found"
        strength = self.options.get("strength", 1.0)
        part = "" if strength == 1 else f", strength {strength:g}"
        return f"JPEG artifacts reduced by napari-deartifact {__version__}, model {self.model.name}{part}"


def _gain(original: ImageFile | None, image: ImageFile, restored: NDArray[Any]) -> tuple[float, float] | None:
    try:
        return None if original is None else psnr_pair(original, image, restored)
    except ValueError as error:
        warnings.warn(f"no gain is told: {error}", UserWarning, stacklevel=2)
        return None


def _holds(path: Path, pixels: NDArray[Any]) -> bool:
    """Say whether a file holds just these pixels."""
    try:
        found = read_image(path).pixels
    except (OSError, ValueError, ImportError):
        return False
    return np.array_equal(found, pixels, equal_nan=pixels.dtype.kind == "f")


def file_number(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever its names; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _histories(
    pixels: NDArray[Any], channel_axis: int | None, data_range: DataRange, *, rgb: bool
) -> dict[int, JPEGEstimate]:
    check_dtype(pixels.dtype)
    layout = PictureLayout.of(pixels.shape, channel_axis, rgb=rgb)
    return estimates_of(list(layout.pictures(pixels)), data_range)


def _with_grey(image: ImageFile, grey: NDArray[Any], beside: NDArray[Any]) -> NDArray[Any]:
    """Put a grey plane in the place of the one in a picture with alpha."""
    pixels = np.moveaxis(beside.copy(), image.channel_axis or 0, 0)
    pixels[0] = grey
    return np.moveaxis(pixels, 0, image.channel_axis or 0)
