"""A network of 87,000 parameters that says by how much a restored picture is likely to be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 2
CHANNELS = 3
LEVELS = 255
CALIBRATION_TERMS = 6
CALIBRATED = 0.5, 5.0
"""Coarseness of tables of about quality 95 in grey and of 5 in colour; a calibration stays as it is there."""
ORDINARY_COARSENESS = 3.0
LOG_RANGE = -4.0, 5.0
"""Natural logarithms of the smallest and largest standard error that is ever told, in levels of 255."""


class ErrorHead(nn.Module):
    """Convolutions over 2×2 pixels taken as one, from what was restored to the size of its error.

    It sees the restored picture, its detail, what the restoration changed, where the decoded picture is
    black or white, and, where the JPEG is known, how coarse its tables are and the standard error that
    quantization alone implies, which it corrects.

    It cannot see which model has restored a picture, and models differ in how far they err; nor does it see
    well what is grey, whose errors grow otherwise with the coarseness of the tables.  So `calibration`, a
    buffer of shape (1 + models, 2, 2, 6), holds for any model and for each of those named, of colour and of
    grey, without and with tables, the factors of what is added to an answer, :func:`calibration_terms`.

    Parameters
    ----------
    width : int
        Feature maps.
    dilations : sequence of int
        Of each 3×3 convolution, in cells.
    models : sequence of str
        Names of the models with a calibration of their own.

    Examples
    --------
    >>> head = ErrorHead()
    >>> sum(parameter.numel() for parameter in head.parameters()), head.receptive_radius
    (87420, 29)
    >>> head(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 3, 8, 8])
    """

    architecture: ClassVar[str] = "error-head"
    size_multiple: ClassVar[int] = CELL

    def __init__(
        self, width: int = 48, dilations: Sequence[int] = (1, 2, 4, 6), models: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.width = width
        self.dilations = tuple(dilations)
        self.models = tuple(models)
        # A cell's own far corner, the detail's 3×3 window, and the convolutions.
        self.receptive_radius = CELL * sum(self.dilations) + CELL - 1 + 1 + (CELL - 1)
        self.first = nn.Conv2d((6 * CHANNELS + 1) * CELL**2, width, 1)
        self.middle = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation) for dilation in dilations
        )
        self.last = nn.Conv2d(width, CHANNELS * CELL**2, 1)
        for layer in (self.first, *self.middle):
            nn.init.kaiming_normal_(cast("Tensor", layer.weight), nonlinearity="relu")
            nn.init.zeros_(cast("Tensor", layer.bias))
        # An untrained head says what quantization implies.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast("Tensor", self.last.bias))
        self.calibration: Tensor
        self.register_buffer("calibration", torch.zeros(1 + len(self.models), 2, 2, CALIBRATION_TERMS))

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments, as JSON types, that build this network again."""
        return {"width": self.width, "dilations": list(self.dilations), "models": list(self.models)}

    def calibration_of(self, model: str) -> Tensor:
        """Return the part of `calibration` that is a model's, or any model's: shape (2, 2, 6), not a copy."""
        return self.calibration[self.models.index(model) + 1 if model in self.models else 0]

    def forward(
        self,
        restored: Tensor,
        degraded: Tensor,
        quantization: Tensor | None = None,
        even: Tensor | None = None,
        *,
        model: str = "",
        grey: bool = False,
    ) -> Tensor:
        """Estimate the standard error of a batch.

        Parameters
        ----------
        restored, degraded : Tensor, shape (N, 3, Y, X)
            0 is black, 1 is white; Y and X are multiples of 2.
        quantization : Tensor, shape (N, 3, Y, X), optional
            Logarithm of the standard error that quantization implies, in levels of 255; NaN in the
            pictures of the batch for which it is not known.
        even : Tensor, shape (N, 3), optional
            The same for evenly filled cells, from the tables alone; needed with `quantization`.
        model : str
            The name of the model that has restored the batch.
        grey : bool
            Whether its pictures are grey ones, repeated over the channels.

        Returns
        -------
        Tensor, shape (N, 3, Y, X)
            Logarithm of the standard error, in levels of 255.
        """
        if quantization is None or even is None:
            quantization = torch.full_like(restored, torch.nan)
            even = quantization[:, :, 0, 0]
        known = quantization.isfinite().all(dim=1, keepdim=True)
        base = torch.where(known, quantization, 0.0).clamp(*LOG_RANGE)
        coarseness = torch.where(known, even[:, :, None, None], 0.0).clamp(*LOG_RANGE)
        around = functional.avg_pool2d(functional.pad(restored, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        clipped = ((degraded <= 0) | (degraded >= 1)).to(restored)
        features = torch.cat(
            [
                restored - 0.5,
                torch.asinh(LEVELS * (restored - around)),
                torch.asinh(LEVELS * (restored - degraded)),
                clipped,
                base,
                coarseness,
                known.to(restored),
            ],
            dim=1,
        )
        state = functional.relu(self.first(functional.pixel_unshuffle(features, CELL)))
        for layer in self.middle:
            state = functional.relu(layer(state)) + state
        change = functional.pixel_shuffle(self.last(state), CELL)
        log_error = base + change
        terms = torch.stack(calibration_terms(log_error, coarseness))
        without, given = torch.einsum("rt,t...->r...", self.calibration_of(model)[int(grey)], terms)
        return (log_error + torch.where(known, given, without)).clamp(*LOG_RANGE)


def calibration_terms(log_error: Tensor, coarseness: Tensor) -> tuple[Tensor, ...]:
    """What a calibration is a sum of: a line in what is told, which rises and turns with the tables.

    Returns
    -------
    tuple of Tensor
        1 and the answer, each times 1, the coarseness and its square, counted from ordinary tables.
    """
    about = coarseness.clamp(*CALIBRATED) - ORDINARY_COARSENESS
    powers = torch.ones_like(about), about, about.square()
    return (*powers, *(log_error * power for power in powers))
