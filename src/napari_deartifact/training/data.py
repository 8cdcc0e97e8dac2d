"""Files, arrays and layers become clean pictures in memory, each read once."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.read import SUFFIXES
from napari_deartifact.files.sources import may_be_picture, warn_of_folder
from napari_deartifact.training.data_history import PoisonedDataError
from napari_deartifact.training.data_loading import READ_WHOLE, Found, Loading, Poisoned, read_ahead
from napari_deartifact.training.data_pictures import Picture, PictureSet
from napari_deartifact.training.data_planes import Planes, opened_planes, planes_of_array
from napari_deartifact.training.data_window import Windows, is_blank
from napari_deartifact.warned import sorted_warnings

__all__ = [
    "POISONED",
    "Picture",
    "PictureSet",
    "Pictures",
    "Planes",
    "PoisonedDataError",
    "find_in_each",
    "find_pictures",
    "list_sources",
    "load_pictures",
    "name_sources",
    "planes_of_array",
    "read_picture",
    "read_pictures",
]

Source = str | os.PathLike[str] | Picture | Planes | NDArray[Any]
Pictures = Source | Iterable[Source]
POISONED: tuple[Poisoned, ...] = ("skip", "refuse", "keep")


def find_pictures(source: Pictures) -> list[Found]:
    """List image files.

    Parameters
    ----------
    source : path, glob pattern, array, Picture, Planes, or iterable of these
        A folder is searched with all its subfolders, hidden ones aside, for the suffixes that
        :func:`~napari_deartifact.files.read.read_image` knows, and for DICOM files without one, such as
        those named by a UID.  Of an array the last two axes are Y and X, or, if the last one is 3 or 4
        long, Y, X and colours; :func:`~napari_deartifact.training.data_planes.planes_of_array` lets you
        say so.

    Returns
    -------
    list of Path, Picture or Planes
        The paths, sorted, each once; then the others as they come.

    Raises
    ------
    FileNotFoundError
        When a path does not exist or a pattern or folder gives no image file.
    TypeError, ValueError
        For an array that is no picture.

    Warns
    -----
    UnlistedFolderWarning
        When a folder below one of them cannot be listed.
    """
    found = in_order(find_in_each(source))
    if not found:
        raise FileNotFoundError("no pictures are given; expected files, glob patterns, folders or arrays")
    return found


def in_order(found: Iterable[Iterable[Found]]) -> list[Found]:
    """Join what several sources gave: the paths, sorted, then the others as they come."""
    entries = [entry for part in found for entry in part]
    paths = (entry for entry in entries if isinstance(entry, Path))
    return [*sorted(paths), *(entry for entry in entries if not isinstance(entry, Path))]


def find_in_each(source: Pictures) -> list[list[Found]]:
    """Do what :func:`find_pictures` does, with a list for each entry; a file is in the first that names it.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As there, but for no entries at all.
    """
    known: set[Path] = set()
    found: list[list[Found]] = []
    others = 0
    for entry in list_sources(source):
        if isinstance(entry, str | os.PathLike):
            paths = {path.absolute(): path for path in _matches(entry)}
            new = {path: name for path, name in paths.items() if path not in known}
            known |= new.keys()
            found.append(list(new.values()))
            continue
        others += 1
        named = isinstance(entry, Picture | Planes)
        found.append([entry if named else planes_of_array(entry, f"array {others - 1}")])  # type: ignore[list-item]
    return found


def name_sources(source: Pictures) -> list[str]:
    """Name what was given to :func:`find_pictures`, for a model's card.

    Examples
    --------
    >>> name_sources(["images/cells", np.zeros((8, 8), np.uint8)])
    ['cells', 'array']
    """
    names = []
    for entry in list_sources(source):
        if isinstance(entry, str | os.PathLike):
            names.append(Path(os.path.abspath(entry)).name or str(entry))
        else:
            names.append(entry.name if isinstance(entry, Picture | Planes) else "array")
    return names


def read_pictures(path: str | os.PathLike[str]) -> list[Picture]:
    """Read the planes of an image file as pictures of eight bits.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of Picture
        Each slice, time, channel or frame is one; RGB stays RGB, and alpha is left out.  Planes that
        show nothing are missing.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As :func:`~napari_deartifact.files.read.read_image`.

    Notes
    -----
    Unsigned values of eight bits stay as they are.  Others are mapped by a window: its percentiles
    0.1 and 99.9 of a channel, over all planes of the file together, become 0 and 255.  So a dim
    slice stays dim beside a bright one, while the channels, which are as bright as their dyes and
    exposures, do not darken each other.  Signed values, as of CT, need nothing more.  Padding that a
    DICOM file declares is left out of the percentiles, its rescaling does not matter to them, and
    MONOCHROME1 is turned to black zero, as is WhiteIsZero in TIFF.  NaN becomes black.
    """
    with opened_planes(path, READ_WHOLE) as planes:
        windows = Windows.of(planes)
        stored = ((number, planes.read(number)) for number in range(len(planes)))
        return [
            windows.picture(number, plane)
            for number, plane in stored
            if len(planes) == 1 or not is_blank(plane)
        ]


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file of a single plane; see :func:`read_pictures`.

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As :func:`read_pictures`, and ValueError when there are several planes.
    """
    pictures = read_pictures(path)
    if len(pictures) != 1:
        raise ValueError(f"{path} has {len(pictures)} planes; expected one, or use read_pictures")
    return pictures[0].pixels


def load_pictures(
    found: Sequence[Found],
    memory: int = 4 * 2**30,
    seed: int = 0,
    *,
    poisoned: Poisoned = "skip",
    patch_size: int = 0,
) -> PictureSet:
    """Decode pictures into memory.

    Parameters
    ----------
    found : sequence of Path, Picture or Planes
        As :func:`find_pictures` lists them.
    memory : int
        Budget in bytes, for eight bits per sample.  When the pictures need more, those that fit are
        chosen at random, and no file gives more than a fourth of it, or its equal share when there are
        fewer than four.  Files that are being read come on top.
    seed : int
        Of that choice.
    poisoned : {"skip", "refuse", "keep"}
        What to do with pictures that were compressed with loss before, and are no ground truth: leave
        them out, raise, or not even look.  How they are told is said at
        :func:`~napari_deartifact.training.data_history.compressed_before`.
    patch_size : int
        Of the training.  Smaller pictures are counted.

    Returns
    -------
    PictureSet

    Raises
    ------
    ValueError
        When nothing can be used, or all pictures are smaller than half a patch.
    PoisonedDataError
        When all pictures were compressed before, or with ``poisoned="refuse"`` any.
    """
    if poisoned not in POISONED:
        raise ValueError(f"poisoned is {poisoned!r}; expected one of {', '.join(POISONED)}")
    loading = Loading(memory, len(found))
    order = np.random.default_rng(seed).permutation(len(found)).tolist()
    with sorted_warnings():
        entries = [found[index] for index in order]
        for entry, reading in read_ahead(entries, loading, seed, look=poisoned != "keep"):
            loading.add(entry, reading)
            if poisoned == "refuse" and loading.poisoned:
                break
    return loading.result(refuse=poisoned == "refuse", patch_size=patch_size)


def list_sources(source: Pictures) -> list[Source]:
    """Return what :func:`find_pictures` takes as a list, also if it is one thing or can be iterated once."""
    single = isinstance(source, str | os.PathLike | Picture | Planes) or hasattr(source, "dtype")
    return [source] if single else list(source)  # type: ignore[arg-type, list-item]


def _matches(entry: str | os.PathLike[str]) -> list[Path]:
    path = Path(entry)
    if path.is_dir():
        matches = [item for item in _files_below(path) if item.is_file() and may_be_picture(item)]
    elif path.is_file():
        matches = [path]
    else:
        matches = [Path(item) for item in glob.glob(str(entry), recursive=True) if Path(item).is_file()]
    if not matches:
        raise FileNotFoundError(
            f"no image files at {str(entry)!r}; expected a file, a glob pattern or a folder with "
            f"any of {', '.join(sorted(SUFFIXES))}"
        )
    return matches


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=warn_of_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root) / name for name in names if not name.startswith("."))
