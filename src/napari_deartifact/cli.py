"""The command line: a thin layer that turns words into one call and the answer into lines.

Results go to the standard output, bars and complaints to the standard error.  The exit code is 0
when all went well, 1 when something failed, 2 when the command made no sense, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from napari_deartifact._version import __version__

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
# What says that the command, not the machine, is at fault.
_USAGE_ERRORS = (
    ValueError,
    TypeError,
    FileNotFoundError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
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
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words, argparse.Namespace(debug=False))
    options.command_line = "deartifact " + shlex.join(words)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            code: int = options.run(options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            _say("interrupted")
            return INTERRUPTED
        except BrokenPipeError:  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except Exception as error:
            if options.debug:
                raise
            _complain(_describe(error))
            return USAGE if isinstance(error, _USAGE_ERRORS) else FAILED
    return code


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{message}; see {self.prog} --help")
        self.exit(USAGE)


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    shared.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    parser: argparse.ArgumentParser = _Parser(
        "deartifact", description="Take JPEG artifacts out of images.", parents=[shared]
    )
    parser.add_argument("--version", action="version", version=f"deartifact {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[Any], int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary, parents=[shared])
        added.set_defaults(run=run)
        return added

    _add_restore(command("restore", _restore, "Restore files, folders and patterns."))
    inspect = command("inspect", _inspect, "Tell what JPEG did to a file.")
    inspect.add_argument("inputs", nargs="+", metavar="IN", help="picture files")
    inspect.add_argument("--json", action="store_true", help="print JSON, quantization tables included")
    command("models", _models, "List the models that ship.")
    _add_train(command("train", _train, "Train a model on clean pictures."))
    command("recipes", _recipes, "List the recipes for training.")
    _add_evaluate(command("evaluate", _evaluate, "Measure a model on originals that are compressed first."))
    return parser


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN", help="files, folders, or patterns in quotes")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="for one input file a file (.png, .tif, .webp) or a folder; for several a folder",
    )  # fmt: skip
    _add_model(parser)
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 (input) to 1 (default)")
    parser.add_argument("--overwrite", action="store_true", help="restore again what exists")


def _add_train(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:N, mps"
    )


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of 8-bit originals")
    parser.add_argument(
        "--qualities", type=_qualities, default=(10, 20, 30, 40), metavar="Q,…",
        help="JPEG qualities, and 'clean' for none (default: 10,20,30,40)",
    )  # fmt: skip
    parser.add_argument(
        "--luma", choices=("full", "studio"), default="full",
        help="what colour pictures become: JPEG's luma (default), or 16 to 235 as in published tables",
    )  # fmt: skip
    parser.add_argument("--color", action="store_true", help="evaluate in RGB instead, 4:2:0")
    parser.add_argument("--jpeg-info", action="store_true", help="tell the model the quantization tables")
    parser.add_argument(
        "--consistency", action="store_true", help="project onto the quantization cells; implies --jpeg-info"
    )
    parser.add_argument("--json", metavar="OUT", help="write all measurements to this file")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="M", help="a name that 'deartifact models' lists, or a model file")
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:N, mps"
    )
    parser.add_argument(
        "--tile-size", type=int, metavar="N", help="edge of a tile in pixels; less takes less memory"
    )


def _qualities(text: str) -> tuple[int | str, ...]:
    try:
        return tuple("clean" if word.strip() == "clean" else int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of qualities such as 10,20,clean") from None


def _restore(options: argparse.Namespace) -> int:
    from napari_deartifact.files.batch import restore_files
    from napari_deartifact.files.plan import plan_jobs

    count = len(plan_jobs(options.inputs, options.output))
    with _bar(count, "file", shown=count > 1) as files, _bar(1, "tile", position=int(count > 1)) as tiles:

        def show(job: Any, progress: Any) -> None:
            tiles.total = progress.total
            tiles.update(progress.done - tiles.n)

        results = restore_files(
            options.inputs,
            options.output,
            _model(options),
            strength=options.strength,
            device=options.device,
            tile_size=options.tile_size,
            overwrite=options.overwrite,
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
                tiles.write(f"deartifact: error: {_one_line(result.message)}", file=sys.stderr)
            elif result.status == "skipped":
                tiles.write(f"{result.message}, skipped; --overwrite restores it again")
            else:
                tiles.write(f"{result.source} → {result.target}")
            files.update()
    if count > 1:
        print(", ".join(f"{number} {status}" for status, number in counts.items()))
    return FAILED if counts["failed"] else OK


def _inspect(options: argparse.Namespace) -> int:
    from napari_deartifact.files.inspect import format_facts, inspect_file

    found, code = [], OK
    for path in options.inputs:
        try:
            found.append(inspect_file(path))
        except (OSError, ValueError) as error:
            if options.debug:
                raise
            _complain(_describe(error))
            code = FAILED
    if options.json:
        import json

        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        print("\n".join(format_facts(facts) for facts in found))
    return code


def _models(options: argparse.Namespace) -> int:
    from napari_deartifact.models.registry import list_models

    for model in list_models():
        size = f"{model.parameter_count:,} parameters" if model.parameter_count else "no weights"
        print(f"{model.name:16} {model.kind:10} {model.color:5} {size:20} {model.description}")
    return OK


def _recipes(options: argparse.Namespace) -> int:
    from napari_deartifact.training import list_recipes, read_recipe

    for name in list_recipes():
        print(f"{name:16} {read_recipe(name).description}")
    return OK


def _train(options: argparse.Namespace) -> int:
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
        _say(f"warning: {path} was left out: {_one_line(reason)}")
    print(f"{result.model}: {result.steps} steps in {result.seconds:.0f} s")
    if result.validation:  # nothing is measured when the run had already reached its end
        print("  ".join(f"{name} {value:.2f}" for name, value in result.validation.items()))
    return OK


def _evaluate(options: argparse.Namespace) -> int:
    from napari_deartifact.atomic import check_target, replacing
    from napari_deartifact.evaluation import evaluate, format_table, to_json

    if options.json is not None:
        check_target(options.json)
    with _bar(None, "picture") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        evaluation = evaluate(
            _model(options),
            options.images,
            options.qualities,
            luma=options.luma,
            color=options.color,
            jpeg_info=options.jpeg_info,
            consistency=options.consistency,
            device=options.device,
            tile_size=options.tile_size,
            progress=show,
        )
    for reason in evaluation.skipped.values():
        _complain(_one_line(reason))
    print(format_table(evaluation))
    if options.json is not None:
        with replacing(options.json) as temporary:
            text = to_json(evaluation, version=__version__, command=options.command_line)
            temporary.write_text(text, encoding="utf-8")
    return FAILED if evaluation.skipped else OK


def _model(options: argparse.Namespace) -> str:
    from napari_deartifact.models.registry import DEFAULT_MODEL

    return options.model or DEFAULT_MODEL


class _NoBar:
    """Stands in for a bar where nobody would see one."""

    n = 0
    total: int | None = None

    def update(self, count: int = 1) -> None: ...

    def write(self, text: str, file: TextIO | None = None) -> None:
        print(text, file=file, flush=True)


@contextmanager
def _bar(total: int | None, unit: str, position: int = 0, *, shown: bool = True) -> Iterator[Any]:
    """Show a bar on a terminal, and nothing in a pipe."""
    if not shown or not sys.stderr.isatty():
        yield _NoBar()
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, position=position, leave=False, dynamic_ncols=True) as bar:
        yield bar


def _describe(error: BaseException) -> str:
    message = _one_line(str(error))
    if isinstance(error, OSError) and error.strerror and error.filename:
        message = f"{error.filename}: {error.strerror}"
    if not message or not isinstance(
        error, (*_USAGE_ERRORS, OSError, RuntimeError, ArithmeticError, ImportError)
    ):
        return f"{type(error).__name__}: {message}; run it again with --debug and report what it shows"
    return message


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"warning: {_one_line(str(message))}")


def _complain(message: str) -> None:
    _say(f"error: {message}")


def _say(message: str) -> None:
    print(f"deartifact: {message}", file=sys.stderr, flush=True)
