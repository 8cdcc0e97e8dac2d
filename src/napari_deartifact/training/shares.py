"""How often the pictures of each source are drawn, where that is not to follow from their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_deartifact.training.data_loading import Found
from napari_deartifact.training.data_pictures import Picture


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
    number = {_file(entry): index for index, (_, found) in enumerate(sources) for entry in found}
    mine = np.array([number[picture.file] for picture in pictures])
    areas = np.array([picture.area for picture in pictures], np.float64)
    held = np.bincount(mine, areas, minlength=len(sources))
    for (name, _), area, share in zip(sources, held, shares, strict=True):
        if not area:
            raise ValueError(
                f"no picture of {name} is left to train on, which is to have a share of {share:g}; "
                "give more of them, or leave it out"
            )
    weights = np.asarray(shares) / sum(shares) * areas.sum() / held
    return tuple(
        replace(picture, weight=float(weights[source]))
        for picture, source in zip(pictures, mine, strict=True)
    )


def _file(entry: Found) -> str:
    return str(entry) if isinstance(entry, Path) else entry.file
