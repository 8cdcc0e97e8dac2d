"""What is asked of standard errors, and whether they hold: shares of the errors within one and within two.

The loss asks for coverage, not for the likelihood of any one distribution: errors have heavier tails
than a Gaussian, and one that is fitted to their variance holds more than 68 % of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deartifact.generators.error_head import CHANNELS, LEVELS, ErrorHead, calibration_terms
from napari_deartifact.standard_errors import SMALLEST_ERROR
from napari_deartifact.training.error_examples import Example

COVERAGE = (0.683, 0.954)
"""Shares of the errors that one and two standard errors are to hold."""
WEIGHTS = (4.0, 5.0)
"""A miss of 4 % at two standard errors weighs as much as one of 5 % at one."""
MARGIN = 16
"""Pixels along the edge of a patch in which the head lacks a part of its view, and which do not count."""
INNER = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
TIE = 1e-3
"""In levels: errors below are ties, and lie within any standard error."""
CLASSES = 10
FITTED_PIXELS, FITTING_STEPS, FITTING_RATE = 400_000, 400, 0.02


def coverage_loss(log_error: Tensor, magnitude: Tensor) -> Tensor:
    """Return the mean distance of the standard errors from those with the coverage that is asked for.

    Parameters
    ----------
    log_error : Tensor
        Logarithm of the standard error.
    magnitude : Tensor, same shape
        Absolute value of the true error, in the same units.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    The sum of the quantile losses of log |error| at one and two standard errors.  Each is least where
    the share of errors below is the one asked for, wherever the picture looks the same to the head; a
    loss of logarithms weighs small errors as much as large ones.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978,
           :doi:`10.2307/1913643`.

    Examples
    --------
    >>> errors = torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs()
    >>> trials = [float(coverage_loss(torch.tensor(trial).log(), errors)) for trial in (0.9, 1.0, 1.1)]
    >>> trials.index(min(trials))
    1
    """
    logarithm = magnitude.clamp(min=TIE).log()
    total = log_error.new_zeros(())
    for count, (share, weight) in enumerate(zip(COVERAGE, WEIGHTS, strict=True), start=1):
        excess = logarithm - log_error - np.log(count)
        total = total + weight * torch.maximum(share * excess, (share - 1) * excess).mean()
    return total


def calibrate(
    head: ErrorHead, given: Sequence[Example], without: Sequence[Example], *, model: str = ""
) -> None:
    """Let a head's standard errors be what examples that it has not seen ask for.

    A head is surer of what is large and what is small than it should be: where it errs itself, its largest
    standard errors are too large and its smallest too small, the more so the finer the tables.

    Parameters
    ----------
    head : ErrorHead
        Its `calibration` is changed.
    given, without : sequence of Example
        To be judged with their tables, and without.  Where there are none nothing is added.
    model : str
        Whose calibration it is; that of any model unless the head knows the name.
    """
    calibration = head.calibration_of(model)
    calibration.zero_()
    for row, examples in enumerate((without, given)):
        for grey in (False, True):
            # A kind that there is none of takes what the other asks for.
            alike = [example for example in examples if _is_grey(example) == grey] or examples
            if alike:
                compared = _told_and_true(head, alike, tables=bool(row), model=model)
                calibration[int(grey), row] = fit_calibration(*compared)


def fit_calibration(log_error: Tensor, magnitude: Tensor, coarseness: Tensor) -> Tensor:
    """Find what to add to standard errors so that they hold what is asked of them.

    Parameters
    ----------
    log_error : Tensor, shape (N,)
        Logarithm of the standard errors.
    magnitude : Tensor, shape (N,)
        Absolute values of the true errors.
    coarseness : Tensor, shape (N,)
        Logarithm of the standard error that the tables alone imply.

    Returns
    -------
    Tensor, shape (6,)
        Factors of :func:`~napari_deartifact.generators.error_head.calibration_terms`.
    """
    some = torch.randperm(len(log_error), generator=torch.Generator().manual_seed(0))[:FITTED_PIXELS]
    terms = torch.stack(calibration_terms(log_error[some], coarseness[some]))
    factors = torch.zeros(len(terms), requires_grad=True)
    optimizer = torch.optim.Adam([factors], FITTING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, FITTING_STEPS)
    for _ in range(FITTING_STEPS):
        told = (log_error[some] + factors @ terms).clamp(min=math.log(SMALLEST_ERROR))
        optimizer.zero_grad()
        coverage_loss(told, magnitude[some]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return factors.detach()


def coverage(head: ErrorHead, examples: Sequence[Example], *, model: str = "") -> dict[str, float]:
    """Return the shares of the errors within one and two standard errors, in per cent.

    Parameters
    ----------
    head : ErrorHead
    examples : sequence of Example
    model : str
        Which has restored them.

    Returns
    -------
    dict of str to float
        ``one`` and ``two`` over all pixels, and ``one_least``, ``one_most``, ``two_least`` and
        ``two_most`` among ten classes of equal size by standard error.
    """
    log_error, magnitude, _ = _told_and_true(head, examples, model=model)
    order = log_error.argsort(stable=True)
    ratio = (magnitude / log_error.exp().clamp(min=SMALLEST_ERROR))[order]
    shares: dict[str, float] = {}
    for count, name in enumerate(("one", "two"), start=1):
        inside = (ratio <= count).double()
        classes = [float(part.mean()) for part in inside.tensor_split(CLASSES)]
        shares |= {name: float(inside.mean()), f"{name}_least": min(classes), f"{name}_most": max(classes)}
    return {name: round(100 * share, 2) for name, share in shares.items()}


@torch.no_grad()
def _told_and_true(
    head: ErrorHead, examples: Sequence[Example], *, tables: bool = True, model: str = ""
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log standard error, the absolute error and the coarseness of all inner pixels."""
    told, true, coarse = [], [], []
    for example in examples:
        parts = (example.restored, example.degraded, example.quantization, example.even)
        restored, degraded, *known = (torch.from_numpy(repeat_channels(part))[None] for part in parts)
        if not tables:
            known = []
        answer = head(restored / LEVELS, degraded / LEVELS, *known, model=model, grey=_is_grey(example))
        log_error = answer[0, : len(example.clean)]
        free = torch.from_numpy((example.degraded > 0) & (example.degraded < LEVELS))[INNER]
        error = torch.from_numpy(np.abs(example.restored - example.clean))[INNER]
        even = torch.from_numpy(example.even)[:, None, None].expand_as(error) * tables
        told.append(log_error[INNER][free])
        true.append(error[free])
        coarse.append(even[free])
    return torch.cat(told), torch.cat(true), torch.cat(coarse)


def _is_grey(example: Example) -> bool:
    return len(example.clean) == 1


def repeat_channels(part: NDArray[Any]) -> NDArray[np.float32]:
    """Repeat a grey plane, as the head takes three; RGB stays as it is."""
    return np.broadcast_to(part, (CHANNELS, *part.shape[1:])).astype(np.float32)
