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
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
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
    silence,
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
    with ExitStack() as stack:
        if None in (sys.stdout, sys.stderr):  # as a daemon or pythonw may have it
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(sys.stdout or nowhere))
            stack.enter_context(redirect_stderr(sys.stderr or nowhere))
        return _run(list(sys.argv[1:] if arguments is None else arguments))


def _run(words: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and arrows that an old code page does not have
        sys.stdout.reconfigure(errors="backslashreplace")
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
            silence(sys.stdout)
            return FAILED if lines.incomplete else OK
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
