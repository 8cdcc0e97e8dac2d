"""What JPEG does to a picture, done by libjpeg itself: the other half of every training pair."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
MCU = 16
"""The largest period of a block grid in pixels, that of 4:2:0."""


def jpeg_encode(
    image: NDArray[np.uint8],
    quality: int | None = None,
    *,
    subsampling: str = "4:2:0",
    tables: Sequence[Sequence[int]] | None = None,
) -> bytes:
    """Compress a picture with libjpeg.

    Parameters
    ----------
    image : ndarray of uint8, shape (Y, X) or (Y, X, 3)
        A grey or an RGB picture.
    quality : int, optional
        1 (coarsest) to 100 (finest); needed when there are no `tables`.
    subsampling : {"4:2:0", "4:2:2", "4:4:4"}
        Of the chroma; no matter in grey.
    tables : sequence of 64 int each, optional
        Quantization tables in natural (row by row) order, luma first, in place of a quality.

    Returns
    -------
    bytes
        A baseline JPEG file.

    Raises
    ------
    TypeError
        When `image` is not uint8.
    ValueError
        For another shape, an empty picture, or a quality, subsampling or table that JPEG
        does not have.

    Examples
    --------
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> jpeg_encode(ramp, 50)[:2].hex()
    'ffd8'
    """
    from PIL import Image

    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise TypeError(f"image is {image.dtype}; JPEG takes uint8, so scale it to 0–255 and convert")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or image.size == 0:
        raise ValueError(f"image has shape {image.shape}; expected (Y, X) or (Y, X, 3), not empty")
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"subsampling is {subsampling!r}; expected one of {', '.join(SUBSAMPLINGS)}")
    options: dict[str, object] = {}
    if tables is not None:
        options["qtables"] = _checked_tables(tables)
    elif quality is None or not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; expected 1 to 100, or give tables")
    else:
        options["quality"] = int(quality)
    if image.ndim == 3:
        options["subsampling"] = subsampling
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, format="JPEG", **options)
    return stream.getvalue()


def jpeg_decode(data: bytes) -> NDArray[np.uint8]:
    """Decompress a JPEG with libjpeg.

    Parameters
    ----------
    data : bytes
        A grey or colour JPEG file.

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.array(image if image.mode == "L" else image.convert("RGB"))


def jpeg_round_trip(
    image: NDArray[np.uint8],
    quality: int | None = None,
    *,
    subsampling: str = "4:2:0",
    tables: Sequence[Sequence[int]] | None = None,
) -> NDArray[np.uint8]:
    """Compress and decompress a picture; parameters and errors are those of `jpeg_encode`.

    Returns
    -------
    ndarray of uint8, same shape as `image`

    Examples
    --------
    >>> from skimage.data import camera
    >>> degraded = jpeg_round_trip(camera(), 10)
    >>> degraded.shape, round(float(np.abs(degraded - camera().astype(float)).mean()))
    ((512, 512), 6)
    """
    return jpeg_decode(jpeg_encode(image, quality, subsampling=subsampling, tables=tables))


@dataclass(frozen=True)
class Encoding:
    """One pass through JPEG.

    Attributes
    ----------
    quality : int
        1 to 100.
    subsampling : str
        One of `SUBSAMPLINGS`; no matter in grey.
    phase : (int, int)
        Rows and columns cut off the decoded picture's top and left, 0 to 15: where in its block
        the first pixel lies that is kept.
    """

    quality: int
    subsampling: str = "4:2:0"
    phase: tuple[int, int] = (0, 0)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Degrade a picture; the result is `MCU` pixels smaller along Y and X."""
        return self.crop(jpeg_round_trip(image, self.quality, subsampling=self.subsampling))

    def crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut what `apply` cuts off, and nothing else."""
        y, x = self.phase
        return image[y : image.shape[0] - MCU + y, x : image.shape[1] - MCU + x]


@dataclass(frozen=True)
class Degradation:
    """What happened to a picture on its way: no JPEG, one, or one after another.

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


@dataclass(frozen=True)
class DegradationSampler:
    """Draws degradations at random.

    Attributes
    ----------
    qualities : tuple of (int, int, float)
        Lowest and highest quality of a range, and its weight among the ranges.
    subsamplings : tuple of str
        Drawn with equal chance.
    double_fraction : float
        Share of the compressed pictures that went through JPEG twice.
    clean_fraction : float
        Share of the pictures that never went through JPEG.
    random_phase : bool
        Whether the block grid may start anywhere; at the first pixel otherwise.
    """

    qualities: tuple[tuple[int, int, float], ...] = ((5, 95, 1.0),)
    subsamplings: tuple[str, ...] = ("4:2:0",)
    double_fraction: float = 0.0
    clean_fraction: float = 0.0
    random_phase: bool = True

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
        weights = np.array([weight for *_, weight in self.qualities])
        low, high, _ = self.qualities[generator.choice(len(weights), p=weights / weights.sum())]
        quality = int(generator.integers(low, high, endpoint=True))
        subsampling = self.subsamplings[generator.integers(len(self.subsamplings))]
        y, x = generator.integers(MCU, size=2) if self.random_phase else (0, 0)
        return Encoding(quality, subsampling, (int(y), int(x)))


def _checked_tables(tables: Sequence[Sequence[int]]) -> list[list[int]]:
    lists = [[int(step) for step in np.ravel(table)] for table in tables]
    for steps in lists:
        if len(steps) != 64 or min(steps) < 1 or max(steps) > 255:
            raise ValueError(
                f"a quantization table has {len(steps)} steps from {min(steps, default=0)} to "
                f"{max(steps, default=0)}; expected 64 steps from 1 to 255"
            )
    return lists
