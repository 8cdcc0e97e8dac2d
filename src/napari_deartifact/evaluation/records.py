"""What an evaluation found, picture by picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from napari_deartifact.evaluation.condition import Quality
from napari_deartifact.evaluation.originals import Luma
from napari_deartifact.evaluation.scores import Scores, gain, mean_of


@dataclass(frozen=True)
class Record:
    """One picture at one quality.

    Attributes
    ----------
    image : str
        Its name.
    height, width : int
        Of the original, in pixels.
    quality : int, (int, int) or "clean"
        Of the JPEG, or of two JPEGs one after another; a clean picture was not compressed.
    degraded, restored : Scores
        Of the compressed picture and of the model's answer, rounded to uint8.
    seconds_per_megapixel : float
        Of one restoration alone.
    one_pass : Scores, optional
        Of the answer to the compressed picture, where `restored` is the last of several passes.
    aligned : Scores, optional
        Of the same JPEG restored before the shift cut it, over the pixels that `restored` has.
    bits_per_pixel, jpeg_bits_per_pixel : float, optional
        Of the file, and of the JPEG whose size another codec had to meet.
    original : mapping of str to float
        What the measures that need no original say of the original itself, by their keys.
    """

    image: str
    height: int
    width: int
    quality: Quality
    degraded: Scores
    restored: Scores
    seconds_per_megapixel: float
    one_pass: Scores | None = None
    aligned: Scores | None = None
    bits_per_pixel: float | None = None
    jpeg_bits_per_pixel: float | None = None
    original: Mapping[str, float] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """What the restoration adds to the PSNR, in dB; minus infinity for a clean picture it changed."""
        return gain(self.degraded.psnr, self.restored.psnr)

    def has(self, key: str) -> bool:
        """Say whether ``"ssim"``, or a further measure, could tell of all sides of this picture."""
        if key == "ssim":
            return not math.isnan(self.restored.ssim)
        sides = (self.degraded.others, self.restored.others, self.original)
        return not any(math.isnan(side[key]) for side in sides if key in side)


@dataclass(frozen=True)
class Evaluation:
    """All records, and the choices that they depend on.

    Attributes
    ----------
    model : str
        Name or path, as it was given, and how far it went towards its perceptual twin.
    qualities : tuple
    color : bool
        RGB, or else luma.
    luma : {"full", "studio"}
        What colour pictures were turned into when not `color`.
    subsampling : str
        Of the chroma of the JPEGs, when `color`.
    jpeg_info, consistency : bool
        Whether the model was told the tables, and its answer projected onto them.
    records : tuple of Record
    skipped : dict
        Files that could not be evaluated, and why.
    codec : str
        What compressed the pictures.
    shift : (int, int), optional
        Rows and columns that were cut off a decoded JPEG.
    passes : int
        How often each picture was restored, one answer being the next one's input.
    defaults : bool
        Whether `deartifact` looked at the history of the pictures.
    measured_by : dict of str to str
        What else measured, by the keys of its figures.
    """

    model: str
    qualities: tuple[Quality, ...]
    color: bool
    luma: Luma
    subsampling: str
    jpeg_info: bool
    consistency: bool
    records: tuple[Record, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    codec: str = "jpeg"
    shift: tuple[int, int] | None = None
    passes: int = 1
    defaults: bool = False
    measured_by: dict[str, str] = field(default_factory=dict)

    def at(self, quality: Quality) -> tuple[Record, ...]:
        """Return the records of one quality."""
        return tuple(record for record in self.records if record.quality == quality)

    def worst(self, quality: Quality) -> Record:
        """Return the record of the picture that gained least; among clean ones, that lost most."""
        return min(self.at(quality), key=lambda record: (record.gain, record.restored.psnr))

    def originals(self, quality: Quality) -> dict[str, float]:
        """Return the means of what was measured of the originals themselves, by key."""
        return self._means(quality, lambda record: record.original)

    def mean(self, quality: Quality) -> tuple[Scores, Scores, float]:
        """Return the means at one quality.

        Returns
        -------
        degraded, restored : Scores
            Over the same pictures: one of which a measure cannot tell on either side is left out of both,
            and of the decibels one that compression did not change, beside others that it did.
        seconds_per_megapixel : float
            All the time over all the pixels.
        """
        records = self.at(quality)
        sizes = [record.height * record.width for record in records]
        seconds = math.fsum(
            record.seconds_per_megapixel * size for record, size in zip(records, sizes, strict=True)
        )
        degraded = self._mean(quality, lambda record: record.degraded)
        return degraded, self._mean(quality, lambda record: record.restored), seconds / sum(sizes)

    def _mean(self, quality: Quality, side: Callable[[Record], Scores]) -> Scores:
        """Average one side."""
        decibels = Scores.mean([side(record) for record in self.changed(quality)])
        everything = Scores.mean([side(record) for record in self.at(quality)])
        others = self._means(quality, lambda record: side(record).others)
        return replace(decibels, ssim=everything.ssim, others=others)

    def changed(self, quality: Quality) -> tuple[Record, ...]:
        """Return the records of the pictures that compression has changed, or all if it changed none."""
        records = self.at(quality)
        return tuple(record for record in records if math.isfinite(record.degraded.psnr)) or records

    def _means(self, quality: Quality, figures: Callable[[Record], Mapping[str, float]]) -> dict[str, float]:
        """Average one side, by key, over the pictures that have all sides."""
        return mean_of(
            [
                {key: value if record.has(key) else math.nan for key, value in figures(record).items()}
                for record in self.at(quality)
            ]
        )
