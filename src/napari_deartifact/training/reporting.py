"""What a run tells while it runs: a line on the standard error, a row in a table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_deartifact.atomic import replacing
from napari_deartifact.training.data import PictureSet
from napari_deartifact.training.loop import StepRecord

VALIDATION_QUALITIES = (10, 20, 40, 75, 90)
COLUMNS = (
    "step", "phase", "loss", "learning_rate", "seconds",
    *(f"gain_q{quality}" for quality in VALIDATION_QUALITIES), "clean_psnr",
)  # fmt: skip


@contextmanager
def open_table(path: Path, step: int) -> Iterator[Callable[[StepRecord], None]]:
    """Append to the CSV; lines later than the step that is resumed from are dropped."""
    rows: list[dict[str, str]] = []
    if step and path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if int(row["step"] or 0) <= step]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    with path.open("a", newline="", encoding="utf-8", buffering=1) as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")

        def write(record: StepRecord) -> None:
            values = {"step": record.step, "phase": record.phase, "loss": f"{record.loss:.6g}"}
            values |= {"learning_rate": f"{record.learning_rate:.4g}", "seconds": f"{record.seconds:.2f}"}
            writer.writerow(values | {key: f"{value:.4f}" for key, value in record.validation.items()})

        yield write


def reporter(
    progress: bool | Callable[[StepRecord], None] | None, found: PictureSet
) -> Callable[[StepRecord], None]:
    if callable(progress):
        return progress
    if not progress:
        return lambda record: None
    for path, reason in found.skipped.items():
        print(f"skipped {path}: {reason}", file=sys.stderr)
    summary = (
        f"{len(found.pictures)} pictures, {len(found.skipped)} unreadable, {found.left_out} beyond memory"
    )
    print(summary, file=sys.stderr)
    return print_record


def print_record(record: StepRecord) -> None:
    """Write a record on the standard error: a live line on a terminal, the measured steps elsewhere."""
    terminal = sys.stderr.isatty()
    if not (terminal or record.validation):
        return
    measured = "  ".join(f"{key} {value:+.2f}" for key, value in record.validation.items())
    line = (
        f"{record.fraction:6.1%}  step {record.step}  loss {record.loss:.5f}  rate {record.learning_rate:.2e}"
    )
    end = "\n" if measured or not terminal else "\r"
    print(f"{line}  {record.seconds:.0f} s  {measured}", file=sys.stderr, end=end, flush=True)
