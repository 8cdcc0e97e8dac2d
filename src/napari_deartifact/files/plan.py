"""Which files are to be restored, and where each answer goes; nothing is written."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_deartifact.files.read import SUFFIXES
from napari_deartifact.files.signatures import DICOM_SUFFIXES, starts_as_dicom
from napari_deartifact.files.sources import (
    SLIDE_SUFFIXES,
    UNREAD_SUFFIXES,
    FilePath,
    find_sources,
    identity,
    is_single_file,
    is_slide,
)
from napari_deartifact.files.suffixes import full_stem, full_suffix, has_no_suffix, picture_stem
from napari_deartifact.files.write import writable_suffixes

# What may be deeper than PNG, or more than a plane.
_USUAL_SUFFIXES = {
    **dict.fromkeys(DICOM_SUFFIXES, ".dcm"),
    **dict.fromkeys((".tif", ".tiff"), ".tif"),
    **dict.fromkeys((".ome.tif", ".ome.tiff"), ".ome.tif"),
}
_TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".ome.tif", ".ome.tiff"})
# Whoever writes one of these names a file, not a folder.
_UNWRITABLE_SUFFIXES = UNREAD_SUFFIXES | SLIDE_SUFFIXES | frozenset((
    ".npy", ".npz", ".h5", ".svg", ".pdf", ".eps",
))  # fmt: skip
_ERROR_NAME = "_standard_error.tif"


@dataclass(frozen=True)
class Job:
    """A file to restore.

    Attributes
    ----------
    source, target : Path
        The file, and where the answer goes.
    place : Path
        The file's place in the tree that is kept.
    is_slide : bool
        Whether it is restored in parts.
    """

    source: Path
    target: Path
    place: Path = Path()
    is_slide: bool = False


def plan_jobs(
    inputs: FilePath | Iterable[FilePath], output: FilePath, suffix: str | None = None
) -> list[Job]:
    """Find the files and name the targets; nothing is written.

    Parameters
    ----------
    inputs : path or paths
        Files, folders (searched with their subfolders) and patterns such as ``"run*/**/*.jpg"``.
        Links to folders are followed only where a pattern names them.
    output : path
        With a single file as input, a file name if its suffix is one that can be written;
        otherwise a folder.
    suffix : str, optional
        Of all targets in a folder, one of
        :func:`~napari_deartifact.files.write.writable_suffixes`.

    Returns
    -------
    list of Job
        Under `output` the tree below each folder is kept; of several folders their names too.
        Targets are ``STEM.tif`` for TIFF, ``STEM.dcm`` for DICOM and ``STEM.png`` for all else, unless
        `suffix` says otherwise; two that would be the same keep the suffix of their source in their
        names, and where that does not tell them apart, a checksum of their source's path.  Slides,
        which are SVS and NDPI here, come last and become ``STEM.ome.zarr``, or ``STEM.ome.tif`` where
        `suffix` is one of TIFF.  In folders, files without a suffix are looked into: they may be DICOM.

    Raises
    ------
    ValueError
        When there is nothing to restore, a name is empty, the output is one of the folders to be
        restored, or the suffix cannot be written.

    Warns
    -----
    UserWarning
        When folders hold pictures of kinds that are not read, or cannot be listed (UnlistedFolderWarning).
    """
    inputs = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not all(os.fspath(name) for name in (*inputs, output)):
        raise ValueError("the name of an input or of the output is empty; expected a file or folder")
    if suffix is not None and suffix not in writable_suffixes():
        raise ValueError(f"suffix is {suffix!r}; expected one of {', '.join(writable_suffixes())}")
    output = Path(output)
    for name in inputs:
        if os.path.isdir(name) and identity(Path(name)) == identity(output):
            raise ValueError(f"{output} is the folder to be restored; choose another for the answers")
    if output.suffix.lower() in _UNWRITABLE_SUFFIXES.union(SUFFIXES) and not output.is_dir():
        source = _only_file(inputs, output)
        return [Job(source, output, Path(source.name))]
    sources = find_sources(inputs, output)
    targets = {source: output / _renamed(source, place, suffix) for source, place in sources.items()}
    targets = _distinct(targets, sources)
    jobs = [Job(source, target, sources[source], is_slide(source)) for source, target in targets.items()]
    return sorted(jobs, key=lambda job: job.is_slide)


def error_targets(jobs: Sequence[Job]) -> dict[Path, Path]:
    """Name the file of each target's standard error; those of ``A.png`` and ``A.tif`` keep their suffix."""
    targets = [job.target for job in jobs if not job.is_slide]
    short = {target: target.with_name(full_stem(target) + _ERROR_NAME) for target in targets}
    taken = Counter(str(path).lower() for path in (*short, *short.values()))
    return {
        target: target.with_name(target.name + _ERROR_NAME) if taken[str(path).lower()] > 1 else path
        for target, path in short.items()
    }


def _renamed(source: Path, place: Path, suffix: str | None) -> Path:
    """Give a file the suffix of its target."""
    if is_slide(place):
        return place.with_suffix(".ome.tif" if suffix in _TIFF_SUFFIXES else ".ome.zarr")
    if has_no_suffix(place):
        usual = ".dcm" if starts_as_dicom(source) else ".png"
    else:
        usual = _USUAL_SUFFIXES.get(full_suffix(place), ".png")
    return place.with_name(picture_stem(place) + (suffix or usual))


def _distinct(targets: dict[Path, Path], sources: dict[Path, Path]) -> dict[Path, Path]:
    """Rename what shares its name with another; no name depends on the order of the files."""
    targets = {
        source: target.with_name(sources[source].name + full_suffix(target)) if is_shared else target
        for source, target, is_shared in _shared(targets)
    }
    targets = {
        source: target.with_name(f"{sources[source].name}-{_checksum(source)}{full_suffix(target)}")
        if is_shared
        else target
        for source, target, is_shared in _shared(targets)
    }
    for source, target, is_shared in _shared(targets):
        if is_shared:
            raise ValueError(f"{target} would be the answer of {source} and of another file; rename {source}")
    return targets


def _shared(targets: dict[Path, Path]) -> Iterator[tuple[Path, Path, bool]]:
    """Tell of each target whether another has its name, also where upper and lower case are one."""
    taken = Counter(str(target).lower() for target in targets.values())
    return ((source, target, taken[str(target).lower()] > 1) for source, target in targets.items())


def _checksum(source: Path) -> str:
    return f"{zlib.crc32(os.fsencode(source)):08x}"


def _only_file(inputs: Sequence[FilePath], output: Path) -> Path:
    if output.suffix.lower() not in writable_suffixes():
        raise ValueError(
            f"{output} has the suffix {output.suffix!r}; expected one of {', '.join(writable_suffixes())}"
        )
    for name in inputs:
        if os.fspath(name).rstrip("/" + os.sep).lower().endswith(".zarr") and os.path.isdir(name):
            raise ValueError(
                f"{name} is a Zarr store, which is written and not read; name the original slide"
            )
    if len(inputs) != 1 or not is_single_file(inputs[0]):
        raise ValueError(f"{output} names one file, and the input may be several; name a folder")
    return Path(inputs[0])
