"""Quantization cells, found from the pixels that a decoder wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import NDArray

from napari_deartifact.jpeg.chroma import undo_interpolation
from napari_deartifact.jpeg.dct import block_dct, block_idct, extend_edges, quantize
from napari_deartifact.jpeg.resampling import downsample
from napari_deartifact.jpeg.weighing import weighed

_ROUNDS = 12


@dataclass(frozen=True)
class Cells:
    """The cells of one component's blocks.

    Attributes
    ----------
    table : Tensor, shape (8, 8)
        Quantization steps.
    ratio : (int, int)
        By how much the component is downsampled, vertically and horizontally.
    indices : Tensor, shape (rows, columns, 8, 8)
        Quantization indices.
    known : Tensor of bool, shape (rows, columns)
        Blocks whose indices reproduce the decoded picture.
    inside : Tensor of bool, shape (rows, columns)
        Blocks of which the picture shows anything.
    """

    table: torch.Tensor
    ratio: tuple[int, int]
    indices: torch.Tensor
    known: torch.Tensor
    inside: torch.Tensor

    def samples(self, middle: float) -> torch.Tensor:
        """Return what the middles of the cells decode to, at the component's own resolution."""
        return block_idct(self.indices * self.table) + middle

    def change(
        self, coefficients: torch.Tensor, margin: torch.Tensor | float, *, weigh: bool = False
    ) -> torch.Tensor:
        """Return by how much coefficients must change to lie in the known cells, `margin` off the walls.

        With `weigh` they are first replaced by what they are expected to be.
        """
        center = self.indices * self.table
        half = (self.table / 2 - margin).clamp(min=0)
        wanted = weighed(coefficients, center, self.table) if weigh else coefficients
        wanted = torch.minimum(torch.maximum(wanted, center - half), center + half)
        return (wanted - coefficients) * self.known[..., None, None]

    def excess(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return how far, in levels, coefficients lie beyond the walls of known cells; inside is negative."""
        beyond = (coefficients - self.indices * self.table).abs() - self.table / 2
        return torch.where(self.known[..., None, None], beyond, -self.table / 2)


def at_own_resolution(
    plane: torch.Tensor, axis: int, factor: int, margin: tuple[int, int], *, interpolated: bool
) -> torch.Tensor:
    """Undo what a decoder did along an axis; `margin` pixels are missing to whole coded units."""
    if factor == 1:
        return plane
    start = margin[0] % factor
    if interpolated:
        return torch.from_numpy(undo_interpolation(plane.numpy(), axis, start))
    lines = plane.movedim(axis, -1)
    end = -(start + lines.shape[-1]) % factor
    return downsample(extend_edges(lines, left=start, right=end), 1, factor).movedim(-1, axis)


def recovered_cells(
    decoded: torch.Tensor,
    visible: torch.Tensor,
    trusted: torch.Tensor,
    table: torch.Tensor,
    ratio: tuple[int, int],
    white: float,
) -> Cells:
    """Find the quantization indices that decode to these samples.

    Parameters
    ----------
    decoded : Tensor, shape (Y, X)
        A component at its own resolution, whole blocks.
    visible : Tensor of bool, shape (Y, X)
        Which samples are known.  What is not, and how far a clipped sample lay outside, is filled in
        from the indices found so far until both agree.
    trusted : Tensor of bool, shape (Y, X)
        Which samples tell whether a block's indices are right.
    table, ratio
        Kept in the answer.
    white : float
        The white level.

    Returns
    -------
    Cells
    """
    middle = (white + 1) / 2
    samples, before = decoded, torch.empty(0)
    for _ in range(_ROUNDS):
        indices = quantize(block_dct(samples - middle), table)
        if torch.equal(indices, before):
            break
        before = indices
        again = block_idct(indices * table) + middle
        samples = torch.where(visible, decoded, again)
        samples = torch.where(
            (decoded <= 0) & (again < 0) | (decoded >= white) & (again > white), again, samples
        )
    seen = any_in_block(visible)
    # Undoing an interpolation doubles what rounding the colours has added.
    wrong = (again.round().clamp(0, white) - decoded).abs() * trusted > max(ratio)
    return Cells(table, ratio, indices, ~any_in_block(wrong) & seen, seen)


def read_cells(
    coded: NDArray[np.int16],
    start: tuple[int, int],
    size: tuple[int, int],
    table: torch.Tensor,
    ratio: tuple[int, int],
) -> Cells:
    """Cut a picture's cells from the indices of the whole file.

    Parameters
    ----------
    coded : ndarray, shape (rows, columns, 8, 8)
        One component's quantization indices.
    start, size : (int, int)
        Rows and columns of the picture's first block, and how many blocks it has.
    table, ratio
        Kept in the answer.

    Returns
    -------
    Cells
        Blocks that `coded` does not have are not known.
    """
    part = coded[start[0] :, start[1] :][: size[0], : size[1]]
    indices = torch.zeros(*size, 8, 8, dtype=table.dtype)
    indices[: part.shape[0], : part.shape[1]] = torch.from_numpy(part.astype(np.int32))
    known = torch.zeros(size, dtype=torch.bool)
    known[: part.shape[0], : part.shape[1]] = True
    return Cells(table, ratio, indices, known, torch.ones(size, dtype=torch.bool))


def any_in_block(mask: torch.Tensor, height: int = 8, width: int = 8) -> torch.Tensor:
    """Say which blocks of a mask (Y, X) have a set element, shape (rows, columns)."""
    rows, columns = mask.shape[0] // height, mask.shape[1] // width
    return mask.reshape(rows, height, columns, width).any(dim=3).any(dim=1)
