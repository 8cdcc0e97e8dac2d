"""Degradations drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_deartifact.degradation.encoding import MCU, Degradation, Encoding
from napari_deartifact.degradation.tables import find_tables
from napari_deartifact.jpeg.tables import scale_table

EARLIER_UNALIGNED = 0.5


@dataclass(frozen=True)
class DegradationSampler:
    """Draws degradations at random.

    Attributes
    ----------
    qualities : tuple of (int, int, float)
        Lowest and highest JPEG quality of a range, and its weight among all the ranges.
    subsamplings : tuple of str
        Drawn with equal chance.
    double_fraction : float
        Share of the compressed pictures that were compressed twice, each time drawn anew.
    clean_fraction : float
        Share of the pictures that were never compressed.
    unaligned_fraction : float
        Share of the compressed pictures whose block grid may start anywhere; that of all others starts
        at the first pixel, as restored pictures are laid.  The grid of an earlier compression starts
        anywhere in half of them.
    codecs : tuple of (str, int, int, float)
        A codec's name, its lowest and highest quality, and the weight of this range among all
        the ranges, those of `qualities` included.
    tables : tuple of str
        Kinds of quantization tables, as `find_tables` knows them, drawn with equal chance.
    """

    qualities: tuple[tuple[int, int, float], ...] = ((5, 95, 1.0),)
    subsamplings: tuple[str, ...] = ("4:2:0",)
    double_fraction: float = 0.0
    clean_fraction: float = 0.0
    unaligned_fraction: float = 0.1
    codecs: tuple[tuple[str, int, int, float], ...] = ()
    tables: tuple[str, ...] = ("annex-k",)

    @property
    def margin(self) -> int:
        """The largest margin of a degradation that can be drawn, in pixels."""
        return MCU * (2 if self.double_fraction > 0 else 1)

    def sample(self, generator: np.random.Generator) -> Degradation:
        """Draw a degradation.

        Examples
        --------
        >>> sampler = DegradationSampler(qualities=((30, 30, 1.0),), unaligned_fraction=0)
        >>> sampler.sample(np.random.default_rng(0)).encodings[0].quality
        30
        """
        if generator.random() < self.clean_fraction:
            return Degradation()
        last = self._encoding(generator, self.unaligned_fraction)
        if generator.random() >= self.double_fraction:
            return Degradation((last,))
        return Degradation((self._encoding(generator, EARLIER_UNALIGNED), last))

    def _encoding(self, generator: np.random.Generator, unaligned: float) -> Encoding:
        ranges = [("jpeg", *entry) for entry in self.qualities] + list(self.codecs)
        weights = np.array([weight for *_, weight in ranges])
        codec, low, high, _ = ranges[generator.choice(len(weights), p=weights / weights.sum())]
        quality = int(generator.integers(low, high, endpoint=True))
        subsampling = self.subsamplings[generator.integers(len(self.subsamplings))]
        y, x = generator.integers(MCU, size=2) if generator.random() < unaligned else (0, 0)
        tables = self._tables(generator, quality) if self.tables != ("annex-k",) else None
        return Encoding(quality, subsampling, (int(y), int(x)), codec, tables)

    def _tables(self, generator: np.random.Generator, quality: int) -> tuple[tuple[int, ...], ...]:
        kind = find_tables(self.tables[generator.integers(len(self.tables))])
        luma, chroma = scale_table(kind[generator.integers(len(kind))], quality).reshape(2, 64).tolist()
        return tuple(luma), tuple(chroma)
