"""Which files are to be restored, and where each answer goes; nothing is written."""

from __future__ import annotations

import os
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_deartifact.files.read import SUFFIXES
from napari_deartifact.files.signatures import DICOM_SUFFIXES, starts_as_dicom
from napari_deartifact.files.suffixes import full_stem, full_suffix
from napari_deartifact.files.write import writable_suffixes
from napari_deartifact.messages import printable

# What may be deeper than PNG, or more than a plane.
_USUAL_SUFFIXES = {
    **dict.fromkeys(DICOM_SUFFIXES, ".dcm"),
    **dict.fromkeys((".tif", ".tiff"), ".tif"),
    **dict.fromkeys((".ome.tif", ".ome.tiff"), ".ome.tif"),
}
SLIDE_SUFFIXES = frozenset({".svs", ".ndpi"})
"""Of the files that in folders are taken for slides; TIFF and DICOM stay what they are, tiled or not."""
_WANTED_SUFFIXES = SUFFIXES | SLIDE_SUFFIXES
_TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".ome.tif", ".ome.tiff"})
# Slides that were restored, and the work on them.
_NO_FOLDERS_OF_PICTURES = (".zarr", ".zarr.part", ".tif.part", ".tiff.part")
_UNREAD_SUFFIXES = frozenset((
    ".gif", ".jp2", ".j2k", ".jxl", ".avif", ".heic", ".heif", ".czi", ".nd2", ".lif", ".tga", ".ppm", ".pgm",
    ".exr", ".psd", ".dng", ".nii",
))  # fmt: skip
"""Of pictures that are not read; a folder that holds some is said to."""
# Whoever writes one of these names a file, not a folder.
_UNWRITABLE_SUFFIXES = _UNREAD_SUFFIXES | SLIDE_SUFFIXES | frozenset((
    ".npy", ".npz", ".h5", ".svg", ".pdf", ".eps",
))  # fmt: skip
_MOST_NAMED = 3
# DICOM files are often named IM-0001, or by a UID.
_NO_SUFFIX = re.compile(r"[^.]+|.*\.\d+")
_DICOM_DIRECTORY = "DICOMDIR"
_ERROR_NAME = "_standard_error.tif"
_WILDCARDS = frozenset("*?[")

FilePath = str | os.PathLike[str]


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
        When folders hold pictures of kinds that are not read, or cannot be listed.
    """
    inputs = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not all(os.fspath(name) for name in (*inputs, output)):
        raise ValueError("the name of an input or of the output is empty; expected a file or folder")
    if suffix is not None and suffix not in writable_suffixes():
        raise ValueError(f"suffix is {suffix!r}; expected one of {', '.join(writable_suffixes())}")
    output = Path(output)
    for name in inputs:
        if Path(name).is_dir() and identity(Path(name)) == identity(output):
            raise ValueError(f"{output} is the folder to be restored; choose another for the answers")
    if output.suffix.lower() in _UNWRITABLE_SUFFIXES.union(SUFFIXES) and not output.is_dir():
        source = _only_file(inputs, output)
        return [Job(source, output, Path(source.name))]
    sources, unread = _find_sources(inputs, output)
    if unread:
        named = ", ".join(printable(str(path)) for path in unread[:_MOST_NAMED])
        more = f" and {len(unread) - _MOST_NAMED} more" if len(unread) > _MOST_NAMED else ""
        warnings.warn(
            f"{named}{more} left out: pictures of this kind are not read; save them as TIFF or PNG",
            stacklevel=2,
        )
    if not sources:
        raise ValueError(
            f"no picture found in {', '.join(map(str, inputs)) or 'an empty list'}; "
            f"expected files such as {', '.join(sorted(_WANTED_SUFFIXES))}"
        )
    targets = {source: output / _renamed(source, place, suffix) for source, place in sources.items()}
    targets = _distinct(targets, sources)
    jobs = [Job(source, target, sources[source], _is_slide(source)) for source, target in targets.items()]
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


def may_be_picture(path: Path) -> bool:
    """Tell a picture by its suffix, or DICOM without one by its first bytes; slides are none.

    Parameters
    ----------
    path : Path
        Of a file that is there.
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    return bool(_NO_SUFFIX.fullmatch(path.name) and path.name != _DICOM_DIRECTORY and starts_as_dicom(path))


def picture_stem(path: Path) -> str:
    """Return the name of a picture without its suffix; what follows the last dot of a UID is none.

    Examples
    --------
    >>> picture_stem(Path("a.ome.tif")), picture_stem(Path("1.2.840.113"))
    ('a', '1.2.840.113')
    """
    return path.name if _NO_SUFFIX.fullmatch(path.name) else full_stem(path)


def _is_slide(path: Path) -> bool:
    return path.suffix.lower() in SLIDE_SUFFIXES


def _renamed(source: Path, place: Path, suffix: str | None) -> Path:
    """Give a file the suffix of its target."""
    if _is_slide(place):
        return place.with_suffix(".ome.tif" if suffix in _TIFF_SUFFIXES else ".ome.zarr")
    if _NO_SUFFIX.fullmatch(place.name):
        usual = ".dcm" if starts_as_dicom(source) else ".png"
    else:
        usual = _USUAL_SUFFIXES.get(full_suffix(place), ".png")
    return place.with_name(picture_stem(place) + (suffix or usual))


def _is_single_file(name: FilePath) -> bool:
    return not Path(name).is_dir() and (Path(name).exists() or not _WILDCARDS & set(str(name)))


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
    if len(inputs) != 1 or not _is_single_file(inputs[0]):
        raise ValueError(f"{output} names one file, and the input may be several; name a folder")
    return Path(inputs[0])


def _find_sources(inputs: Sequence[FilePath], output: Path) -> tuple[dict[Path, Path], list[Path]]:
    """Map each file to its place below the output, every file once; list pictures that are not read."""
    keep_names = sum(Path(name).is_dir() for name in inputs) > 1
    sources: dict[Path, Path] = {}
    unread: list[Path] = []
    known: set[Path] = set()
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            root = Path(os.path.abspath(path)).name if keep_names else ""
            below = list(_files_below(path, output))
            found = {file: root / file.relative_to(path) for file in below if _is_wanted(file)}
            unread += (file for file in below if file.suffix.lower() in _UNREAD_SUFFIXES)
        elif _is_single_file(name):
            found = {path: Path(path.name)}
        else:
            base = _fixed_part(path)
            found = {file: file.relative_to(base) for file in _matches(path, base, output)}
        for file, place in found.items():
            if file.absolute() not in known:
                known.add(file.absolute())
                sources[file] = place
    return sources, unread


def _is_wanted(path: Path) -> bool:
    return _is_slide(path) or may_be_picture(path)


def _files_below(folder: Path, output: Path) -> Iterator[Path]:
    """Walk in a stable order; hidden files and the output folder itself are left out."""
    inside = identity(output)
    for root, folders, names in os.walk(folder, onerror=warn_of_folder):
        here = Path(root)
        folders[:] = sorted(
            name for name in folders if _may_hold_pictures(name) and identity(here / name) != inside
        )
        for name in sorted(names):
            if not name.startswith("."):
                yield here / name


def _may_hold_pictures(folder: str) -> bool:
    return not (folder.startswith(".") or folder.lower().endswith(_NO_FOLDERS_OF_PICTURES))


def _matches(pattern: Path, base: Path, output: Path) -> Iterator[Path]:
    # Unlike the module glob, pathlib follows no links below "**", which may lead round and round.
    wanted = pattern.relative_to(base)
    hidden = any(part.startswith(".") for part in wanted.parts)
    inside = identity(output)
    for path in sorted(base.glob(str(wanted))):
        place = path.relative_to(base)
        shown = hidden or not any(part.startswith(".") for part in place.parts)
        shown = shown and not any(part.lower().endswith(_NO_FOLDERS_OF_PICTURES) for part in place.parts[:-1])
        shown = shown and not any(identity(base / folder) == inside for folder in list(place.parents)[:-1])
        if shown and path.suffix.lower() in _WANTED_SUFFIXES and path.is_file():
            yield path


def _fixed_part(pattern: Path) -> Path:
    fixed = []
    for part in pattern.parts[:-1]:
        if _WILDCARDS & set(part):
            break
        fixed.append(part)
    return Path(*fixed)


def warn_of_folder(error: OSError) -> None:
    """Warn of a folder that :func:`os.walk` cannot list."""
    warnings.warn(
        f"{error.filename} cannot be listed ({error.strerror}); nothing in it is found",
        UserWarning,
        stacklevel=2,
    )


def identity(path: Path) -> str:
    """Return the one name of a file or folder, whatever way leads to it."""
    return os.path.realpath(path)
