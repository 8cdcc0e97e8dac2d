"""A restoration weighed against the file: how much of it to believe, block by block."""

from __future__ import annotations

import math

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

_SHARE_IN_ERROR = 0.6
_LEAST_ERROR = 1.0
"""In levels, per coefficient: what no restoration knows, of noise and of rounding."""
_WIDEST = 100.0
"""In half steps: errors so much larger than the cells say nothing of where in them a coefficient lay."""


def weighed(coefficients: torch.Tensor, middle: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Return what coefficients are expected to be, given a restoration and the cells that the file names.

    Parameters
    ----------
    coefficients : Tensor, shape (..., 8, 8)
        Of the restoration, in levels.
    middle, step : Tensor, shapes that broadcast to it
        The middles of the cells, and how wide these are.

    Returns
    -------
    Tensor, shape and dtype of `coefficients`
        Inside the cells, up to rounding.

    Notes
    -----
    The original is taken to lie anywhere in its cell alike, and the restoration's error to be Gaussian: a
    level, and six tenths of the restoration's own distance from the middles of the cells, in the root mean
    square over a block.  (Both measured best with the model `general` on 44 training pictures at qualities
    from 10 to 95, of the whole distance and less, and of up to 2.5 levels.)  The answer is the mean of what
    both leave: a Gaussian truncated to the cell.  In blocks that were changed by much less than a step it is
    the restoration; where the changes are larger than the cells, as at high quality or in noise, it is near
    the middles, which is what was decoded.
    """
    change = coefficients - middle
    distance, half = change.abs(), step / 2
    moved = change.square().mean(dim=(-2, -1), keepdim=True)
    spread = (_SHARE_IN_ERROR**2 * moved + _LEAST_ERROR**2).sqrt()
    far, near = (distance + half) / spread, (distance - half) / spread
    # Twice the mass within the cell, as a difference of tails, which stay apart however far away it lies.
    mass = torch.special.erfc(near / math.sqrt(2)) - torch.special.erfc(far / math.sqrt(2))
    slope = math.sqrt(2 / math.pi) * (torch.exp(-far.square() / 2) - torch.exp(-near.square() / 2))
    # Far outside nothing is left of the mass, or too little to divide by: there the nearest wall is expected.
    expected = torch.where(mass > 0, distance + spread * slope / mass, half)
    expected = torch.where(spread < _WIDEST * half, expected, 0.0)
    return middle + torch.minimum(expected.clamp(min=0), half) * change.sign()
