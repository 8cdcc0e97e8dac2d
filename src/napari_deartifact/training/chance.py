"""Random numbers of a step, such as dropout's, that a run which was interrupted draws again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_rng(seed: int, step: int, rank: int, device: torch.device) -> Iterator[None]:
    """Let torch's random numbers follow from the arguments alone, and leave the caller's as they were.

    Parameters
    ----------
    seed, step, rank : int
        Of the run, in it, and of the process: those that train together draw different numbers.
    device : torch.device
        Beside the CPU.

    Examples
    --------
    >>> def draw(step):
    ...     with seeded_rng(0, step, 0, torch.device("cpu")):
    ...         return float(torch.rand(()))
    >>> draw(3) == draw(3), draw(3) == draw(4)
    (True, False)
    """
    numbers = np.random.SeedSequence([seed, step, rank]).generate_state(1)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(numbers[0]))
        yield
