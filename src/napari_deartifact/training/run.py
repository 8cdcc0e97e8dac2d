"""One call from pictures to a model file; whatever stops it, what was learnt is on disk."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

from napari_deartifact.devices import resolve_device
from napari_deartifact.training.data import Pictures
from napari_deartifact.training.data_loading import Poisoned
from napari_deartifact.training.ranks import asked_device, joined
from napari_deartifact.training.recipe import Recipe
from napari_deartifact.training.reporting import reporter
from napari_deartifact.training.session import TrainingRun
from napari_deartifact.training.step_record import StepRecord


@dataclass(frozen=True)
class TrainingResult:
    """What a training run left behind.

    Attributes
    ----------
    model, checkpoint, table, curves : Path
        The model file, what resuming needs, a CSV with a line for each step, and a PNG of the losses,
        the gains and a few restored crops.
    steps : int
        Optimiser steps in all.
    seconds : float
        Wall time in all.
    new_steps : int
        Those that this call has made.
    validation : dict of str to float
        Last measurement, as `napari_deartifact.training.validation.validate` gives it.
    skipped : dict of str to str
        Files that were left out, because they could not be read or were JPEGs before, and why.
    """

    model: Path
    checkpoint: Path
    table: Path
    curves: Path
    steps: int
    seconds: float
    new_steps: int
    validation: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def train(
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
    progress: bool | Callable[[StepRecord], None] | None = None,
    seed: int = 0,
    sources: Sequence[Mapping[str, str]] | None = None,
    memory: int = 4 * 2**30,
    validate_every: int = 500,
    features: str | os.PathLike[str] | None = None,
    poisoned: Poisoned = "skip",
    compiled: bool = False,
    shares: Sequence[float] | None = None,
) -> TrainingResult:
    """Train a model and write its file.

    Beside `output`, say ``model.safetensors``, lie ``model.checkpoint``, from which the same call
    goes on, ``model.csv`` and ``model.png``.  An interrupt (Ctrl-C, SIGTERM) ends the run after the
    step it is in, with all files written.  Under torchrun all processes train one model: each makes
    batches of the recipe's size, and the first measures and writes.

    Parameters
    ----------
    recipe : Recipe, str or path
        A recipe, its name, or a TOML file.
    data : path, glob pattern, array, Picture, Planes, or iterable of these
        Clean pictures; folders are searched with their subfolders.
    output : path
        The model file, ``*.safetensors``.  It is written over only where its checkpoint lies beside it.
    init : str or path, optional
        A model that ships, or a model file, of the same architecture, to start from; ``"new"`` for new
        weights.  By default the model that the recipe fine-tunes, or new weights where it names none.
    encoder : path, optional
        Weights of the generator's encoder to start from, such as timm's of the same network.
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
        Steps between measurements on the files kept for validation, where the recipe names none.
    features : path or str, optional
        The network whose features losses compare, as
        `napari_deartifact.training.features.load_features` takes it; by default the recipe's.
    poisoned : {"skip", "refuse", "keep"}
        What becomes of pictures that show traces of a JPEG, and would teach to make them.
    compiled : bool
        Compile the generator with :func:`torch.compile`, which takes minutes and makes each step faster: for
        long runs.  It needs a C++ compiler, or on a GPU Triton, and rounds in other places.
    shares : sequence of float, optional
        Share of the patches that each entry of `data` gives, in any unit; what two entries name belongs
        to the first.  By default all pixels count alike, and a folder gives as many patches as it is large.

    Returns
    -------
    TrainingResult

    Raises
    ------
    FileNotFoundError
        When the data or the output's folder does not exist.
    FileExistsError
        When a file that the run would write exists without a checkpoint.
    ValueError
        For a bad recipe, data of which nothing can be read, or a checkpoint of another recipe, seed or
        set of pictures.
    RuntimeError
        When the generator is to be compiled and nothing is there to do it.
    TrainingDivergedError
        When the loss stopped being a number; the model file holds the weights from before.

    Examples
    --------
    >>> import tempfile
    >>> from skimage.data import camera
    >>> output = Path(tempfile.mkdtemp()) / "own.safetensors"
    >>> pictures = [camera()[:128, :128], camera()[:128, 128:256]]
    >>> result = train("compact-cnn", pictures, output, steps=1, device="cpu")
    >>> result.steps, result.model.name
    (1, 'own.safetensors')
    """
    device = asked_device(device)
    with joined(torch.device(resolve_device(device))) as ranks:
        run = TrainingRun(
            recipe,
            data,
            output,
            init=init,
            encoder=encoder,
            minutes=minutes,
            steps=steps,
            device=device,
            resume=resume,
            seed=seed,
            sources=sources,
            memory=memory,
            validate_every=validate_every,
            features=features,
            poisoned=poisoned,
            compiled=compiled,
            shares=shares,
            ranks=ranks,
        )
        first = run.trainer.step
        report = reporter(progress if ranks.is_first else None, run.found, run.begins)
        with _interrupts() as received:
            for record in run.steps():
                report(record)
                if received:
                    run.trainer.stop()
    if received:
        raise KeyboardInterrupt if received[0] == signal.SIGINT else SystemExit(128 + received[0])
    return TrainingResult(
        run.output,
        run.checkpoint,
        run.table,
        run.curves,
        run.trainer.step,
        run.trainer.seconds,
        run.trainer.step - first,
        run.validation,
        {**run.found.skipped, **run.found.poisoned},
    )


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
