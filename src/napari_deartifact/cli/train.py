"""``deartifact train``."""

from __future__ import annotations

import argparse
import sys

from napari_deartifact.cli.console import OK, one_line, say
from napari_deartifact.cli.options import add_device_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a name that 'deartifact recipes' lists, or a TOML file"
    )
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="folders, files or patterns of clean pictures"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the model, *.safetensors")
    parser.add_argument("--minutes", type=float, metavar="N", help="length of the run")
    parser.add_argument("--steps", type=int, metavar="N", help="length of the run, over all phases")
    parser.add_argument("--init", metavar="M", help="a model file to start from")
    add_device_option(parser)


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.training import train

    for name in ("minutes", "steps"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name} is {value}; expected more than 0")
    result = train(
        options.recipe,
        options.data,
        options.output,
        init=options.init,
        minutes=options.minutes,
        steps=options.steps,
        device=options.device,
        progress=sys.stderr.isatty(),
    )
    for path, reason in result.skipped.items():
        say(f"warning: {path} was left out: {one_line(reason)}")
    print(f"{result.model}: {result.steps} steps in {result.seconds:.0f} s")
    if result.validation:  # nothing is measured when the run had already reached its end
        print("  ".join(f"{name} {value:.2f}" for name, value in result.validation.items()))
    return OK
