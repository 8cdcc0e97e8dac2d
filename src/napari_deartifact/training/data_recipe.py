"""What a recipe says of its pairs: how large, how degraded, in which colours."""

from __future__ import annotations

from dataclasses import dataclass

from napari_deartifact.degradation import (
    RECIPE_CODECS,
    SUBSAMPLINGS,
    UNUSUAL_SUBSAMPLINGS,
    DegradationSampler,
    find_tables,
)
from napari_deartifact.training.schema import RecipeError, check_choice, check_range


@dataclass(frozen=True)
class QualityRange:
    """Qualities that are drawn with equal chance.

    Attributes
    ----------
    low, high : int
        First and last quality, 1 to 100.
    weight : float
        Of this range among the others.
    """

    low: int
    high: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_range("data.qualities.low", self.low, 1, 100)
        check_range("data.qualities.high", self.high, self.low, 100)
        check_range("data.qualities.weight", self.weight, 0, open_low=True)


@dataclass(frozen=True)
class CodecRange:
    """Qualities of a codec that are drawn with equal chance.

    Attributes
    ----------
    name : str
        A key of `napari_deartifact.degradation.RECIPE_CODECS`.
    low, high : int
        First and last quality, in the codec's own range.
    weight : float
        Of this range among the others, JPEG's included.
    """

    name: str
    low: int
    high: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_choice("data.codecs.name", self.name, RECIPE_CODECS)
        codec = RECIPE_CODECS[self.name]
        check_range("data.codecs.low", self.low, codec.lowest, codec.highest)
        check_range("data.codecs.high", self.high, self.low, codec.highest)
        check_range("data.codecs.weight", self.weight, 0, open_low=True)


@dataclass(frozen=True)
class DataRecipe:
    """The pairs.

    Attributes
    ----------
    patch_size : int
        Height and width of a patch in pixels, a multiple of 16.
    batch_size : int
        Patches a step.
    qualities : tuple of QualityRange
        Of JPEG; may be empty when there are `codecs`.
    subsamplings : tuple of str
        Drawn with equal chance for colour patches.
    double_fraction, clean_fraction : float
        As in `napari_deartifact.degradation.DegradationSampler`.
    grey_fraction : float
        Share of the patches that are made grey and, for an RGB network, repeated.
    studio_fraction : float
        Share of the grey patches that are squeezed into 16 to 235.
    shrunk_fraction : float
        Share of the patches that are cut larger and shrunk to 0.5 to 0.9 of their size, which makes fine
        texture of coarse.
    unaligned_fraction : float
        Share of the patches whose block grid may start anywhere.  `deartifact` lays pictures on their
        grid before a network sees them, and a network that may count on that learns much faster.
    validation_fraction : float
        Share of the files that are kept for validation.
    codecs : tuple of CodecRange
        What else degrades pictures, beside JPEG.
    tables : tuple of str
        Kinds of quantization tables, drawn with equal chance: ``"annex-k"``, ``"flat"``, ``"varied"``
        or a JPEG file, as in `napari_deartifact.degradation.find_tables`; scaled to the quality.
    """

    patch_size: int = 96
    batch_size: int = 16
    qualities: tuple[QualityRange, ...] = (QualityRange(5, 95),)
    subsamplings: tuple[str, ...] = ("4:2:0",)
    double_fraction: float = 0.0
    clean_fraction: float = 0.0
    grey_fraction: float = 0.0
    studio_fraction: float = 0.0
    shrunk_fraction: float = 0.0
    unaligned_fraction: float = 0.1
    validation_fraction: float = 0.05
    codecs: tuple[CodecRange, ...] = ()
    tables: tuple[str, ...] = ("annex-k",)

    def __post_init__(self) -> None:
        check_range("data.patch_size", self.patch_size, 0, open_low=True)
        if self.patch_size % 16:
            raise RecipeError(f"data.patch_size is {self.patch_size}; expected a multiple of 16")
        check_range("data.batch_size", self.batch_size, 0, open_low=True)
        if not (self.qualities or self.codecs) or not self.subsamplings:
            raise RecipeError("data.qualities or data.subsamplings is empty; give at least one entry")
        for name in self.subsamplings:
            check_choice("data.subsamplings", name, SUBSAMPLINGS)
        for name in ("double", "unaligned", "clean", "grey", "studio", "shrunk"):
            check_range(f"data.{name}_fraction", getattr(self, f"{name}_fraction"), 0, 1)
        check_range("data.validation_fraction", self.validation_fraction, 0, 0.5)
        self._check_tables()

    def _check_tables(self) -> None:
        if not self.tables:
            raise RecipeError("data.tables is empty; give at least one kind, such as 'annex-k'")
        try:
            for kind in self.tables:
                find_tables(kind)
        except ValueError as error:
            raise RecipeError(f"data.tables: {error}") from error
        unusual = set(self.subsamplings).intersection(UNUSUAL_SUBSAMPLINGS)
        if unusual and self.tables != ("annex-k",):
            raise RecipeError(
                f"data.tables is {list(self.tables)}; expected ['annex-k'] with the subsampling "
                f"{min(unusual)}, which takes no others"
            )

    @property
    def sampler(self) -> DegradationSampler:
        """What draws the degradations."""
        return DegradationSampler(
            qualities=tuple((entry.low, entry.high, entry.weight) for entry in self.qualities),
            subsamplings=self.subsamplings,
            double_fraction=self.double_fraction,
            clean_fraction=self.clean_fraction,
            unaligned_fraction=self.unaligned_fraction,
            codecs=tuple((entry.name, entry.low, entry.high, entry.weight) for entry in self.codecs),
            tables=self.tables,
        )
