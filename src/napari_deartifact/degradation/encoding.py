"""One pass through a codec, and several: what happened to a picture on its way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation.codecs import find_codec
from napari_deartifact.degradation.jpeg import jpeg_round_trip

MCU = 16
"""The largest period of a JPEG's block grid in pixels, that of 4:2:0."""


@dataclass(frozen=True)
class Encoding:
    """One pass through a codec.

    Attributes
    ----------
    quality : int
        In the codec's own range; 1 to 100 for JPEG.
    subsampling : str
        One of `SUBSAMPLINGS`; no matter in grey, and in codecs other than JPEG.
    phase : (int, int)
        Rows and columns cut off the decoded picture's top and left, 0 to 15: where in its block
        the first pixel lies that is kept.
    codec : str
        A key of `RECIPE_CODECS`.
    tables : tuple of tuple of int, optional
        Quantization tables of a JPEG in place of those of its quality.
    """

    quality: int
    subsampling: str = "4:2:0"
    phase: tuple[int, int] = (0, 0)
    codec: str = "jpeg"
    tables: tuple[tuple[int, ...], ...] | None = None

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Degrade a picture; the result is `MCU` pixels smaller along Y and X."""
        if self.codec == "jpeg":
            return self.crop(
                jpeg_round_trip(image, self.quality, subsampling=self.subsampling, tables=self.tables)
            )
        return self.crop(find_codec(self.codec).round_trip(image, self.quality))

    def crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut what `apply` cuts off, and nothing else."""
        y, x = self.phase
        return image[y : image.shape[0] - MCU + y, x : image.shape[1] - MCU + x]


@dataclass(frozen=True)
class Degradation:
    """What happened to a picture on its way: no codec, one, or one after another.

    A second pass with another phase is the shifted double JPEG of a picture that was cropped
    between two editors.

    Attributes
    ----------
    encodings : tuple of Encoding
        In the order of time; none for a picture that stays as it is.

    Examples
    --------
    >>> degradation = Degradation((Encoding(10, phase=(3, 5)), Encoding(75)))
    >>> clean, degraded = degradation.apply(np.zeros((96, 128), np.uint8))
    >>> degradation.margin, clean.shape, degraded.shape
    (32, (64, 96), (64, 96))
    """

    encodings: tuple[Encoding, ...] = ()

    @property
    def margin(self) -> int:
        """Pixels along Y and X that :meth:`apply` cuts off in all."""
        return MCU * len(self.encodings)

    def apply(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Degrade a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (Y, X) or (Y, X, 3)
            More than :attr:`margin` pixels along Y and X.

        Returns
        -------
        clean, degraded : ndarray of uint8
            The same pixels before and after, :attr:`margin` smaller than `image`.

        Raises
        ------
        ValueError
            When `image` is too small for the margin.
        """
        if min(image.shape[:2]) <= self.margin:
            raise ValueError(f"image has shape {image.shape}; expected more than {self.margin} pixels a side")
        clean = degraded = image
        for encoding in self.encodings:
            clean, degraded = encoding.crop(clean), encoding.apply(degraded)
        return clean, degraded
