"""``deartifact inspect``."""

from __future__ import annotations

import argparse
import sys

from napari_deartifact.cli.console import FAILED, OK, complain, describe, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="files, folders, or patterns in quotes")
    parser.add_argument(
        "--tables", action="store_true", help="show the quantization tables of several files too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, quantization tables included")


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.files.inspect import format_facts, inspect_file
    from napari_deartifact.files.sources import find_sources

    paths = list(find_sources(options.inputs))
    found, code = [], OK
    for path in paths:
        try:
            found.append(inspect_file(path))
        except (OSError, ValueError, ImportError) as error:
            if options.debug:
                raise
            complain(describe(error))
            code = FAILED
    if options.json:
        import json

        encoding = str(getattr(sys.stdout, "encoding", "")).lower()
        tell(json.dumps(found, indent=2, ensure_ascii=not encoding.startswith("utf")))
    elif found:
        tables = options.tables or len(paths) == 1
        tell("\n".join(format_facts(facts, tables=tables) for facts in found))
    return code
