"""The pictures of many files, read a few at once within a budget of memory, and what became of each file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from napari_deartifact.history import CLEAN_QUALITY
from napari_deartifact.training.data_history import PoisonedDataError, compressed_before
from napari_deartifact.training.data_pictures import Picture, PictureSet
from napari_deartifact.training.data_planes import Planes, opened_planes, planes_of_array
from napari_deartifact.training.data_window import Windows, is_blank
from napari_deartifact.warned import kept_warnings

Found = Path | Picture | Planes
Poisoned = Literal["skip", "refuse", "keep"]

MOST_READERS = 4
"""Files read at once; also the fewest that share the memory budget."""
READ_WHOLE = 2**28
"""Bytes up to which a file is read at once."""


@dataclass
class Reading:
    """What a file gave.

    Attributes
    ----------
    pictures : list of Picture
    complete : bool
        Whether these and the blank ones are all its planes.
    blank : int
        Planes that show nothing.
    poisoned, error : str, optional
        Why there are none.
    """

    pictures: list[Picture]
    complete: bool = True
    blank: int = 0
    poisoned: str | None = None
    error: str | None = None


class Loading:
    """What was read up to now, within a budget of memory.

    Parameters
    ----------
    memory : int
        The budget in bytes.
    count : int
        Files that share it: none gets more than a fourth of it, or its equal share if they are fewer.
    """

    def __init__(self, memory: int, count: int) -> None:
        self.memory = memory
        self.count = count
        self.share = memory // max(min(count, MOST_READERS), 1)
        self.used = 0
        self.left_out = 0
        self.blank = 0
        self.pictures: list[Picture] = []
        self.skipped: dict[str, str] = {}
        self.poisoned: dict[str, str] = {}

    @property
    def room(self) -> int:
        """Bytes that are left."""
        return self.memory - self.used

    def add(self, entry: Found, reading: Reading) -> None:
        """Take what fits."""
        if reading.error is not None:
            self.skipped[_place(entry)] = reading.error
            return
        if reading.poisoned is not None:
            self.poisoned[_place(entry)] = reading.poisoned
            return
        self.blank += reading.blank
        fitting = _fitting(reading.pictures, self.room, self.share)
        if isinstance(entry, Picture):
            fitting = [replace(picture, weight=entry.weight) for picture in fitting]
        self.used += sum(picture.pixels.nbytes for picture in fitting)
        self.pictures += fitting
        self.left_out += not reading.complete or len(fitting) < len(reading.pictures)

    def result(self, *, refuse: bool, patch_size: int) -> PictureSet:
        """Give all, or say why there is nothing to be used; errors are those of `load_pictures`."""
        if self.poisoned and (refuse or not self.pictures):
            raise PoisonedDataError(_poisoned_message(self.poisoned, self.count), self.poisoned)
        if not self.pictures:
            raise ValueError(self._nothing())
        sides = [min(picture.pixels.shape[:2]) for picture in self.pictures]
        if 2 * max(sides) < patch_size:
            raise ValueError(
                f"all pictures are smaller than half a patch: {max(sides)} pixels at most, where a patch "
                f"has {patch_size}; give larger pictures, or lower data.patch_size in the recipe"
            )
        names = [picture.name for picture in self.pictures]
        small = tuple(name for name, side in zip(names, sides, strict=True) if side < patch_size)
        return PictureSet(tuple(self.pictures), self.skipped, self.left_out, self.poisoned, small, self.blank)

    def _nothing(self) -> str:
        parts = [f"none of {self.count} files could be {'read' if self.skipped else 'used'}"]
        if self.skipped:
            parts.append("{}: {}".format(*next(iter(self.skipped.items()))))
        if self.left_out:
            parts.append(f"{self.left_out} need more than the {self.memory} bytes of memory allowed")
        if self.blank:
            parts.append(f"{self.blank} planes show nothing")
        return "; ".join(parts)


def read_ahead(
    entries: Sequence[Found], loading: Loading, seed: int, look: bool
) -> Iterator[tuple[Found, Reading]]:
    """Read a few files at once, and give them in their order.

    Parameters
    ----------
    entries : sequence of Path, Picture or Planes
    loading : Loading
        To which the caller adds each reading before it asks for the next.
    seed : int
        Of the choice of planes.
    look : bool
        Whether to look for traces of an earlier compression.

    Yields
    ------
    entry, reading
    """
    readers = min(os.cpu_count() or 1, MOST_READERS)
    waiting: deque[tuple[Found, Future[Reading]]] = deque()
    pool = ThreadPoolExecutor(readers, thread_name_prefix="pictures")
    try:
        for number, entry in enumerate(entries):
            if loading.room <= 0:
                waiting.append((entry, _done(Reading([], complete=False))))
            else:
                rng = np.random.default_rng([seed, number])
                task = pool.submit(_read, entry, loading.share, rng, look)
                waiting.append((entry, task))
            if len(waiting) > readers:
                first, reading = waiting.popleft()
                yield first, reading.result()
        while waiting:
            first, reading = waiting.popleft()
            yield first, reading.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _done(reading: Reading) -> Future[Reading]:
    future: Future[Reading] = Future()
    future.set_result(reading)
    return future


def _read(entry: Found, share: int, rng: np.random.Generator, look: bool) -> Reading:
    """Read the planes of a file, as many as are its share."""
    try:
        with kept_warnings(), _opened(entry) as planes:
            reason = compressed_before(planes) if look else None
            return Reading([], poisoned=reason) if reason else _read_planes(planes, share, rng)
    except Exception as error:  # noqa: BLE001 (codecs raise anything; the file is reported and counted)
        return Reading([], error=f"{type(error).__name__}: {error}")


def _read_planes(planes: Planes, share: int, rng: np.random.Generator) -> Reading:
    """Read planes in random order, until they are the file's share, and give them in their own."""
    windows = Windows.of(planes)
    most = max(share // planes.nbytes, 1)
    pictures: dict[int, Picture] = {}
    blank = 0
    for number in rng.permutation(len(planes)).tolist():
        if len(pictures) == most:
            break
        plane = planes.read(number)
        if is_blank(plane):
            blank += 1
        else:
            pictures[number] = windows.picture(number, plane)
    complete = len(pictures) + blank == len(planes)
    return Reading([pictures[number] for number in sorted(pictures)], complete, blank)


def _fitting(pictures: list[Picture], room: int, share: int) -> list[Picture]:
    """Return as many planes of a file as fit, evenly chosen."""
    if not pictures:
        return []
    size = max(picture.pixels.nbytes for picture in pictures)
    most = min(max(share // size, 1), room // size, len(pictures))
    return [pictures[index * len(pictures) // most] for index in range(most)]


@contextmanager
def _opened(entry: Found) -> Iterator[Planes]:
    if isinstance(entry, Planes):
        yield entry
    elif isinstance(entry, Picture):
        yield replace(planes_of_array(entry.pixels, entry.name, rgb=entry.pixels.ndim == 3), file=entry.file)
    else:
        with opened_planes(entry, READ_WHOLE) as planes:
            yield planes


def _place(entry: Found) -> str:
    return str(entry) if isinstance(entry, Path) else entry.name


def _poisoned_message(poisoned: dict[str, str], count: int) -> str:
    shown = [f"{name}: {reason}" for name, reason in list(poisoned.items())[:3]]
    more = [f"and {len(poisoned) - 3} more"] if len(poisoned) > 3 else []
    return (
        f"{len(poisoned)} of {count} files were compressed with loss before, and would teach a network that "
        f"blocks belong to clean pictures ({'; '.join(shown + more)}); give originals of lossless formats or "
        f'JPEGs of quality {CLEAN_QUALITY} or more, or train on them all the same with poisoned="keep" '
        "(--keep-jpegs)"
    )
