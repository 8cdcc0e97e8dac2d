"""The sources that a run is trained on, and how often the pictures of each are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from napari_deartifact.training.data import Pictures, find_in_each, in_order, list_sources, name_sources
from napari_deartifact.training.data_loading import Found
from napari_deartifact.training.data_pictures import Picture, PictureSet


@dataclass(frozen=True)
class Sources:
    """Where the pictures of a run come from.

    Attributes
    ----------
    names : tuple of str
        What each source is called.
    found : tuple of list of Path, Picture or Planes
        What each gave; no file is in two.
    shares : tuple of float, optional
        Of the patches; without them all pixels count alike.
    """

    names: tuple[str, ...]
    found: tuple[list[Found], ...]
    shares: tuple[float, ...] | None = None

    @classmethod
    def of(cls, data: Pictures, shares: Sequence[float] | None = None) -> Sources:
        """Look for pictures in what :func:`~napari_deartifact.training.train` was given.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            As :func:`~napari_deartifact.training.data.find_pictures`, and for shares that are not one
            positive number for each source.
        """
        data = list_sources(data)
        names = tuple(name_sources(data))
        checked = None if shares is None else checked_shares(shares, len(names))
        return cls(names, tuple(find_in_each(data)), checked)

    @property
    def entries(self) -> list[Found]:
        """All that was found, in an order of its own."""
        return in_order(self.found)

    def split(
        self, pictures: PictureSet, fraction: float, seed: int
    ) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
        """Part pictures into those for training and those for validation, as `PictureSet.split` does.

        With shares each source is parted on its own, and its pictures are weighed.

        Raises
        ------
        ValueError
            When a source that is to have a share has no picture to train on.
        """
        if self.shares is None:
            return pictures.split(fraction, seed)
        number = _numbers(self.found)
        groups: list[list[Picture]] = [[] for _ in self.names]
        for picture in pictures.pictures:
            groups[number[picture.file]].append(picture)
        parts = [PictureSet(tuple(group)).split(fraction, seed) if group else ((), ()) for group in groups]
        training = chain.from_iterable(side for side, _ in parts)
        in_turn = chain.from_iterable(zip_longest(*(side for _, side in parts)))
        weighed = share_out(tuple(training), list(zip(self.names, self.found, strict=True)), self.shares)
        return weighed, tuple(picture for picture in in_turn if picture is not None)

    def told(self) -> list[dict[str, Any]] | None:
        """Name the shares for a model's card."""
        if self.shares is None:
            return None
        return [{"name": name, "share": share} for name, share in zip(self.names, self.shares, strict=True)]


def checked_shares(shares: Sequence[float], count: int) -> tuple[float, ...]:
    """Return the shares of `count` sources as floats.

    Raises
    ------
    ValueError
        When they are not as many, one is not above 0, or not a number.
    """
    if len(shares) != count:
        raise ValueError(f"shares has {len(shares)} numbers for {count} sources of pictures; give as many")
    for share in shares:
        if not 0 < share < float("inf"):
            raise ValueError(f"shares has {share}; expected numbers above 0, and leave out what is to have 0")
    return tuple(map(float, shares))


def share_out(
    pictures: Sequence[Picture], sources: Sequence[tuple[str, Sequence[Found]]], shares: Sequence[float]
) -> tuple[Picture, ...]:
    """Weigh pictures so that those of each source get its share of the patches, whatever their size.

    Parameters
    ----------
    pictures : sequence of Picture
        Those to train on.
    sources : sequence of (str, sequence of Path, Picture or Planes)
        What each is called, and what was found there.
    shares : sequence of float
        One for each source, in any unit.

    Returns
    -------
    tuple of Picture

    Raises
    ------
    ValueError
        When a source has no picture among these.

    Examples
    --------
    >>> pixels = np.zeros((8, 8), np.uint8)
    >>> pictures = [Picture("a", pixels), Picture("b", pixels), Picture("c", pixels)]
    >>> sources = [("few", pictures[:1]), ("many", pictures[1:])]
    >>> [picture.weight for picture in share_out(pictures, sources, (3, 1))]
    [2.25, 0.375, 0.375]
    """
    number = _numbers([found for _, found in sources])
    mine = np.array([number[picture.file] for picture in pictures])
    areas = np.array([picture.area * picture.weight for picture in pictures], np.float64)
    held = np.bincount(mine, areas, minlength=len(sources))
    for (name, _), area, share in zip(sources, held, shares, strict=True):
        if not area:
            raise ValueError(
                f"no picture of {name} is left to train on, which is to have a share of {share:g}: none can "
                "be used, or all belong to a source that was named before; name it first, or leave it out"
            )
    weights = np.asarray(shares) / sum(shares) * areas.sum() / held
    return tuple(
        replace(picture, weight=picture.weight * float(weights[source]))
        for picture, source in zip(pictures, mine, strict=True)
    )


def _numbers(found: Sequence[Sequence[Found]]) -> dict[str, int]:
    """Return the number of the source that each file is from."""
    return {_file(entry): index for index, part in enumerate(found) for entry in part}


def _file(entry: Found) -> str:
    return str(entry) if isinstance(entry, Path) else entry.file
