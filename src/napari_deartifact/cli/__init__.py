"""The command line: a thin layer that turns words into one call and the answer into lines.

Results go to the standard output, bars and complaints to the standard error.  The exit code is 0
when all went well, 1 when something failed or a folder could not be listed, 2 when the command made no
sense, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from napari_deartifact._version import __version__
from napari_deartifact.cli import evaluate, export, inspect, lists, restore, train
from napari_deartifact.cli.console import (
    FAILED,
    INTERRUPTED,
    OK,
    USAGE,
    USAGE_ERRORS,
    Parser,
    WarningLines,
    complain,
    describe,
    say,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``deartifact``.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and arrows that an old code page does not have
        sys.stdout.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words, argparse.Namespace(debug=False))
    options.command_line = "deartifact " + shlex.join(words)
    with warnings.catch_warnings():
        warnings.showwarning = lines = WarningLines()
        try:
            code: int = options.run(options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            say("interrupted")
            return INTERRUPTED
        except BrokenPipeError:  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except Exception as error:
            if options.debug:
                raise
            complain(describe(error))
            return USAGE if isinstance(error, USAGE_ERRORS) else FAILED
    return FAILED if code == OK and lines.incomplete else code


def _parser() -> argparse.ArgumentParser:
    shared = Parser(add_help=False)
    shared.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    parser: argparse.ArgumentParser = Parser(
        "deartifact", description="Take JPEG artifacts out of images.", parents=[shared]
    )
    parser.add_argument("--version", action="version", version=f"deartifact {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[Any], int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary, parents=[shared])
        added.set_defaults(run=run)
        return added

    restore.add_arguments(command("restore", restore.run, "Restore files, folders and patterns."))
    inspect.add_arguments(command("inspect", inspect.run, "Tell what JPEG did to a file."))
    command("models", lists.run_models, "List the models that ship, and your own.")
    train.add_arguments(command("train", train.run, "Train a model on clean pictures."))
    command("recipes", lists.run_recipes, "List the recipes for training.")
    export.add_arguments(command("export", export.run, "Write a model for other programs."))
    evaluate.add_arguments(
        command("evaluate", evaluate.run, "Measure a model on originals that are compressed first.")
    )
    return parser
