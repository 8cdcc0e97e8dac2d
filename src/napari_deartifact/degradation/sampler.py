"""Degradations drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_deartifact.degradation.encoding import MCU, Degradation, Encoding


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
    random_phase : bool
        Whether the block grid may start anywhere; at the first pixel otherwise.
    codecs : tuple of (str, int, int, float)
        A codec's name, its lowest and highest quality, and the weight of this range among all
        the ranges, those of `qualities` included.
    """

    qualities: tuple[tuple[int, int, float], ...] = ((5, 95, 1.0),)
    subsamplings: tuple[str, ...] = ("4:2:0",)
    double_fraction: float = 0.0
    clean_fraction: float = 0.0
    random_phase: bool = True
    codecs: tuple[tuple[str, int, int, float], ...] = ()

    @property
    def margin(self) -> int:
        """The largest margin of a degradation that can be drawn, in pixels."""
        return MCU * (2 if self.double_fraction > 0 else 1)

    def sample(self, generator: np.random.Generator) -> Degradation:
        """Draw a degradation.

        Examples
        --------
        >>> sampler = DegradationSampler(qualities=((30, 30, 1.0),), random_phase=False)
        >>> sampler.sample(np.random.default_rng(0)).encodings[0].quality
        30
        """
        if generator.random() < self.clean_fraction:
            return Degradation()
        count = 2 if generator.random() < self.double_fraction else 1
        return Degradation(tuple(self._encoding(generator) for _ in range(count)))

    def _encoding(self, generator: np.random.Generator) -> Encoding:
        ranges = [("jpeg", *entry) for entry in self.qualities] + list(self.codecs)
        weights = np.array([weight for *_, weight in ranges])
        codec, low, high, _ = ranges[generator.choice(len(weights), p=weights / weights.sum())]
        quality = int(generator.integers(low, high, endpoint=True))
        subsampling = self.subsamplings[generator.integers(len(self.subsamplings))]
        y, x = generator.integers(MCU, size=2) if self.random_phase else (0, 0)
        return Encoding(quality, subsampling, (int(y), int(x)), codec)
