"""Quantization cells, found from the pixels that a decoder wrote."""

from __future__ import annotations

from dataclasses import dataclass

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

from napari_deartifact.jpeg.chroma import undo_interpolation
from napari_deartifact.jpeg.dct import block_dct, block_idct, downsample, extend_edges, quantize

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

    def moved(self, samples: torch.Tensor, middle: float, margin: float) -> torch.Tensor:
        """Return by how much samples (Y, X) must change to lie in the known cells, `margin` off the walls."""
        coefficients = block_dct(samples - middle)
        center = self.indices * self.table
        half = (self.table / 2 - margin).clamp(min=0)
        wanted = torch.minimum(torch.maximum(coefficients, center - half), center + half)
        return block_idct((wanted - coefficients) * self.known[..., None, None])


def at_own_resolution(plane: torch.Tensor, axis: int, factor: int, margin: tuple[int, int]) -> torch.Tensor:
    """Undo a decoder's interpolation along an axis; `margin` pixels are missing to whole coded units."""
    if factor == 1:
        return plane
    start = margin[0] % factor
    if factor == 2:
        return torch.from_numpy(undo_interpolation(plane.numpy(), axis, start))
    lines = plane.movedim(axis, -1)
    end = -(start + lines.shape[-1]) % factor
    return downsample(extend_edges(lines, left=start, right=end), 1, factor).movedim(-1, axis)


def recovered_cells(
    decoded: torch.Tensor, visible: torch.Tensor, table: torch.Tensor, ratio: tuple[int, int], white: float
) -> Cells:
    """Find the quantization indices that decode to these samples.

    Parameters
    ----------
    decoded : Tensor, shape (Y, X)
        A component at its own resolution, whole blocks.
    visible : Tensor of bool, shape (Y, X)
        Which samples are known.  What is not, and how far a clipped sample lay outside, is filled in
        from the indices found so far until both agree.
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
    wrong = (again.round().clamp(0, white) - decoded).abs() * visible > 1
    seen = _by_block(visible).double().mean(dim=-1)
    return Cells(table, ratio, indices, ~_by_block(wrong).any(dim=-1) & (seen > 0), seen > 0)


def _by_block(mask: torch.Tensor) -> torch.Tensor:
    rows, columns = mask.shape[0] // 8, mask.shape[1] // 8
    return mask.reshape(rows, 8, columns, 8).transpose(1, 2).reshape(rows, columns, 64)
