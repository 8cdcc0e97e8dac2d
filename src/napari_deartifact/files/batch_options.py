"""How the files of a batch are restored, whichever machines do it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.files.plan import Job, error_targets
from napari_deartifact.files.report import Report
from napari_deartifact.files.sources import FilePath, identity
from napari_deartifact.intensities import DataRange
from napari_deartifact.jpeg.level_scale import range_ends
from napari_deartifact.messages import check_fraction, check_options
from napari_deartifact.models.twin import check_faithful, check_perceptual
from napari_deartifact.request import check_tile_size

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer


@dataclass(frozen=True)
class BatchOptions:
    """How files are restored, checked before any work.

    The attributes are those of :func:`~napari_deartifact.files.batch.restore_files`, and `wording`, which
    turns messages into the words of those who read the report.
    """

    report: FilePath | None = None
    reference: FilePath | None = None
    strength: float = 1.0
    perceptual: float = 0.0
    force: bool = False
    data_range: DataRange = None
    device: str = "auto"
    tile_size: int | None = None
    overwrite: bool = False
    uncertainty: bool = False
    wording: Callable[[str], str] = str

    @classmethod
    def of(cls, **options: Any) -> BatchOptions:
        """Take keyword arguments.

        Raises
        ------
        TypeError
            For one that nobody knows.
        ValueError
        """
        check_options(options, [option.name for option in fields(cls)])
        return cls(**options)

    def __post_init__(self) -> None:
        for name in ("strength", "perceptual"):
            object.__setattr__(self, name, check_fraction(name, getattr(self, name)))
        check_tile_size(self.tile_size)
        if self.data_range is not None:
            range_ends(self.data_range)

    def check_model(self, model: FilePath | Restorer) -> None:
        """Refuse a model that has no perceptual twin where one is wanted, or of which no errors are known.

        Raises
        ------
        ValueError, FileNotFoundError
        """
        check_perceptual(model, self.perceptual)
        if self.uncertainty:
            check_faithful(model, self.perceptual)

    def planned_errors(self, jobs: Sequence[Job]) -> dict[Path, Path]:
        """Name the files of the standard errors that are wanted, by those of the answers.

        Raises
        ------
        ValueError
            When the report would take the place of an answer or a standard error.
        """
        errors = error_targets(jobs) if self.uncertainty else {}
        if self.report is not None:
            report, answers = Path(self.report), chain((job.target for job in jobs), errors.values())
            if any(_is_same(report, answer) for answer in answers):
                raise ValueError(
                    f"{report} is to be a report, and one of the answers goes there; name another"
                )
        return errors

    def opened_report(self) -> Report | None:
        """Begin the report, or go on with it, if one is wanted."""
        return None if self.report is None else Report.open(self.report, self.wording)

    def warn_of_slides(self, jobs: Sequence[Job]) -> None:
        """Say which of the options slides do not have."""
        options = {
            "standard errors": self.uncertainty,
            "gains on references": self.reference is not None,
            "data ranges": self.data_range is not None,
        }
        lacking = " and ".join(name for name, is_wanted in options.items() if is_wanted)
        slides = sum(job.is_slide for job in jobs)
        if slides and lacking:
            warnings.warn(
                f"{lacking} are not made of slides, of which there are {slides}", UserWarning, stacklevel=3
            )

    @property
    def for_pictures(self) -> dict[str, Any]:
        """Options of :func:`~napari_deartifact.restoration.restoration_steps` with a loaded model."""
        return {
            "strength": self.strength,
            "force": self.force,
            "tile_size": self.tile_size,
            "data_range": self.data_range,
        }


def _is_same(one: Path, other: Path) -> bool:
    """Compare names, also where upper and lower case are one; most differ at first sight."""
    return one.name.lower() == other.name.lower() and identity(one).lower() == identity(other).lower()
