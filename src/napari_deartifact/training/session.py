"""A run with its files: pictures, networks, a model, a checkpoint, a table and curves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_deartifact.atomic import check_target
from napari_deartifact.devices import resolve_device
from napari_deartifact.models.model_file import SUFFIX, ModelCard, save_model
from napari_deartifact.training.checkpoint import another_run
from napari_deartifact.training.curves import draw_curves
from napari_deartifact.training.data import Pictures, load_pictures
from napari_deartifact.training.data_loading import Found, Poisoned
from napari_deartifact.training.loop import Trainer
from napari_deartifact.training.origin import Origin
from napari_deartifact.training.pairs import validation_pairs
from napari_deartifact.training.phase_recipe import MEASURED_QUALITIES
from napari_deartifact.training.ranks import Ranks
from napari_deartifact.training.recipe import Recipe, read_recipe
from napari_deartifact.training.reporting import is_table, open_table
from napari_deartifact.training.shares import Sources
from napari_deartifact.training.start import make_features, make_networks, make_pairs
from napari_deartifact.training.step_record import StepRecord, TrainingDivergedError
from napari_deartifact.training.validation import preview

VALIDATION_PICTURES = 16
VALIDATION_SIZE = 256
PREVIEW_PICTURES = 4
PREVIEW_QUALITY = 20
CHECKPOINT_SECONDS = 60.0


class TrainingRun:
    """A run that is stepped through: what :func:`napari_deartifact.training.train` and the widget
    iterate.

    Beside `output`, say ``model.safetensors``, lie ``model.checkpoint``, from which the same run goes
    on, ``model.csv`` and ``model.png``.  Where there is no checkpoint, none of these files may exist.

    Parameters
    ----------
    recipe, data, output, init, encoder, minutes, steps, device, resume, seed, sources, memory, \
validate_every, features, poisoned, compiled, shares
        As :func:`napari_deartifact.training.train` takes them.
    ranks : Ranks
        The processes that train together.

    Attributes
    ----------
    recipe : Recipe
    found : PictureSet
        The pictures, and which files were left out and why.
    output, checkpoint, table, curves : Path
    trainer : Trainer
        With `step`, `seconds` and `fraction`.
    validation : dict of str to float
        The last measurement.
    """

    def __init__(
        self,
        recipe: Recipe | str | os.PathLike[str],
        data: Pictures,
        output: str | os.PathLike[str],
        *,
        init: str | os.PathLike[str] | None = None,
        encoder: str | os.PathLike[str] | None = None,
        minutes: float | None = None,
        steps: int | None = None,
        device: str = "auto",
        resume: bool = True,
        seed: int = 0,
        sources: Sequence[Mapping[str, str]] | None = None,
        memory: int = 4 * 2**30,
        validate_every: int = 500,
        features: str | os.PathLike[str] | None = None,
        poisoned: Poisoned = "skip",
        compiled: bool = False,
        shares: Sequence[float] | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.recipe = recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
        if validate_every < 1:
            raise ValueError(f"validate_every is {validate_every}; expected at least 1")
        self.output = _checked_output(output)
        self.checkpoint = self.output.with_suffix(".checkpoint")
        self.table = self.output.with_suffix(".csv")
        self.curves = self.output.with_suffix(".png")
        self.validation: dict[str, float] = {}
        self._validate_every = validate_every
        self._ranks = ranks or Ranks()
        self._resumed = resume and self.checkpoint.is_file()
        self._check_files()
        sources_found = Sources.of(data, shares)
        device_used = torch.device(resolve_device(device))
        network = make_features(recipe, features)
        # A run that goes on has its weights from the checkpoint.
        init = recipe.start(init, other=self._resumed or encoder is not None)
        self._origin = Origin.of(init, encoder, None if network is None else network.name)
        generator, discriminator = make_networks(recipe, init, encoder, seed)
        patch = recipe.data.patch_size
        found = [entry for entry in sources_found.entries if not _shows_curves(entry)]
        if not found:
            raise FileNotFoundError("no pictures are given, or only curves of training; give clean pictures")
        self.found = load_pictures(found, memory, seed, poisoned=poisoned, patch_size=patch)
        training, held_out = sources_found.split(self.found, recipe.data.validation_fraction, seed)
        multiple = int(np.lcm(16, generator.size_multiple))
        least = max(multiple, 0 if network is None else network.minimum_size)
        held_out = tuple(picture for picture in held_out if min(picture.pixels.shape[:2]) >= least)
        if not held_out and any(phase.keep_best for phase in recipe.phases):
            raise ValueError(
                f"no picture of at least {least}×{least} pixels was kept for validation, which keep_best "
                "goes by; give more pictures, or raise data.validation_fraction"
            )
        self._shares = sources_found.told()
        self._sources = _sources(sources, sources_found.names)
        self.trainer = Trainer(
            recipe,
            generator,
            make_pairs(training, recipe, generator.channels, seed, device_used, self._ranks),
            discriminator=discriminator,
            features=network,
            steps=steps,
            minutes=minutes,
            device=device_used,
            compiled=compiled,
            ranks=self._ranks,
        )
        if self._resumed:
            self._go_on()
        self._crops = {
            quality: validation_pairs(
                held_out[:VALIDATION_PICTURES],
                quality,
                generator.channels,
                # A network with global parts is measured on what it will see.
                size=generator.fixed_tile or VALIDATION_SIZE,
                multiple=multiple,
            )
            for quality in (*MEASURED_QUALITIES, None)
        }

    def steps(self) -> Iterator[StepRecord]:
        """Train, measure and write until the run is done; to stop earlier, stop iterating.

        The files are written once a minute and when the iteration ends, for whatever reason.

        Yields
        ------
        StepRecord

        Raises
        ------
        TrainingDivergedError
            When the loss stopped being a number; the model file holds the weights from before.
        """
        saved = time.monotonic()
        with open_table(self.table, self.trainer.step, wanted=self._ranks.is_first) as write:
            try:
                for step in self.trainer.steps():
                    record = self._measured(step)
                    write(record)
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self.save()
                        saved = time.monotonic()
                    yield record
            except TrainingDivergedError:
                if self.trainer.step:  # a file that has learnt nothing would be in the next run's way
                    self._save_model()
                raise
            except BaseException:
                self.save()
                raise
        ended = self._ranks.is_first and self.trainer.fraction >= 1
        if ended and any(phase.keep_best for phase in self.recipe.phases):
            self.validation = self.measure()
        self.save()

    def save(self) -> None:
        """Write the checkpoint, the model and the curves."""
        if self._ranks.is_first:
            self.trainer.save_checkpoint(self.checkpoint, self._origin.stored())
            self._save_model()
            draw_curves(self.curves, self.table, self.preview())

    def preview(self) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]:
        """Restore fixed crops of held-out pictures, compressed at quality 20.

        Returns
        -------
        list of (degraded, restored, clean) : ndarray of uint8, shape (Y, X, 3)
        """
        return preview(self.trainer.restore, self._crops[PREVIEW_QUALITY][:PREVIEW_PICTURES])

    def measure(self) -> dict[str, float]:
        """Measure the averaged weights now: see `napari_deartifact.training.validation.validate`."""
        return self.trainer.validate(self._crops)

    @property
    def begins(self) -> str:
        """What it begins from, in words: new weights, a model, or its own checkpoint."""
        if self._resumed:
            return f"goes on from {self.checkpoint.name}"
        return f"begins from {self._origin.init or self._origin.encoder or 'new weights'}"

    def _go_on(self) -> None:
        """Load the checkpoint; what the run began from is told there, and cannot be changed any more."""
        stored = self.trainer.load_checkpoint(self.checkpoint)
        try:
            self._origin = self._origin.going_on(stored)
        except ValueError as error:
            raise ValueError(another_run(self.checkpoint, str(error))) from error

    def _measured(self, record: StepRecord) -> StepRecord:
        every = self.trainer.phase.measure_every or self._validate_every
        # One process judges, and the others follow it: means of BatchNorm are each process's own.
        if not self._ranks.is_first or (record.step % every and record.fraction < 1):
            return record
        self.validation = self.measure()
        self.trainer.judge(self.validation)
        return replace(record, validation=self.validation)

    def _check_files(self) -> None:
        """Neither write over what no run of ours has made, nor let a process start apart from the others."""
        (resumed,) = self._ranks.largest(float(self._resumed))
        if resumed > self._resumed:
            raise FileNotFoundError(
                f"another process goes on from {self.checkpoint}, which is not here; on several machines the "
                "output must lie in a folder that all see"
            )
        there = [path for path in (self.output, self.curves) if path.exists()]
        if self.table.exists() and not is_table(self.table):
            there.append(self.table)
        if there and not self.checkpoint.is_file():
            raise FileExistsError(
                f"{there[0]} exists, and no {self.checkpoint.name} to go on from; choose another output, or "
                "move it away"
            )

    def _save_model(self) -> None:
        if not self._ranks.is_first:
            return
        trainer, recipe = self.trainer, self.recipe
        # The card also tells how the weights were trained from which this run started.
        before = {} if self._origin.before is None else {"before": self._origin.before}
        card = ModelCard(
            name=self.output.stem,
            architecture=recipe.generator.architecture,
            arguments=trainer.average.arguments,
            color=trainer.average.color,
            description=recipe.description,
            recipe={**recipe.to_dict(), "run": self._told(), **before},
            data=self._sources,
        )
        save_model(self.output, trainer.average, card)

    def _told(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "steps": trainer.step,
            "seconds": round(trainer.seconds),
            "fraction": round(trainer.fraction, 4),
            "seed": trainer.pairs.seed,
            "pictures": len(trainer.pairs.pictures),
            "shares": self._shares,
            "device": str(trainer.device),
            "processes": self._ranks.world,
            "compiled": trainer.compiled,
            "init": self._origin.init,
            "features": self._origin.features,
        }


def _checked_output(output: str | os.PathLike[str]) -> Path:
    output = Path(output)
    if output.suffix != SUFFIX:
        raise ValueError(f"output is {output.name!r}; expected a name that ends in {SUFFIX}")
    check_target(output)
    return output


def _shows_curves(entry: Found) -> bool:
    """Whether this is what a run has drawn beside its checkpoint, in the folder of its pictures perhaps."""
    if not isinstance(entry, Path) or entry.suffix != ".png":
        return False
    return all(entry.with_suffix(suffix).is_file() for suffix in (".checkpoint", ".csv"))


def _sources(sources: Sequence[Mapping[str, str]] | None, names: Sequence[str]) -> list[dict[str, str]]:
    if sources is not None:
        return [dict(source) for source in sources]
    return [{"name": name, "licence": "not stated"} for name in names[:20]]
