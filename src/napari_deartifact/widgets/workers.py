"""Long work off the GUI thread, as generators that stop within one step."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_deartifact.tiling import Progress
from napari_deartifact.widgets.layers import as_array, is_lazy
from napari_deartifact.widgets.own_warnings import function_worker, generator_worker, sorting
from napari_deartifact.widgets.wording import in_words_of_the_widget

Returned = TypeVar("Returned")
Steps = Generator[Progress, None, Returned]

EXPECTED_ERRORS = (ValueError, TypeError, OSError, MemoryError)
"""Errors that tell the user what to do; others are mistakes of this program and need their traceback."""


class WorkError(ValueError):
    """A RuntimeError under another name: Qt workers take that one for a worker that was deleted."""


@dataclass(frozen=True)
class Restored:
    """What :func:`restore_levels` answers.

    Attributes
    ----------
    levels : list of array
        As they came, restored.
    model, device : str
        The model's name, which tells how perceptual it is, and the device it ran on.
    perceptual : float
        How far it goes towards a perceptual twin; 1 also for the twin itself.
    data_range : (float, float) or None
        The intensities that were taken for black and white in the finest level; None where those of each
        picture told.
    standard_error : array or None
        Of the finest level, if it was asked for.
    unchanged : bool
        Whether the layer was left as it is, because it shows no JPEG history.
    """

    levels: list[Any]
    model: str
    device: str
    perceptual: float
    data_range: tuple[float, float] | None
    standard_error: Any = None
    unchanged: bool = False


def restore_levels(
    levels: tuple[Any, ...],
    model: str | Path,
    *,
    device: str,
    perceptual: float = 0.0,
    jpeg: Any = None,
    data_range: tuple[float, float] | None = None,
    uncertainty: bool = False,
    **options: Any,
) -> Steps[Restored]:
    """Restore the levels of a layer, a tile a step.

    Parameters
    ----------
    levels : tuple of array
        As in :class:`~napari_deartifact.widgets.layers.LayerImage`.
    model : str or Path
        It is loaded here, after the first step.
    device : str
    perceptual : float
        How far to go towards the model's perceptual twin.
    jpeg : JPEGInfo, optional
        Of the finest level.
    uncertainty : bool
        Whether to find the standard error of the one level that there is, which must not be lazy.
    data_range, **options
        As for :func:`~napari_deartifact.deartifact`.

    Yields
    ------
    Progress
        With a total of 0 while the model is being loaded.

    Returns
    -------
    Restored
    """
    yield Progress(0, 0)
    from napari_deartifact.intensities import intensity_scale
    from napari_deartifact.models.registry import load_model
    from napari_deartifact.models.twin import share_of
    from napari_deartifact.restoration import restoration_steps
    from napari_deartifact.uncertainty import uncertainty_steps
    from napari_deartifact.warned import no_warnings

    precision = jpeg.precision if jpeg else None
    restorer = load_model(model, device, perceptual=perceptual)
    yield Progress(0, 0)
    arrays = [as_array(level) for level in levels]
    with no_warnings():  # the restoration gives them
        scale = intensity_scale(arrays[0], data_range, precision=precision)
    is_told = data_range is not None or precision is not None or arrays[0].dtype == np.uint8
    answers, error = [], None
    if uncertainty:
        answer = yield from uncertainty_steps(
            arrays[0], restorer, jpeg=jpeg, data_range=data_range, device=device, **options
        )
        answers, error = [answer.image], answer.standard_error
    for array in arrays if error is None else ():
        answers.append(
            (yield from restoration_steps(array, restorer, jpeg=jpeg, data_range=data_range, **options))
        )
        # Coarser levels go the way of the finest, whose history they no longer show.
        jpeg, options = None, {**options, "force": True}
        data_range = (scale.black, scale.white) if scale else data_range
        if _is_unchanged(arrays[0], answers[0]):
            answers = arrays
            break
    return Restored(
        answers,
        restorer.name,
        str(getattr(restorer, "device", "cpu")),
        share_of(restorer),
        (scale.black, scale.white) if scale and is_told else None,
        error,
        unchanged=options.get("strength", 1) > 0 and _is_unchanged(arrays[0], answers[0]),
    )


def _is_unchanged(before: Any, after: Any) -> bool:
    """Compare arrays that are in memory; lazy ones are never left alone."""
    return not is_lazy(before) and np.array_equal(before, after, equal_nan=True)


def start_steps(
    steps: Callable[..., Generator[Any, None, Any]],
    *arguments: Any,
    description: str,
    connect: Mapping[str, Callable[..., Any]],
    **options: Any,
) -> Any:
    """Run a generator in a thread, with a bar among napari's activities.

    Parameters
    ----------
    steps : generator function
        It is closed when it is left early.
    *arguments, **options
        For `steps`.
    description : str
        Shown beside the bar.
    connect : dict
        Slots by the worker's signals: ``yielded``, ``returned``, ``errored``, ``finished``.

    Returns
    -------
    worker
        Started; ``quit()`` stops it after the step in hand, and ``pbar`` is the bar, which closes
        when the worker finishes for whatever reason.
    """
    from napari.qt.threading import thread_worker

    worker = thread_worker(
        _guarded(steps),
        start_thread=False,
        progress={"desc": description},
        worker_class=generator_worker(),  # napari's own would report errors a second time
        ignore_errors=True,
    )(*arguments, **options)
    return _started(worker, connect)


def start_function(
    function: Callable[..., Any], *arguments: Any, connect: Mapping[str, Callable[..., Any]], **options: Any
) -> Any:
    """Run a short function in a thread; parameters and answer are those of :func:`start_steps`."""
    from superqt.utils import create_worker

    worker = create_worker(
        function,
        *arguments,
        _start_thread=False,
        _ignore_errors=True,
        _worker_class=function_worker(),
        **options,
    )
    return _started(worker, connect)


def _started(worker: Any, connect: Mapping[str, Callable[..., Any]]) -> Any:
    worker.finished.connect(sorting().end)
    for signal, slot in {"warned": show_warning, **connect}.items():
        getattr(worker, signal).connect(slot)
    sorting().begin()
    worker.start()
    atexit.unregister(finish_workers)
    atexit.register(finish_workers)
    return worker


def finish_workers() -> None:
    """Ask all workers to stop, and wait until they have: one that outlives Qt aborts the process.

    napari does so when its event loop ends; a script may have none.
    """
    from superqt.utils import GeneratorWorker

    GeneratorWorker.await_workers()


def _guarded(steps: Callable[..., Generator[Any, None, Any]]) -> Callable[..., Generator[Any, None, Any]]:
    @wraps(steps)
    def guarded(*arguments: Any, **options: Any) -> Generator[Any, None, Any]:
        try:
            return (yield from steps(*arguments, **options))
        except RuntimeError as error:
            raise WorkError(str(error) or type(error).__name__) from error

    return guarded


def show_warning(record: tuple[Any, ...]) -> None:
    """Show a warning raised in a worker; its message comes first in the record."""
    from napari.utils.notifications import show_warning as notify

    notify(in_words_of_the_widget(str(record[0])))


def show_failure(error: Exception) -> str:
    """Show an error raised in a worker as a napari notification.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        Its first line.
    """
    from napari.utils.notifications import notification_manager, show_error

    message = in_words_of_the_widget(first_line(error))
    if isinstance(error, EXPECTED_ERRORS):
        show_error(message)
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)
    return message


def first_line(error: Exception) -> str:
    """Return an error's message without what follows its first line.

    Examples
    --------
    >>> first_line(ValueError("no such model\\nknown: …"))
    'no such model'
    """
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
