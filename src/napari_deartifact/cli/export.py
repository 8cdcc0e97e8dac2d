"""``deartifact export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_deartifact.cli.console import OK
from napari_deartifact.messages import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="a name that 'deartifact models' lists, or a model file"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE",
        help="FILE.onnx for a network in ONNX, FILE.zip for a package for bioimage.io",
    )  # fmt: skip
    parser.add_argument(
        "--author", action="append", default=[], dest="authors", metavar="NAME",
        help="who trained the model, for a package; may be given several times",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.models.export import export_model

    output = Path(options.output)
    export_model(options.model, output, authors=options.authors, overwrite=options.overwrite)
    print(f"{printable(options.model)} → {printable(str(output))}")
    return OK
