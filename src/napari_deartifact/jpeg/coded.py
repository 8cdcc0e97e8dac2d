"""A decoded picture on its grid of coded units, with the cells that its coefficients lie in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import ArrayLike

from napari_deartifact.jpeg.cells import Cells, any_in_block
from napari_deartifact.jpeg.dct import block_dct, block_idct, extend_edges, ties_of_mean, whole_levels
from napari_deartifact.jpeg.resampling import downsample, repeat_samples, upsample
from napari_deartifact.jpeg.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo


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
        One a component; none before they are found.
    """

    pixels: torch.Tensor
    joint: bool
    white: float
    margins: tuple[tuple[int, int], tuple[int, int]]
    components: tuple[Cells, ...] = ()

    @classmethod
    def on_grid(cls, pixels: torch.Tensor, jpeg: JPEGInfo) -> CodedPicture:
        """Lay a decoded picture on its grid; no cells are known yet."""
        joint = len(pixels) == 3 and jpeg.color_space == "ycbcr"
        unit = jpeg.mcu if joint else (8, 8)
        before = [start % size for start, size in zip(jpeg.offset, unit, strict=True)]
        after = [-(start + side) % size for start, side, size in zip(before, jpeg.shape, unit, strict=True)]
        margins = (before[0], after[0]), (before[1], after[1])
        return cls(pixels, joint, 2.0**jpeg.precision - 1, margins)

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

    def on_whole_units(self, mask: torch.Tensor) -> torch.Tensor:
        """Continue a mask of the pixels, by False, to whole coded units."""
        (top, bottom), (left, right) = self.margins
        return torch.nn.functional.pad(mask, (left, right, top, bottom))

    def whole_blocks(self, part: Cells) -> torch.Tensor:
        """Mark the blocks of a component that do not reach beyond the picture, shape (rows, columns)."""
        beyond = ~self.on_whole_units(torch.ones_like(self.pixels[0], dtype=torch.bool))
        return ~any_in_block(beyond, 8 * part.ratio[0], 8 * part.ratio[1])

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
        planes = self.planes(state)
        if whole:
            planes = whole_levels(planes, self.white)
        answer = []
        for plane, part in zip(planes, self.components, strict=True):
            samples = self._ended(downsample(plane, *part.ratio), part.ratio[0])
            if whole:
                samples = whole_levels(samples, self.white, odd_up=ties_of_mean(part.ratio[1]))
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
        total = torch.stack([repeat_samples(block_idct(change), *part.ratio) for part, change in moves])
        if self.joint:
            total[1:] += self.middle
            total = ycbcr_to_rgb(total, white=self.white)
        return state + total

    def by_unit(self, shares: list[torch.Tensor]) -> torch.Tensor:
        """Average a number a block over coded units and spread it over their pixels: (C or 1, Y, X)."""
        planes = torch.stack(
            [
                repeat_samples(share, 8 * part.ratio[0], 8 * part.ratio[1])
                for part, share in zip(self.components, shares, strict=True)
            ]
        )
        if not self.joint:
            return planes
        unit = [8 * max(part.ratio[axis] for part in self.components) for axis in (0, 1)]
        mean = downsample(planes.mean(dim=0), *unit)
        return repeat_samples(mean, *unit)[None]

    def with_luma_alone(self) -> CodedPicture:
        """Return the same with no chroma cell known."""
        luma, *chroma = self.components
        unknown = (replace(part, known=torch.zeros_like(part.known)) for part in chroma)
        return replace(self, components=(luma, *unknown))

    def single(self) -> CodedPicture:
        """Return the same in single precision."""
        components = (
            replace(part, table=part.table.float(), indices=part.indices.float()) for part in self.components
        )
        return replace(self, pixels=self.pixels.float(), components=tuple(components))

    def planes(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the components of a picture, all at its own resolution."""
        return rgb_to_ycbcr(pixels, white=self.white) if self.joint else pixels

    def decoded(self) -> torch.Tensor:
        """Return what the cells' middles decode to, on whole coded units, not clipped."""
        planes = [
            upsample(whole_levels(part.samples(self.middle), self.white), *part.ratio)
            for part in self.components
        ]
        state = torch.stack(planes)
        return ycbcr_to_rgb(state.round(), white=self.white) if self.joint else state


def channels_first(
    picture: ArrayLike, jpeg: JPEGInfo, dtype: type[np.floating[Any]] = np.float64
) -> torch.Tensor:
    """Return a picture as a tensor of shape (C, Y, X) once it is known to have the JPEG's shape.

    Raises
    ------
    ValueError
        When it has not, when it has pixels that are not finite, and for CMYK.
    """
    pixels = np.asarray(picture, dtype=dtype)
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
