"""``deartifact train``."""

from __future__ import annotations

import argparse
import os

from napari_deartifact.cli.console import OK, tell
from napari_deartifact.cli.options import add_device_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a name that 'deartifact recipes' lists, or a TOML file"
    )
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="folders, files or patterns of clean pictures"
    )
    parser.add_argument(
        "--shares", nargs="+", type=float, metavar="N",
        help="share of the patches from each DATA, such as 3 1, whatever their size; by default all pixels "
        "count alike",
    )  # fmt: skip
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the model, *.safetensors")
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="length of the run; by default the recipe's own steps, which may take hours",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="length over all phases; with --minutes, whichever ends first"
    )
    parser.add_argument(
        "--init", metavar="M",
        help="a model, by its name or its file, to start from, or 'new' for new weights; by default the "
        "model that the recipe fine-tunes, if any",
    )  # fmt: skip
    parser.add_argument(
        "--encoder", metavar="FILE", help="weights of the generator's encoder alone to start from"
    )
    parser.add_argument(
        "--features",
        metavar="FILE",
        help="the network whose features losses compare: a file of its weights, or a name such as vgg19",
    )
    parser.add_argument(
        "--keep-jpegs",
        action="store_true",
        help="train also on pictures that show traces of a JPEG, which are left out otherwise",
    )
    parser.add_argument(
        "--restart", action="store_true", help="start anew where a run of this output was stopped"
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, for long runs; needs a C++ compiler, or Triton on a GPU",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, split and pairs")
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
        encoder=options.encoder,
        features=options.features,
        poisoned="keep" if options.keep_jpegs else "skip",
        resume=not options.restart,
        compiled=options.compile,
        shares=options.shares,
        seed=options.seed,
        device=options.device,
        progress=True,
    )
    if int(os.environ.get("RANK", "0")):  # under torchrun the first process speaks for all
        return OK
    done = f"{result.steps} steps in {result.seconds:.0f} s"
    if not result.new_steps:
        tell(f"{result.model} was at its end, {done}; ask for more --minutes or --steps, or --restart")
        return OK
    tell(f"{result.model}: {done}; curves in {result.curves}")
    if result.validation:
        tell("  ".join(f"{name} {value:.2f}" for name, value in result.validation.items()))
    return OK
