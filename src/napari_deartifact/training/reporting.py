"""What a run tells while it runs: a line on the standard error, a row in a table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_deartifact.atomic import replacing
from napari_deartifact.training.data import PictureSet
from napari_deartifact.training.phase_recipe import MEASURED_QUALITIES, MEASURES
from napari_deartifact.training.step_record import StepRecord

MEASURED = (
    *(f"{measure}_q{quality}" for measure in MEASURES for quality in MEASURED_QUALITIES),
    "clean_psnr",
)
COLUMNS = ("step", "phase", "player", "loss", "parts", "learning_rate", "seconds", *MEASURED)
LINE_SECONDS = 60.0
"""Where there is no terminal, at least so long between two lines that tell no measurement."""


@contextmanager
def open_table(path: Path, step: int, *, wanted: bool = True) -> Iterator[Callable[[StepRecord], None]]:
    """Append to the CSV; lines later than the step that is resumed from are dropped.

    Parameters
    ----------
    path : Path
    step : int
        Steps done.
    wanted : bool
        False writes nothing.

    Yields
    ------
    callable
        Writes a record.
    """
    if not wanted:
        yield lambda record: None
        return
    rows = [row for row in table_rows(path) if int(row["step"]) <= step] if step else []
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with path.open("a", newline="", encoding="utf-8", buffering=1) as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")

        def write(record: StepRecord) -> None:
            parts = " ".join(f"{name}={value:.5g}" for name, value in record.losses.items())
            values = {"step": record.step, "phase": record.phase, "player": record.player, "parts": parts}
            values |= {"loss": f"{record.loss:.6g}", "learning_rate": f"{record.learning_rate:.4g}"}
            values |= {"seconds": f"{record.seconds:.2f}"}
            writer.writerow(values | {key: f"{value:.4f}" for key, value in record.validation.items()})

        yield write


def is_table(path: Path) -> bool:
    """Whether a file is the CSV of a run; one that was killed in its first minute leaves nothing else."""
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        return tuple(next(csv.reader(stream), ())) == COLUMNS


def table_rows(path: Path) -> Iterator[dict[str, str]]:
    """Read the rows of a run's CSV, but for those that a power cut has torn; none when there is no file."""
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        lines = (line.replace("\0", "") for line in stream)
        yield from filter(_is_whole, csv.DictReader(lines))


def _is_whole(row: dict[str, str]) -> bool:
    try:
        int(row["step"]), int(row["phase"]), float(row["loss"])
    except (TypeError, ValueError):
        return False
    return None not in row.values()


def reporter(
    progress: bool | Callable[[StepRecord], None] | None, found: PictureSet, begins: str
) -> Callable[[StepRecord], None]:
    """Return what is told of each step: `progress` itself, a line, or nothing.

    Lines begin with the pictures `found`, and with what the run `begins` from.
    """
    if callable(progress):
        return progress
    if not progress:
        return lambda record: None
    for path, reason in {**found.skipped, **found.poisoned}.items():
        print(f"skipped {path}: {reason}", file=sys.stderr)
    print(f"{found.summary()}; {begins}", file=sys.stderr)
    told = [0.0]

    def report(record: StepRecord) -> None:
        due = record.seconds - told[0] >= LINE_SECONDS
        if sys.stderr.isatty() or record.validation or due:
            told[0] = record.seconds
            print_record(record)

    return report


def print_record(record: StepRecord) -> None:
    """Write a record on the standard error: a live line on a terminal, lines of their own elsewhere."""
    parts = "  ".join(f"{name} {value:.4g}" for name, value in record.losses.items())
    measured = "  ".join(f"{name} {value:+.2f}" for name, value in record.validation.items())
    line = f"{record.fraction:6.1%}  step {record.step}  {record.player} {record.loss:.5f} ({parts})"
    end = "\n" if measured or not sys.stderr.isatty() else "\r"
    print(
        f"{line}  rate {record.learning_rate:.2e}  {record.seconds:.0f} s  {measured}",
        file=sys.stderr,
        end=end,
        flush=True,
    )
