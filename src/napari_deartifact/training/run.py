"""One call from pictures to a model file; whatever stops it, what was learnt is on disk."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from napari_deartifact.devices import resolve_device
from napari_deartifact.generators import build
from napari_deartifact.generators.base import Generator
from napari_deartifact.models.model_file import SUFFIX, ModelCard, read_card, read_model, save_model
from napari_deartifact.training.data import Picture, Pictures, find_pictures, load_pictures, name_sources
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.loop import StepRecord, Trainer, TrainingDivergedError
from napari_deartifact.training.pairs import PairSource, validation_pairs
from napari_deartifact.training.recipe import Recipe, read_recipe
from napari_deartifact.training.reporting import VALIDATION_QUALITIES, open_table, reporter

VALIDATION_PICTURES = 16
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind.

    Attributes
    ----------
    model, checkpoint, table : Path
        The model file, what resuming needs, and a CSV with a line for each step.
    steps : int
        Optimiser steps in all.
    seconds : float
        Wall time in all.
    validation : dict of str to float
        Last measurement: mean gain over the JPEG in dB as ``gain_q10`` …, and ``clean_psnr``.
    skipped : dict of str to str
        Files that could not be read, and why.
    """

    model: Path
    checkpoint: Path
    table: Path
    steps: int
    seconds: float
    validation: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def train(
    recipe: Recipe | str | os.PathLike[str],
    data: Pictures,
    output: str | os.PathLike[str],
    *,
    init: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    device: str = "auto",
    resume: bool = True,
    progress: bool | Callable[[StepRecord], None] | None = None,
    seed: int = 0,
    sources: Sequence[Mapping[str, str]] | None = None,
    memory: int = 4 * 2**30,
    validate_every: int = 500,
) -> TrainingResult:
    """Train a model and write its file.

    Beside `output`, say ``model.safetensors``, lie ``model.checkpoint``, from which the same call
    goes on, and ``model.csv``.  An interrupt (Ctrl-C, SIGTERM) ends the run after the step it is
    in, with all three files written.

    Parameters
    ----------
    recipe : Recipe, str or path
        A recipe, its name, or a TOML file.
    data : path, glob pattern, or list of these
        Clean pictures; folders are searched with their subfolders.
    output : path
        The model file, ``*.safetensors``.
    init : path, optional
        A model file of the same architecture to start from.
    minutes : float, optional
        Length of the run.  The learning rate falls over that time.
    steps : int, optional
        Length of the run in optimiser steps over all phases; with `minutes`, whichever ends
        first.  Without either, the recipe's own steps.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    resume : bool
        Go on from the checkpoint beside `output` if there is one; else start anew.
    progress : bool or callable, optional
        True writes a line on the standard error; a callable gets each :class:`StepRecord`.
    seed : int
        Of the weights, the split and the pairs.  On a CPU the same seed, steps and threads give
        the same model.
    sources : sequence of mapping, optional
        ``name`` and ``licence`` of the data, for the model's header.
    memory : int
        Budget in bytes for decoded pictures.
    validate_every : int
        Steps between measurements on the files kept for validation.

    Returns
    -------
    TrainingResult

    Raises
    ------
    FileNotFoundError
        When the data or the output's folder does not exist.
    ValueError
        For a bad recipe, data of which nothing can be read, or a checkpoint of another recipe.
    TrainingDivergedError
        When the loss stopped being a number; the model file holds the weights from before.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    output = _checked_output(output)
    found = load_pictures(find_pictures(data), memory, seed)
    generator = _start(recipe, init, seed)
    training, held_out = found.split(recipe.data.validation_fraction, seed)
    place = torch.device(resolve_device(device))
    pairs = _pairs(training, recipe, generator.channels, seed, place)
    trainer = Trainer(recipe, generator, pairs, steps=steps, minutes=minutes, device=place)
    # The card also tells how the weights were trained from which this run starts.
    before = {} if init is None else {"before": read_card(init).recipe}
    session = _Session(trainer, output, _sources(sources, data), init, before)
    if resume and session.checkpoint.is_file():
        trainer.load_checkpoint(session.checkpoint)
    crops = {
        quality: validation_pairs(held_out[:VALIDATION_PICTURES], quality, generator.channels)
        for quality in (*VALIDATION_QUALITIES, None)
    }
    report = reporter(progress, found)
    validation = _drive(session, crops, report, validate_every)
    return TrainingResult(
        output, session.checkpoint, session.table, trainer.step, trainer.seconds, validation, found.skipped
    )


@dataclass
class _Session:
    """The files of a run."""

    trainer: Trainer
    output: Path
    sources: list[dict[str, str]]
    init: str | os.PathLike[str] | None
    before: Mapping[str, Any]

    @property
    def checkpoint(self) -> Path:
        return self.output.with_suffix(".checkpoint")

    @property
    def table(self) -> Path:
        return self.output.with_suffix(".csv")

    def save(self) -> None:
        self.trainer.save_checkpoint(self.checkpoint)
        self.save_model()

    def save_model(self) -> None:
        trainer, recipe = self.trainer, self.trainer.recipe
        card = ModelCard(
            name=recipe.name,
            architecture=recipe.generator.architecture,
            arguments=trainer.average.arguments,
            color="rgb" if trainer.average.channels == 3 else "luma",
            description=recipe.description,
            recipe={**recipe.to_dict(), "run": self._run(), **self.before},
            data=self.sources,
        )
        save_model(self.output, trainer.average, card)

    def _run(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "steps": trainer.step,
            "seconds": round(trainer.seconds),
            "fraction": round(trainer.fraction, 4),
            "seed": trainer.pairs.seed,
            "pictures": len(trainer.pairs.pictures),
            "device": str(trainer.device),
            "init": Path(self.init).name if self.init else None,
        }


def _drive(
    session: _Session, crops: Any, report: Callable[[StepRecord], None], validate_every: int
) -> dict[str, float]:
    """Run the loop to its end or to an interrupt, and write all files in either case."""
    trainer = session.trainer
    validation: dict[str, float] = {}
    saved = time.monotonic()
    with _interrupts() as received, open_table(session.table, trainer.step) as write:
        try:
            for step in trainer.steps():
                record = step
                if record.step % validate_every == 0 or record.fraction >= 1:
                    validation = trainer.validate(crops)
                    record = replace(record, validation=validation)
                write(record)
                report(record)
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    session.save()
                    saved = time.monotonic()
                if received:
                    break
        except TrainingDivergedError:
            session.save_model()
            raise
        except BaseException:
            session.save()
            raise
        session.save()
    if received:
        raise KeyboardInterrupt if received[0] == signal.SIGINT else SystemExit(128 + received[0])
    return validation


def _pairs(
    pictures: Sequence[Picture], recipe: Recipe, channels: int, seed: int, device: torch.device
) -> PairSource | DevicePairSource:
    """Compress by libjpeg on the CPU; a GPU, which takes more than that makes, compresses by itself."""
    if device.type == "cuda" and not recipe.data.codecs:
        return DevicePairSource(pictures, recipe.data, channels, seed, device)
    return PairSource(pictures, recipe.data, channels, seed)


def _start(recipe: Recipe, init: str | os.PathLike[str] | None, seed: int) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build(recipe.generator.architecture, recipe.generator.arguments)
    if init is not None:
        start, card = read_model(init)
        if (card.architecture, start.arguments) != (recipe.generator.architecture, generator.arguments):
            raise ValueError(
                f"init is a {card.architecture!r} with {start.arguments}; the recipe {recipe.name!r} trains "
                f"a {recipe.generator.architecture!r} with {generator.arguments}"
            )
        generator.load_state_dict(start.state_dict())
    return generator


def _checked_output(output: str | os.PathLike[str]) -> Path:
    output = Path(output)
    if output.suffix != SUFFIX:
        raise ValueError(f"output is {output.name!r}; expected a name that ends in {SUFFIX}")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"folder {output.parent} does not exist; create it first")
    return output


def _sources(sources: Sequence[Mapping[str, str]] | None, data: Pictures) -> list[dict[str, str]]:
    if sources is not None:
        return [dict(source) for source in sources]
    return [{"name": name, "licence": "not stated"} for name in name_sources(data)[:20]]


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list; a second one acts as it would have without this."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    previous = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    for number in previous:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
