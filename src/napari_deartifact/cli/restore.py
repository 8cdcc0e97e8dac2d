"""``deartifact restore``."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from napari_deartifact.cli import cluster, slides
from napari_deartifact.cli.console import FAILED, OK, bar, in_words_of_options, one_line, tell
from napari_deartifact.cli.options import add_model_options, chosen_model
from napari_deartifact.messages import printable

_REPORT_NAME = "deartifact.csv"
_ALWAYS_COUNTED = ("restored", "skipped", "failed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="files, folders, or patterns in quotes")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="for one input file a file (.png, .tif, .ome.tif, .webp, .dcm, or .jpg, which brings artifacts "
        "back; .ome.zarr of a slide) or a folder; for several a folder",
    )  # fmt: skip
    add_model_options(parser)
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 (input) to 1 (default)")
    parser.add_argument(
        "--data-range", nargs=2, type=float, metavar=("LOW", "HIGH"),
        help="black and white of files of more than 8 bits, or of floats, that hold no JPEG, such as 0 4095; "
        "by default the intensities tell",
    )  # fmt: skip
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="write the standard error of every pixel too, as STEM_standard_error.tif beside each answer",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="restore also what shows no JPEG history, or was restored before"
    )
    parser.add_argument("--overwrite", action="store_true", help="restore again what exists")
    parser.add_argument(
        "--format", metavar="F", type=_suffix, dest="suffix",
        help="of answers in a folder: png, tif, ome.tif, webp, dcm, or jpg, which brings artifacts back; by "
        "default TIFF and DICOM stay what they are, and others are png",
    )  # fmt: skip
    parser.add_argument(
        "--report", metavar="FILE",
        help=f"a CSV with a line a file, continued if it exists; by default OUT/{_REPORT_NAME} of several",
    )  # fmt: skip
    parser.add_argument("--no-report", action="store_true", help="write no CSV")
    parser.add_argument(
        "--reference", metavar="FOLDER",
        help="originals in the same tree, to tell in the report what each answer gains",
    )  # fmt: skip
    cluster.add_arguments(parser)


def _suffix(name: str) -> str:
    return "." + name.lower().removeprefix(".")


def run(options: argparse.Namespace) -> int:
    if slides.is_wanted(options):
        return slides.run(options)
    from napari_deartifact.files.batch import restore_jobs
    from napari_deartifact.files.plan import plan_jobs

    jobs = plan_jobs(options.inputs, options.output, options.suffix)
    several = len(jobs) > 1
    with bar(len(jobs), "file", shown=several) as files, bar(1, "tile", position=int(several)) as tiles:

        def show(job: Any, progress: Any) -> None:
            tiles.total = progress.total
            tiles.update(progress.done - tiles.n)

        results = cluster.chosen(options, restore_jobs)(
            jobs,
            chosen_model(options),
            report=_report(options, several=several),
            reference=options.reference,
            strength=options.strength,
            perceptual=options.perceptual,
            force=options.force,
            data_range=options.data_range,
            device=options.device,
            tile_size=options.tile_size,
            overwrite=options.overwrite,
            uncertainty=options.uncertainty,
            wording=in_words_of_options,
            progress=show,
        )
        counts: Counter[str] = Counter()
        for result in results:
            counts[result.status] += 1
            _tell(result, tiles, debug=options.debug)
            files.update()
    if several:
        shown = [
            status for status in ("restored", "unchanged", "skipped", "failed") if _is_told(status, counts)
        ]
        tell(", ".join(f"{counts[status]} {status}" for status in shown))
    return FAILED if counts["failed"] else OK


def _is_told(status: str, counts: Counter[str]) -> bool:
    return counts[status] > 0 or status in _ALWAYS_COUNTED


def _report(options: argparse.Namespace, *, several: bool) -> Path | None:
    """Choose the report: several files have one unless the user wants none."""
    if options.no_report:
        if options.report is not None:
            raise ValueError("--report and --no-report are at odds; give one of them")
        return None
    if options.report is not None:
        return Path(options.report)
    return Path(options.output, _REPORT_NAME) if several else None


def _tell(result: Any, lines: Any, *, debug: bool) -> None:
    """Print what became of a file, above the bars."""
    source, target = printable(str(result.source)), printable(str(result.target))
    for warning in result.warnings:
        message = one_line(in_words_of_options(warning))
        subject = "" if f" {source} " in f" {message}" else f"{source}: "
        lines.write(f"deartifact: warning: {subject}{message}", file=sys.stderr)
    if debug and result.error is not None:
        lines.write("".join(traceback.format_exception(result.error)).rstrip(), file=sys.stderr)
    if result.status == "failed":
        message = one_line(in_words_of_options(result.message))
        lines.write(f"deartifact: error: {message}", file=sys.stderr)
    elif result.status == "skipped":
        lines.write(f"{printable(result.message)}, skipped; --overwrite restores it again")
    else:
        unchanged = ", unchanged" if result.status == "unchanged" else ""
        gain = "" if result.psnr is None else ", PSNR {:.2f} → {:.2f} dB".format(*result.psnr)
        lines.write(f"{source} → {target}{unchanged}{gain}")
