"""Which files are to be restored, and where each answer goes; nothing is read or written."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_deartifact.files.read import SUFFIXES
from napari_deartifact.files.write import writable_suffixes

# What may be deeper than PNG, or more than a plane.
_TIFF_SUFFIXES = (".tif", ".tiff", ".dcm", ".dicom", ".svs", ".ndpi")
# Whoever writes one of these names a file, not a folder.
_UNWRITABLE_SUFFIXES = frozenset((".gif", ".jp2", ".jxl", ".avif", ".heic", ".dcm", ".svs", ".ndpi", ".npy"))
_WILDCARDS = frozenset("*?[")

FilePath = str | os.PathLike[str]


@dataclass(frozen=True)
class Job:
    """A file to restore and where the answer goes."""

    source: Path
    target: Path


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
        Targets are ``STEM.tif`` for TIFF and DICOM and ``STEM.png`` for all else; two that would be the
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
        if Path(name).is_dir() and identity(Path(name)) == identity(output):
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


def identity(path: Path) -> Path:
    """Return the one name of a file or folder, whatever way leads to it."""
    return path.resolve()
