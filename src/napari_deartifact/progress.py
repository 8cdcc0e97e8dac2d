"""Long work is a generator of steps; here it is run to its end, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeVar

from napari_deartifact.tiling import Progress

Answer = TypeVar("Answer")
ProgressCallback = Callable[[int, int], object]


def run_steps(
    steps: Generator[Progress, None, Answer], progress: bool | ProgressCallback | None = None
) -> Answer:
    """Run steps to their end.

    Parameters
    ----------
    steps : generator of Progress
    progress : bool or callable, optional
        True shows a bar; a callable gets (done, total) after each step.

    Returns
    -------
    object
        The generator's value.

    Examples
    --------
    >>> def work():
    ...     yield Progress(1, 2)
    ...     yield Progress(2, 2)
    ...     return "done"
    >>> run_steps(work(), print)
    1 2
    2 2
    'done'
    """
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress is {progress!r}; expected True, False or a function of (done, total)")
    if progress is not True:
        return _exhausted(steps, progress or None)
    from tqdm.auto import tqdm

    with tqdm(desc="deartifact", unit="tile") as bar:
        return _exhausted(steps, partial(_show, bar))


def _exhausted(steps: Generator[Progress, None, Answer], progress: ProgressCallback | None) -> Answer:
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if progress is not None:
            progress(*step)


def _show(bar: Any, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)
