"""Which files are meant by the names of files and folders, and by patterns."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_deartifact.files.read import SUFFIXES
from napari_deartifact.files.signatures import starts_as_dicom
from napari_deartifact.files.suffixes import has_no_suffix
from napari_deartifact.messages import printable

SLIDE_SUFFIXES = frozenset({".svs", ".ndpi"})
"""Of the files that in folders are taken for slides; TIFF and DICOM stay what they are, tiled or not."""
WANTED_SUFFIXES = SUFFIXES | SLIDE_SUFFIXES
UNREAD_SUFFIXES = frozenset((
    ".gif", ".jp2", ".j2k", ".jxl", ".avif", ".heic", ".heif", ".czi", ".nd2", ".lif", ".tga", ".ppm", ".pgm",
    ".exr", ".psd", ".dng", ".nii",
))  # fmt: skip
"""Of pictures that are not read; a folder that holds some is said to."""
# Slides that were restored, and the work on them.
_NO_FOLDERS_OF_PICTURES = (".zarr", ".zarr.part", ".tif.part", ".tiff.part")
_DICOM_DIRECTORY = "DICOMDIR"
_WILDCARDS = frozenset("*?[")
_MOST_NAMED = 3

FilePath = str | os.PathLike[str]


class UnlistedFolderWarning(UserWarning):
    """A folder cannot be listed, so that nothing in it is found."""


def may_be_picture(path: Path) -> bool:
    """Tell a picture by its suffix, or DICOM without one by its first bytes; slides are none.

    Parameters
    ----------
    path : Path
        Of a file that is there.
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    return has_no_suffix(path) and path.name != _DICOM_DIRECTORY and starts_as_dicom(path)


def is_slide(path: Path) -> bool:
    """Tell a slide by its suffix."""
    return path.suffix.lower() in SLIDE_SUFFIXES


def is_single_file(name: FilePath) -> bool:
    """Tell the name of a file from that of a folder and from a pattern."""
    # What lies in a folder that is closed to us is one too, and fails for itself.
    return not os.path.isdir(name) and (os.path.lexists(name) or not _WILDCARDS & set(str(name)))


def find_sources(inputs: Sequence[FilePath], output: Path | None = None) -> dict[Path, Path]:
    """Map each file to its place below the output, every file once.

    Parameters
    ----------
    inputs : sequence of path
        Files, folders and patterns.
    output : Path, optional
        What lies in this folder is none of them.

    Raises
    ------
    ValueError
        When there are none.

    Warns
    -----
    UserWarning
        When folders hold pictures of kinds that are not read.
    UnlistedFolderWarning
        When folders cannot be listed.
    """
    keep_names = sum(map(os.path.isdir, inputs)) > 1
    sources: dict[Path, Path] = {}
    unread: list[Path] = []
    known: set[Path] = set()
    for name in inputs:
        path = Path(name)
        if os.path.isdir(path):
            root = Path(os.path.abspath(path)).name if keep_names else ""
            below = list(_files_below(path, output))
            found = {file: root / file.relative_to(path) for file in below if _is_wanted(file)}
            unread += (file for file in below if file.suffix.lower() in UNREAD_SUFFIXES)
        elif is_single_file(name):
            found = {path: Path(path.name)}
        else:
            base = _fixed_part(path)
            found = {file: file.relative_to(base) for file in _matches(path, base, output)}
        for file, place in found.items():
            if file.absolute() not in known:
                known.add(file.absolute())
                sources[file] = place
    if unread:
        _warn_of_unread(unread)
    if not sources:
        raise ValueError(
            f"no picture found in {', '.join(map(str, inputs)) or 'an empty list'}; "
            f"expected files such as {', '.join(sorted(WANTED_SUFFIXES))}"
        )
    return sources


def _warn_of_unread(paths: Sequence[Path]) -> None:
    named = ", ".join(printable(str(path)) for path in paths[:_MOST_NAMED])
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    warnings.warn(
        f"{named}{more} left out: pictures of this kind are not read; save them as TIFF or PNG",
        UserWarning,
        stacklevel=4,
    )


def _is_wanted(path: Path) -> bool:
    return is_slide(path) or may_be_picture(path)


def _files_below(folder: Path, output: Path | None) -> Iterator[Path]:
    """Walk in a stable order; hidden files and the output folder itself are left out."""
    inside = None if output is None else identity(output)
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


def _matches(pattern: Path, base: Path, output: Path | None) -> Iterator[Path]:
    # Unlike the module glob, pathlib follows no links below "**", which may lead round and round.
    wanted = pattern.relative_to(base)
    hidden = any(part.startswith(".") for part in wanted.parts)
    inside = None if output is None else identity(output)
    for path in sorted(base.glob(str(wanted))):
        place = path.relative_to(base)
        shown = hidden or not any(part.startswith(".") for part in place.parts)
        shown = shown and not any(part.lower().endswith(_NO_FOLDERS_OF_PICTURES) for part in place.parts[:-1])
        shown = shown and not any(identity(base / folder) == inside for folder in list(place.parents)[:-1])
        if shown and path.suffix.lower() in WANTED_SUFFIXES and path.is_file():
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
        UnlistedFolderWarning,
        stacklevel=2,
    )


def identity(path: Path) -> str:
    """Return the one name of a file or folder, whatever way leads to it."""
    return os.path.realpath(path)
