"""A decoded picture on its grid of coded units, with the cells that its coefficients lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.cells import Cells, any_in_block, at_own_resolution, read_cells, recovered_cells
from napari_deartifact.jpeg.dct import (
    block_dct,
    block_idct,
    extend_edges,
    rgb_to_ycbcr,
    whole_levels,
    ycbcr_to_rgb,
)
from napari_deartifact.jpeg.resampling import downsample, spread, upsample
from napari_deartifact.jpeg.sampling import sampling_ratios

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

_ROUNDS = 12
_DECODERS_DIFFER = 6.0
"""Levels by which two decoders may write the same pixel."""


@dataclass(frozen=True)
class CodedPicture:
    """A decoded picture whose grid may begin before it and end after it.

    Attributes
    ----------
    pixels : Tensor, shape (C, Y, X)
        As decoded, whole levels.
    joint : bool
        Whether the channels are RGB that was coded as YCbCr; else each is coded by itself.
    white : float
        The white level.
    margins : ((int, int), (int, int))
        Pixels missing to whole coded units: above and below, left and right.
    components : tuple of Cells
        One a component.
    """

    pixels: torch.Tensor
    joint: bool
    white: float
    margins: tuple[tuple[int, int], tuple[int, int]]
    components: tuple[Cells, ...] = ()

    @classmethod
    def of(cls, pixels: torch.Tensor, jpeg: JPEGInfo) -> CodedPicture:
        """Find the cells of a decoded picture, or take them from the record where it has them."""
        joint = len(pixels) == 3 and jpeg.color_space == "ycbcr"
        unit = jpeg.mcu if joint else (8, 8)
        before = [start % size for start, size in zip(jpeg.offset, unit, strict=True)]
        after = [-(start + side) % size for start, side, size in zip(before, jpeg.shape, unit, strict=True)]
        margins = (before[0], after[0]), (before[1], after[1])
        bare = cls(pixels, joint, 2.0**jpeg.precision - 1, margins)
        if jpeg.indices is None:
            return bare._guessed(jpeg).with_clipped_found()
        return bare._read(jpeg, jpeg.indices)

    @property
    def middle(self) -> float:
        """The level that counts as 0 in the DCT."""
        return (self.white + 1) / 2

    @property
    def coefficients_in_a_unit(self) -> int:
        """How many coefficients are coded together: 64, or in 4:2:0 colour 384."""
        if not self.joint:
            return 64
        height, width = (max(part.ratio[axis] for part in self.components) for axis in (0, 1))
        return 64 * sum(height * width // (part.ratio[0] * part.ratio[1]) for part in self.components)

    def extended(self, pixels: torch.Tensor) -> torch.Tensor:
        """Continue a picture to whole coded units by repeating its border."""
        (top, bottom), (left, right) = self.margins
        return extend_edges(pixels, top=top, bottom=bottom, left=left, right=right)

    def cut(self, state: torch.Tensor) -> torch.Tensor:
        """Undo `extended`."""
        height, width = self.pixels.shape[1:]
        (top, _), (left, _) = self.margins
        return state[:, top : top + height, left : left + width]

    def refolded(self, state: torch.Tensor) -> torch.Tensor:
        """Make what lies beyond the bottom and right edge a repetition of the edge again."""
        (_, bottom), (_, right) = self.margins
        if bottom:
            state[:, -bottom - 1 :] = state[:, -bottom - 1 :].mean(dim=1, keepdim=True)
        if right:
            state[..., -right - 1 :] = state[..., -right - 1 :].mean(dim=2, keepdim=True)
        return state

    def coefficients(self, state: torch.Tensor, *, whole: bool = False) -> list[torch.Tensor]:
        """Return what an encoder would quantize, each component of shape (rows, columns, 8, 8).

        With `whole` its samples are rounded wherever an encoder rounds them.
        """
        planes = self._planes(state)
        if whole:
            planes = whole_levels(planes, self.white)
        answer = []
        for plane, part in zip(planes, self.components, strict=True):
            samples = self._ended(downsample(plane, *part.ratio), part.ratio[0])
            if whole:
                samples = whole_levels(samples, self.white, odd_up=True)
            answer.append(block_dct(samples - self.middle))
        return answer

    def _ended(self, samples: torch.Tensor, factor: int) -> torch.Tensor:
        """Repeat the last row of samples that shows the picture: libjpeg does so after it has downsampled."""
        top, _ = self.margins[0]
        rows = -(-(top + self.pixels.shape[1]) // factor)
        return extend_edges(samples[:rows], bottom=len(samples) - rows)

    def moved(self, state: torch.Tensor, changes: list[torch.Tensor]) -> torch.Tensor:
        """Add changes of the coefficients to a picture, each spread evenly over the pixels it came from."""
        moves = zip(self.components, changes, strict=True)
        total = torch.stack([spread(block_idct(change), *part.ratio) for part, change in moves])
        if self.joint:
            total[1:] += self.middle
            total = ycbcr_to_rgb(total, white=self.white)
        return state + total

    def by_unit(self, shares: list[torch.Tensor]) -> torch.Tensor:
        """Average a number a block over coded units and spread it over their pixels: (C or 1, Y, X)."""
        planes = torch.stack(
            [
                spread(share, 8 * part.ratio[0], 8 * part.ratio[1])
                for part, share in zip(self.components, shares, strict=True)
            ]
        )
        if not self.joint:
            return planes
        unit = [8 * max(part.ratio[axis] for part in self.components) for axis in (0, 1)]
        mean = downsample(planes.mean(dim=0), *unit)
        return spread(mean, *unit)[None]

    def single(self) -> CodedPicture:
        """Return the same in single precision."""
        components = (
            replace(part, table=part.table.float(), indices=part.indices.float()) for part in self.components
        )
        return replace(self, pixels=self.pixels.float(), components=tuple(components))

    def _tables_and_ratios(self, jpeg: JPEGInfo) -> list[tuple[torch.Tensor, tuple[int, int]]]:
        if not self.joint:
            return [(torch.from_numpy(jpeg.table(0)).double(), (1, 1))] * len(self.pixels)
        ratios = sampling_ratios(jpeg.sampling)
        return [(torch.from_numpy(jpeg.table(index)).double(), ratio) for index, ratio in enumerate(ratios)]

    def _planes(self, pixels: torch.Tensor) -> torch.Tensor:
        return rgb_to_ycbcr(pixels, white=self.white) if self.joint else pixels

    def _doubt(self) -> torch.Tensor:
        """Mark the pixels that clipping leaves no say about any component, shape (Y, X)."""
        clipped = ((self.pixels <= 0) | (self.pixels >= self.white)).any(dim=0)
        return (clipped & self.joint).double()

    def _guessed(self, jpeg: JPEGInfo) -> CodedPicture:
        """Find each component's cells by itself."""
        doubt = self._doubt()

        def find(plane: torch.Tensor, part: tuple[torch.Tensor, tuple[int, int]]) -> Cells:
            visible = self._reliable(doubt, part[1])
            return recovered_cells(self._samples(plane, part[1]), visible, visible, *part, self.white)

        parts = self._tables_and_ratios(jpeg)
        return replace(self, components=tuple(map(find, self._planes(self.pixels), parts)))

    def _read(self, jpeg: JPEGInfo, indices: Sequence[NDArray[np.int16]]) -> CodedPicture:
        """Take the cells that the file itself names, but for blocks that were changed since."""
        sides = [sum(margin) + side for margin, side in zip(self.margins, self.pixels.shape[1:], strict=True)]
        corner = [at - before for at, (before, _) in zip(jpeg.offset, self.margins, strict=True)]
        components = []
        for coded, (table, ratio) in zip(indices, self._tables_and_ratios(jpeg), strict=True):
            start, size = ((pair[0] // (8 * ratio[0]), pair[1] // (8 * ratio[1])) for pair in (corner, sides))
            components.append(read_cells(coded, start, size, table, ratio))
        return replace(self, components=tuple(components)).without_changed()

    def without_changed(self) -> CodedPicture:
        """Forget the blocks that do not decode to the pixels, or of which a border is cut off."""
        again = self.cut(self.decoded()).clamp(0, self.white)
        wrong = ((again - self.pixels).abs() > _DECODERS_DIFFER).any(dim=0)
        (top, bottom), (left, right) = self.margins
        seen, wrong = (
            torch.nn.functional.pad(mask, (left, right, top, bottom))
            for mask in (torch.ones_like(wrong), wrong)
        )
        wrong[:top], wrong[:, :left] = True, True

        def checked(part: Cells) -> Cells:
            size = 8 * part.ratio[0], 8 * part.ratio[1]
            # What lies wholly beyond the picture an encoder fills as it likes.
            shown = any_in_block(seen, *size)
            return replace(part, known=part.known & shown & ~any_in_block(wrong, *size), inside=shown)

        return replace(self, components=tuple(map(checked, self.components)))

    def with_clipped_found(self) -> CodedPicture:
        """Let the cells found so far say how far clipped channels lay outside, until both agree."""
        low, high = self.pixels <= 0, self.pixels >= self.white
        if not self.joint or not (low | high).any():
            return self
        doubt, nothing = self._doubt(), torch.zeros_like(self.pixels[0])
        masks = [
            (self._reliable(nothing, part.ratio), self._reliable(doubt, part.ratio))
            for part in self.components
        ]

        def found_again(found: tuple[Cells, ...]) -> tuple[Cells, ...]:
            decoded = self.cut(replace(self, components=found).decoded())
            filled = torch.where(low & (decoded < 0) | high & (decoded > self.white), decoded, self.pixels)
            return tuple(
                recovered_cells(self._samples(plane, part.ratio), *mask, part.table, part.ratio, self.white)
                for part, plane, mask in zip(found, self._planes(filled), masks, strict=True)
            )

        last, now = self.components, found_again(self.components)
        for left in reversed(range(_ROUNDS - 1)):
            before, last, now = last, now, found_again(now)
            if _same_indices(last, now):
                break
            if _same_indices(before, now):
                # One block in thousands goes to and fro for ever: the last round is known without the others.
                now = last if left % 2 else now
                break
        return replace(self, components=now)

    def decoded(self) -> torch.Tensor:
        """Return what the cells' middles decode to, on whole coded units, not clipped."""
        planes = [
            upsample(whole_levels(part.samples(self.middle), self.white), *part.ratio)
            for part in self.components
        ]
        state = torch.stack(planes)
        return ycbcr_to_rgb(state.round(), white=self.white) if self.joint else state

    def _samples(self, plane: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
        """Return a component at its own resolution on whole blocks."""
        plane = self._at_own_resolution(plane, ratio)
        (top, bottom), (left, right) = self._beyond(plane, ratio)
        return extend_edges(plane.round(), top=top, bottom=bottom, left=left, right=right)

    def _reliable(self, doubt: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
        """Mark the samples of a component that no doubtful pixel and no pixel beyond the picture has made."""
        doubt = self._at_own_resolution(doubt, ratio)
        (top, bottom), (left, right) = self._beyond(doubt, ratio)
        return torch.nn.functional.pad(doubt.abs() < 1e-3, (left, right, top, bottom))

    def _at_own_resolution(self, plane: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
        for axis, factor in enumerate(ratio):
            plane = at_own_resolution(plane, axis, factor, self.margins[axis])
        return plane

    def _beyond(self, samples: torch.Tensor, ratio: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Return how many samples of a component are missing to whole blocks, before and after."""
        return tuple(
            (before // factor, (before + size + after) // factor - before // factor - own)
            for (before, after), size, factor, own in zip(
                self.margins, self.pixels.shape[1:], ratio, samples.shape, strict=True
            )
        )


def _same_indices(some: Sequence[Cells], others: Sequence[Cells]) -> bool:
    return all(torch.equal(a.indices, b.indices) for a, b in zip(some, others, strict=True))


def channels_first(picture: ArrayLike, jpeg: JPEGInfo) -> torch.Tensor:
    """Return a picture as a tensor of shape (C, Y, X) once it is known to have the JPEG's shape.

    Raises
    ------
    ValueError
        When it has not, when it has pixels that are not finite, and for CMYK.
    """
    pixels = np.asarray(picture, dtype=np.float64)
    channels = () if pixels.ndim == 2 else (3,)
    fits = pixels.shape == (*jpeg.shape, *channels) and (channels or len(jpeg.tables) == 1)
    if not fits or jpeg.color_space in ("cmyk", "ycck"):
        raise ValueError(
            f"a picture of shape {pixels.shape} with a {jpeg.color_space} JPEG of {jpeg.height}×{jpeg.width}"
            " pixels; expected (Y, X) or (Y, X, 3) of the JPEG's size, grey or RGB"
        )
    if not np.isfinite(pixels).all():
        raise ValueError("the picture has NaN or infinite pixels; fill them first")
    planes = np.moveaxis(np.atleast_3d(pixels), -1, 0)
    # Nothing writes to them; what is not writable torch would complain of.
    return torch.from_numpy(np.require(planes, requirements=["C", "W"]))
