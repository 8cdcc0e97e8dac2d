"""``deartifact restore``."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import Any

from napari_deartifact.cli.console import FAILED, OK, bar, one_line
from napari_deartifact.cli.options import add_model_options, chosen_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="files, folders, or patterns in quotes")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="for one input file a file (.png, .tif, .webp) or a folder; for several a folder",
    )  # fmt: skip
    add_model_options(parser)
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 (input) to 1 (default)")
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="write the standard error of every pixel too, as STEM_standard_error.tif beside each answer",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="restore also what shows no JPEG history, or was restored before"
    )
    parser.add_argument("--overwrite", action="store_true", help="restore again what exists")


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.files.batch import restore_files
    from napari_deartifact.files.plan import plan_jobs

    count = len(plan_jobs(options.inputs, options.output))
    with bar(count, "file", shown=count > 1) as files, bar(1, "tile", position=int(count > 1)) as tiles:

        def show(job: Any, progress: Any) -> None:
            tiles.total = progress.total
            tiles.update(progress.done - tiles.n)

        results = restore_files(
            options.inputs,
            options.output,
            chosen_model(options),
            strength=options.strength,
            force=options.force,
            device=options.device,
            tile_size=options.tile_size,
            overwrite=options.overwrite,
            uncertainty=options.uncertainty,
            progress=show,
        )
        counts = dict.fromkeys(("restored", "skipped", "failed"), 0)
        for result in results:
            counts[result.status] += 1
            for warning in result.warnings:
                tiles.write(f"deartifact: warning: {result.source}: {warning}", file=sys.stderr)
            if options.debug and result.error is not None:
                tiles.write("".join(traceback.format_exception(result.error)).rstrip(), file=sys.stderr)
            if result.status == "failed":
                tiles.write(f"deartifact: error: {one_line(result.message)}", file=sys.stderr)
            elif result.status == "skipped":
                tiles.write(f"{result.message}, skipped; --overwrite restores it again")
            else:
                tiles.write(f"{result.source} → {result.target}")
            files.update()
    if count > 1:
        print(", ".join(f"{number} {status}" for status, number in counts.items()))
    return FAILED if counts["failed"] else OK
