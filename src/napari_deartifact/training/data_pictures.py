"""Clean pictures in memory, and what is told of those that are not there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

_LEAST_STRIP = 64
"""Pixels that are kept for validation when there is one file only, of pictures four times as long."""


@dataclass(frozen=True)
class Picture:
    """A clean picture.

    Attributes
    ----------
    name : str
        The file's name; of a file with several planes with the plane's number behind it, from 0 on:
        ``stack.tif#3``.
    pixels : ndarray of uint8, shape (Y, X) or (Y, X, 3)
    file : str
        What it shares with the other planes of its file: the path.  By default the name without the
        plane's number.
    weight : float
        How often a patch of it is drawn against one, as large, of a picture of weight 1.
    """

    name: str
    pixels: NDArray[np.uint8]
    file: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.file:
            object.__setattr__(self, "file", self.name.rsplit("#", 1)[0])

    @property
    def area(self) -> int:
        """Pixels that it has."""
        return math.prod(self.pixels.shape[:2])


@dataclass(frozen=True)
class PictureSet:
    """The pictures that can be used, and what became of the rest.

    Attributes
    ----------
    pictures : tuple of Picture
    skipped : dict of str to str
        Why each file that could not be read was left out.
    left_out : int
        Readable files that did not fit in the memory budget, wholly or in part.
    poisoned : dict of str to str
        Why each file that was compressed with loss before was left out: it would teach a network that
        blocks belong to clean pictures.
    small : tuple of str
        Names of the pictures that are smaller than a patch, and are continued by reflection.
    blank : int
        Planes left out because all their pixels are the same, or hardly any is a number.
    """

    pictures: tuple[Picture, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    poisoned: dict[str, str] = field(default_factory=dict)
    small: tuple[str, ...] = ()
    blank: int = 0

    def split(self, fraction: float, seed: int) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
        """Part the pictures, by file, into those for training and those for validation.

        All planes of a file go to one side.  Which file goes where depends on the seed and on the
        files' names, not on their order.  When there is one file only, the end of each of its planes,
        along their longer side, is kept for validation, the same part of all.

        Parameters
        ----------
        fraction : float
            Share of the files for validation; at least one file when it is above 0 and there
            are two or more.
        seed : int

        Returns
        -------
        training, validation : tuple of Picture

        Examples
        --------
        >>> pixels = np.zeros((64, 64), np.uint8)
        >>> planes = [Picture(f"{file}.tif#{z}", pixels) for file in "abc" for z in (0, 1)]
        >>> training, validation = PictureSet(tuple(planes)).split(0.3, seed=0)
        >>> len({picture.file for picture in training}), len({picture.file for picture in validation})
        (2, 1)
        """
        by_file: dict[str, list[Picture]] = {}
        for picture in sorted(self.pictures, key=_order):
            by_file.setdefault(picture.file, []).append(picture)
        files = sorted(by_file, key=lambda file: (_order(by_file[file][0]), file))
        if len(files) == 1 and fraction > 0:
            return _split_in_space(by_file[files[0]], fraction)
        count = round(fraction * len(files))
        if fraction > 0 and len(files) > 1:
            count = max(count, 1)
        chosen = set(np.random.default_rng(seed).permutation(len(files))[:count].tolist())
        sides: tuple[list[Picture], list[Picture]] = ([], [])
        for index, file in enumerate(files):
            sides[index in chosen].extend(by_file[file])
        return tuple(sides[0]), tuple(sides[1])

    def summary(self) -> str:
        """Say in a line how many pictures there are, and how many are not there for which reason.

        Examples
        --------
        >>> picture = Picture("a.png", np.zeros((8, 8), np.uint8))
        >>> PictureSet((picture,), left_out=2, small=("a.png",)).summary()
        '1 picture of 1 file; 2 files beyond memory; 1 picture smaller than a patch'
        """
        files = len({picture.file for picture in self.pictures})
        parts = [f"{_count(len(self.pictures), 'picture')} of {_count(files, 'file')}"]
        for number, thing, what in (
            (len(self.skipped), "file", "unreadable"),
            (len(self.poisoned), "file", "compressed before"),
            (self.left_out, "file", "beyond memory"),
            (self.blank, "plane", "blank"),
            (len(self.small), "picture", "smaller than a patch"),
        ):
            if number:
                parts.append(f"{_count(number, thing)} {what}")
        return "; ".join(parts)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _order(picture: Picture) -> tuple[str, int, str]:
    """Sort by name, and planes by number."""
    name, _, plane = picture.name.rpartition("#")
    return (name, int(plane), "") if name and plane.isdecimal() else (picture.name, -1, "")


def _split_in_space(
    pictures: Sequence[Picture], fraction: float
) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    training, validation = [], []
    for picture in pictures:
        axis = int(np.argmax(picture.pixels.shape[:2]))
        length = picture.pixels.shape[axis]
        end = max(round(fraction * length), min(_LEAST_STRIP, length // 4))
        first, last = np.split(picture.pixels, [length - end], axis=axis)
        training.append(replace(picture, pixels=first))
        if end:
            validation.append(replace(picture, pixels=last))
    return tuple(training), tuple(validation)
