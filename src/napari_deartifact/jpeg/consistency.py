"""Data consistency: a restored picture whose re-compression is the very JPEG that it came from.

A JPEG says of each DCT coefficient of the original in which cell it lay, one quantization step wide.
Every restoration that leaves the cells contradicts the file; the nearest picture inside them does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.cells import Cells, at_own_resolution, recovered_cells
from napari_deartifact.jpeg.dct import (
    block_dct,
    downsample,
    extend_edges,
    rgb_to_ycbcr,
    sampling_ratios,
    ycbcr_to_rgb,
)

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

MARGIN = 1.2
ITERATIONS = 8
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ConsistencyReport:
    """How a picture agrees with a JPEG.

    Attributes
    ----------
    inside : float
        Share of the coefficients that lie in their quantization cell, give or take 0.001 step.
    worst_excess : float
        The farthest that one lies outside of its cell, in quantization steps; 0 when none does.
    coefficients : int
        How many were checked.
    unknown : float
        Share of the coefficients that were not, because the decoded picture does not tell their cell.
    """

    inside: float
    worst_excess: float
    coefficients: int
    unknown: float


def project(
    restored: ArrayLike,
    decoded: ArrayLike,
    jpeg: JPEGInfo,
    *,
    margin: float = MARGIN,
    iterations: int = ITERATIONS,
) -> NDArray[np.float64]:
    """Move a restored picture into the quantization cells of its JPEG.

    Parameters
    ----------
    restored : array-like, shape (Y, X) or (Y, X, 3)
        The answer of a restoration, on the scale 0 to 2**precision − 1.
    decoded : array-like, same shape
        The JPEG as it was decoded, whole levels.
    jpeg : JPEGInfo
        Of `decoded`; `offset` tells where a cut-out lies on the block grid.
    margin : float
        Distance kept from a cell's walls, in levels, so that rounding the answer to whole levels leaves
        it inside.  Cells narrower than twice the margin shrink to their middle.
    iterations : int
        Alternations, at most, between the cells and the range of legal levels.

    Returns
    -------
    ndarray of float64, same shape
        The last step puts it into the cells, and may leave the legal range by a fraction of a level.

    Raises
    ------
    ValueError
        For shapes that do not fit each other or the JPEG.

    Notes
    -----
    The cells are found from the decoded pixels.  A block whose cells do not reproduce its pixels is left
    as the restoration made it: blocks that a cut-out does not wholly contain, and pictures that were
    changed after decoding.  Blocks over the right and bottom edge are taken as continued by repetition,
    which is what libjpeg does.

    An encoder computes with whole numbers, so that 0.01 to 0.7 % of an original's own coefficients lie
    outside of their cells.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> info = JPEGInfo.from_quality(50, height=16, width=16)
    >>> decoded = np.full((16, 16), 96.0)
    >>> float(project(decoded + 3, decoded, info).mean().round(3))
    96.85
    """
    picture, pixels = _Picture.of(decoded, jpeg), _checked(restored, jpeg)
    state = picture.extended(pixels)
    for _ in range(iterations):
        inside = picture.in_cells(state, margin)
        state = picture.refolded(inside.clamp(0, picture.white))
        if torch.equal(state, inside):
            break
    return picture.cut(picture.in_cells(state, margin))


def consistency_report(restored: ArrayLike, jpeg: JPEGInfo, decoded: ArrayLike) -> ConsistencyReport:
    """Check a picture against the quantization cells of a JPEG.

    Parameters
    ----------
    restored, jpeg, decoded
        As for `project`.

    Returns
    -------
    ConsistencyReport

    Raises
    ------
    ValueError
        As `project`.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> info = JPEGInfo.from_quality(50, height=16, width=16)
    >>> decoded = np.full((16, 16), 96.0)
    >>> consistency_report(decoded, info, decoded).inside
    1.0
    >>> round(consistency_report(decoded + 3, info, decoded).worst_excess, 6)
    1.0
    """
    picture = _Picture.of(decoded, jpeg)
    excess, unknown = [], 0
    for component, samples in zip(
        picture.components, picture.samples(picture.extended(_checked(restored, jpeg))), strict=True
    ):
        steps = (block_dct(samples - picture.middle) / component.table - component.indices).abs() - 0.5
        excess.append(steps[component.known].flatten())
        unknown += int((~component.known & component.inside).sum()) * 64
    outside = torch.cat(excess)
    count = len(outside)
    worst = max(float(outside.max()), 0.0) if count else 0.0
    return ConsistencyReport(
        float((outside <= _TOLERANCE).double().mean()) if count else 1.0,
        worst if worst > _TOLERANCE else 0.0,
        count,
        unknown / max(count + unknown, 1),
    )


@dataclass(frozen=True)
class _Picture:
    """A decoded picture on its grid of coded units, which may begin before it and end after it."""

    pixels: torch.Tensor
    joint: bool
    white: float
    margins: tuple[tuple[int, int], tuple[int, int]]
    components: tuple[Cells, ...] = ()

    @classmethod
    def of(cls, decoded: ArrayLike, jpeg: JPEGInfo) -> _Picture:
        pixels = _checked(decoded, jpeg)
        joint = len(pixels) == 3 and jpeg.color_space == "ycbcr"
        unit = jpeg.mcu if joint else (8, 8)
        before = [start % size for start, size in zip(jpeg.offset, unit, strict=True)]
        after = [-(start + side) % size for start, side, size in zip(before, jpeg.shape, unit, strict=True)]
        margins = (before[0], after[0]), (before[1], after[1])
        bare = cls(pixels, joint, 2.0**jpeg.precision - 1, margins)
        ratios = sampling_ratios(jpeg.sampling) if joint else [(1, 1)] * 3
        tables = [torch.from_numpy(jpeg.table(index)).double() for index in range(len(jpeg.tables))]
        planes = rgb_to_ycbcr(pixels, white=bare.white) if joint else pixels
        components = [
            bare.component(plane, table, ratio)
            for plane, table, ratio in zip(planes, tables if joint else tables * 3, ratios, strict=False)
        ]
        return replace(bare, components=tuple(components))

    @property
    def middle(self) -> float:
        return (self.white + 1) / 2

    def component(self, plane: torch.Tensor, table: torch.Tensor, ratio: tuple[int, int]) -> Cells:
        """Find a component's cells from its decoded plane at full resolution."""
        legal = ((self.pixels > 0) & (self.pixels < self.white)).all(dim=0)
        doubt = (~legal).double() if self.joint else torch.zeros_like(plane)
        for axis, factor in enumerate(ratio):
            plane, doubt = (
                at_own_resolution(part, axis, factor, self.margins[axis]) for part in (plane, doubt)
            )
        (top, bottom), (left, right) = (
            (before // factor, (before + size + after) // factor - before // factor - own)
            for (before, after), size, factor, own in zip(
                self.margins, self.pixels.shape[1:], ratio, plane.shape, strict=True
            )
        )
        visible = torch.nn.functional.pad(doubt.abs() < 1e-3, (left, right, top, bottom))
        decoded = extend_edges(plane.round(), top=top, bottom=bottom, left=left, right=right)
        return recovered_cells(decoded, visible, table, ratio, self.white)

    def extended(self, pixels: torch.Tensor) -> torch.Tensor:
        """Continue a picture to whole coded units by repeating its border."""
        (top, bottom), (left, right) = self.margins
        return extend_edges(pixels, top=top, bottom=bottom, left=left, right=right)

    def cut(self, state: torch.Tensor) -> NDArray[np.float64]:
        """Undo `extended`, and put channels last."""
        height, width = self.pixels.shape[1:]
        (top, _), (left, _) = self.margins
        cut = state[:, top : top + height, left : left + width].movedim(0, -1)
        return (cut if len(state) == 3 else cut[..., 0]).numpy()

    def refolded(self, state: torch.Tensor) -> torch.Tensor:
        """Make what lies beyond the bottom and right edge a repetition of the edge again."""
        (_, bottom), (_, right) = self.margins
        if bottom:
            state[:, -bottom - 1 :] = state[:, -bottom - 1 :].mean(dim=1, keepdim=True)
        if right:
            state[..., -right - 1 :] = state[..., -right - 1 :].mean(dim=2, keepdim=True)
        return state

    def samples(self, state: torch.Tensor) -> list[torch.Tensor]:
        """Return what an encoder would make of a picture: its components at their own resolution."""
        planes = rgb_to_ycbcr(state, white=self.white) if self.joint else state
        return [downsample(plane, *part.ratio) for plane, part in zip(planes, self.components, strict=True)]

    def in_cells(self, state: torch.Tensor, margin: float) -> torch.Tensor:
        """Move a picture into the cells, which are all orthogonal to each other but for colour."""
        moves = []
        for part, samples in zip(self.components, self.samples(state), strict=True):
            move = part.moved(samples, self.middle, margin)
            for axis, factor in enumerate(part.ratio):
                move = move.repeat_interleave(factor, dim=axis)
            moves.append(move)
        total = torch.stack(moves)
        if self.joint:
            total[1:] += self.middle
            total = ycbcr_to_rgb(total, white=self.white)
        return state + total


def _checked(picture: ArrayLike, jpeg: JPEGInfo) -> torch.Tensor:
    pixels = np.asarray(picture, dtype=np.float64)
    if pixels.shape not in (jpeg.shape, (*jpeg.shape, 3)) or jpeg.color_space in ("cmyk", "ycck"):
        raise ValueError(
            f"a picture of shape {pixels.shape} with a {jpeg.color_space} JPEG of {jpeg.height}×{jpeg.width}"
            " pixels; expected (Y, X) or (Y, X, 3) of the JPEG's size, grey or RGB"
        )
    if not np.isfinite(pixels).all():
        raise ValueError("the picture has NaN or infinite pixels; fill them first")
    return torch.from_numpy(np.moveaxis(np.atleast_3d(pixels), -1, 0).copy())
