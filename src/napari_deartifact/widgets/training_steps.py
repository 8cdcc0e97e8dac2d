"""A training off the GUI thread, that can pause, save and stop after any step and loses nothing."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.widgets.crop_view import Crops
from napari_deartifact.widgets.layers import as_array
from napari_deartifact.widgets.train_inputs import LayerPictures
from napari_deartifact.widgets.training_past import Past, mean_gain, read_past
from napari_deartifact.widgets.workers import WorkError

if TYPE_CHECKING:
    from napari_deartifact.training.data_pictures import PictureSet
    from napari_deartifact.training.session import TrainingRun
    from napari_deartifact.training.step_record import StepRecord

NEWS_SECONDS = 0.1
"""At least so long between two pieces of news, so that the window keeps up."""
MEASURE_SECONDS = 30.0
"""At least so long between two measurements, beside those of the recipe."""
MEASURE_SHARE = 0.1
"""At most this share of the time is spent on them."""
PAUSE_SECONDS = 0.1
"""How often a training that pauses looks whether it goes on."""


@dataclass
class TrainingControl:
    """What the buttons want of a training; it looks between steps.

    Attributes
    ----------
    paused : bool
        Whether to wait, with everything on disk and no core in use.
    save : bool
        Whether to write everything now.
    """

    paused: bool = False
    save: bool = False


@dataclass(frozen=True)
class TrainingNews:
    """What a training has to tell.

    Attributes
    ----------
    doing : str
        What it does, when that changed.
    step, phase : int
        Steps done, and the phase of the recipe; another phase may have other losses.
    fraction : float
        How much of the run is done, 0 to 1.
    seconds : float
        Spent in all.
    loss : float, optional
        Mean over the steps since the last news.
    gain : float, optional
        Mean gain over the JPEG in dB on pictures kept for validation, if it was just measured.
    crops : sequence of (degraded, restored, clean), optional
        If they were just restored.
    left_out : str
        What became of pictures that were not used.
    paused, saved : bool
        Whether it waits, and whether it has just written everything.
    past : Past, optional
        What it had told before, when it goes on.
    """

    doing: str = ""
    step: int = 0
    phase: int = 0
    fraction: float = 0.0
    seconds: float = 0.0
    loss: float | None = None
    gain: float | None = None
    crops: Crops | None = None
    left_out: str = ""
    paused: bool = False
    saved: bool = False
    past: Past | None = None


@dataclass(frozen=True)
class Trained:
    """What a training that came to its end left.

    Attributes
    ----------
    output : Path
        The model file.
    steps : int
        Steps in all.
    new_steps : int
        Those since it was started or continued.
    """

    output: Path
    steps: int
    new_steps: int


def training_steps(
    layers: Sequence[LayerPictures], folder: str, options: Mapping[str, Any], control: TrainingControl
) -> Generator[TrainingNews, None, Trained]:
    """Train; whenever the iteration stops, the model and the checkpoint are written.

    Parameters
    ----------
    layers : sequence of LayerPictures
    folder : str
    options : dict
        As :meth:`~napari_deartifact.widgets.train_inputs.TrainInputs.options` gives them.
    control : TrainingControl

    Yields
    ------
    TrainingNews

    Returns
    -------
    Trained
    """
    yield TrainingNews("Loading PyTorch…")
    from napari_deartifact.training.session import TrainingRun
    from napari_deartifact.training.step_record import TrainingDivergedError

    yield TrainingNews("Reading the images…")
    options["output"].parent.mkdir(parents=True, exist_ok=True)
    try:
        run = TrainingRun(data=_data(layers, folder), **options)
        start = replace(_news(run), doing="Training…", crops=run.preview(), left_out=left_out(run.found))
        yield replace(start, past=read_past(run.table, start.step, start.phase))
        first = run.trainer.step
        gauge = _Gauge(run)
        while True:
            # Once more after a pause in the last step: the run has its best weights to take back.
            yield from _until_paused(run, control, gauge)
            if not control.paused:
                break
            yield from _pause(run, control)
    except (ImportError, TrainingDivergedError) as error:
        raise WorkError(str(error)) from error
    return Trained(run.output, run.trainer.step, run.trainer.step - first)


class _Gauge:
    """Measures a training from time to time; a step that was measured anyway counts.

    Parameters
    ----------
    run : TrainingRun
    """

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._due = 0.0

    def gain(self, record: StepRecord) -> float | None:
        """Return the mean gain in dB if it was measured after this step."""
        start = time.monotonic()
        if not record.validation and start < self._due:
            return None
        gain = mean_gain(record.validation or self._run.measure())
        now = time.monotonic()
        self._due = now + max(MEASURE_SECONDS, (now - start) / MEASURE_SHARE)
        return gain


def _until_paused(
    run: TrainingRun, control: TrainingControl, gauge: _Gauge
) -> Generator[TrainingNews, None, None]:
    """Take steps; to close the iteration writes everything and ends the thread that prepares pairs."""
    losses: list[float] = []
    told = time.monotonic()
    with closing(run.steps()) as steps:  # type: ignore[type-var]
        for record in steps:
            if record.player == "generator":
                losses.append(record.loss)
            saved, gain = _save(run, control), gauge.gain(record)
            if gain is not None or saved or time.monotonic() - told > NEWS_SECONDS:
                loss = sum(losses) / len(losses) if losses else None
                crops = None if gain is None else run.preview()
                yield replace(_news(run), loss=loss, gain=gain, crops=crops, saved=saved)
                losses.clear()
                told = time.monotonic()
            if control.paused:
                return


def _save(run: TrainingRun, control: TrainingControl) -> bool:
    if not control.save:
        return False
    control.save = False
    run.save()
    return True


def _pause(run: TrainingRun, control: TrainingControl) -> Generator[TrainingNews, None, None]:
    paused = replace(_news(run), paused=True, crops=run.preview(), saved=True)
    yield paused
    while control.paused:
        time.sleep(PAUSE_SECONDS)
        yield replace(paused, crops=None, saved=_save(run, control))
    yield replace(_news(run), doing="Training…")


def _news(run: TrainingRun) -> TrainingNews:
    trainer = run.trainer
    return TrainingNews(
        step=trainer.step, phase=trainer.phase_index, fraction=trainer.fraction, seconds=trainer.seconds
    )


def left_out(found: PictureSet) -> str:
    """Say which pictures are not trained on, and why; nothing when all are."""
    reasons = ((found.poisoned, "compressed with loss before"), (found.skipped, "unreadable"))
    return " ".join(
        f"{len(entries)} left out as {what}, such as {Path(name).name}: {reason}."
        for entries, what in reasons
        for name, reason in list(entries.items())[:1]
    )


def _data(layers: Sequence[LayerPictures], folder: str) -> list[Any]:
    from napari_deartifact.training.data_planes import planes_of_array

    planes = [
        replace(planes_of_array(as_array(layer.data), layer.name, rgb=layer.rgb), jpeg=layer.jpeg)
        for layer in layers
    ]
    return [*planes, folder] if folder else [*planes]
