"""Chroma subsampling: the factors that a JPEG stores, and the names that people use."""

from __future__ import annotations

import math
from collections.abc import Sequence

SamplingFactors = tuple[tuple[int, int], ...]

_NAMES: dict[SamplingFactors, str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
    ((1, 2), (1, 1), (1, 1)): "4:4:0",
    ((4, 1), (1, 1), (1, 1)): "4:1:1",
}
_FACTORS = {name: factors for factors, name in _NAMES.items()}


def sampling_factors(name: str) -> SamplingFactors:
    """Return the horizontal and vertical factor of each component.

    Raises
    ------
    ValueError
        For a name that is not known.

    Examples
    --------
    >>> sampling_factors("4:2:0")
    ((2, 2), (1, 1), (1, 1))
    """
    if name not in _FACTORS:
        raise ValueError(f"subsampling is {name!r}; expected one of {', '.join(_FACTORS)}")
    return _FACTORS[name]


def subsampling_name(sampling: Sequence[tuple[int, int]]) -> str:
    """Return the usual name of sampling factors, or the factors themselves.

    Examples
    --------
    >>> subsampling_name(((2, 2), (2, 1), (2, 1))), subsampling_name(((1, 1),))
    ('4:4:0', 'grey')
    """
    if len(sampling) == 1:
        return "grey"
    horizontal = math.gcd(*(factor for factor, _ in sampling))
    vertical = math.gcd(*(factor for _, factor in sampling))
    reduced = tuple((h // horizontal, v // vertical) for h, v in sampling)
    return _NAMES.get(reduced, ",".join(f"{h}x{v}" for h, v in reduced))


def sampling_ratios(sampling: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return by how much each component is downsampled, (vertical, horizontal).

    Parameters
    ----------
    sampling : sequence of (int, int)
        Horizontal and vertical sampling factors, as a JPEG's header has them.

    Examples
    --------
    >>> sampling_ratios([(2, 2), (1, 1), (1, 1)])
    [(1, 1), (2, 2), (2, 2)]
    """
    most_h, most_v = (max(factor) for factor in zip(*sampling, strict=True))
    return [(most_v // v, most_h // h) for h, v in sampling]
