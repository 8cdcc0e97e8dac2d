"""Which cells a decoded picture's coefficients lie in: named by the file, or found again from the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import NDArray

from napari_deartifact.jpeg.cells import Cells, any_in_block, at_own_resolution, read_cells, recovered_cells
from napari_deartifact.jpeg.coded import CodedPicture
from napari_deartifact.jpeg.dct import extend_edges
from napari_deartifact.jpeg.resampling import is_interpolated
from napari_deartifact.jpeg.sampling import sampling_ratios

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

_ROUNDS = 12
_DECODERS_DIFFER = 6.0
"""Levels by which two decoders may write the same pixel."""


def with_cells(pixels: torch.Tensor, jpeg: JPEGInfo) -> CodedPicture:
    """Find the cells of a decoded picture, or take them from the record where it has them.

    Parameters
    ----------
    pixels : Tensor, shape (C, Y, X)
        As decoded, whole levels; see :func:`~napari_deartifact.jpeg.coded.channels_first`.  Cells are of the
        same dtype; finding them from the pixels takes float64.
    jpeg : JPEGInfo
        Of the same size.

    Returns
    -------
    CodedPicture
        Blocks whose cells do not decode to the pixels are not known; nor, where the record does not have
        the cells, those that reach beyond the picture, of which several cells decode to what is seen.
    """
    picture = CodedPicture.on_grid(pixels, jpeg)
    if jpeg.indices is not None:
        return _without_changed(_read(picture, jpeg, jpeg.indices))
    return _without_partly_seen(_with_clipped_found(_guessed(picture, jpeg)))


def _read(picture: CodedPicture, jpeg: JPEGInfo, indices: Sequence[NDArray[np.int16]]) -> CodedPicture:
    """Take the cells that the file itself names."""
    margins = picture.margins
    sides = [sum(margin) + side for margin, side in zip(margins, picture.pixels.shape[1:], strict=True)]
    corner = [at - before for at, (before, _) in zip(jpeg.offset, margins, strict=True)]
    components = []
    for coded, (table, ratio) in zip(indices, _tables_and_ratios(picture, jpeg), strict=True):
        start, size = ((pair[0] // (8 * ratio[0]), pair[1] // (8 * ratio[1])) for pair in (corner, sides))
        components.append(read_cells(coded, start, size, table, ratio))
    return replace(picture, components=tuple(components))


def _without_changed(picture: CodedPicture) -> CodedPicture:
    """Forget the blocks that do not decode to the pixels, or of which a border is cut off."""
    again = picture.cut(picture.decoded()).clamp(0, picture.white)
    wrong = ((again - picture.pixels).abs() > _DECODERS_DIFFER).any(dim=0)
    (top, _), (left, _) = picture.margins
    seen, wrong = picture.on_whole_units(torch.ones_like(wrong)), picture.on_whole_units(wrong)
    wrong[:top], wrong[:, :left] = True, True

    def checked(part: Cells) -> Cells:
        size = 8 * part.ratio[0], 8 * part.ratio[1]
        # What lies wholly beyond the picture an encoder fills as it likes.
        shown = any_in_block(seen, *size)
        return replace(part, known=part.known & shown & ~any_in_block(wrong, *size), inside=shown)

    return replace(picture, components=tuple(map(checked, picture.components)))


def _without_partly_seen(picture: CodedPicture) -> CodedPicture:
    """Forget the blocks that reach beyond the picture."""
    components = (replace(part, known=part.known & picture.whole_blocks(part)) for part in picture.components)
    return replace(picture, components=tuple(components))


def _guessed(picture: CodedPicture, jpeg: JPEGInfo) -> CodedPicture:
    """Find each component's cells by itself."""
    doubt = _doubt(picture)

    def find(plane: torch.Tensor, part: tuple[torch.Tensor, tuple[int, int]]) -> Cells:
        visible = _reliable(picture, doubt, part[1])
        return recovered_cells(_samples(picture, plane, part[1]), visible, visible, *part, picture.white)

    parts = _tables_and_ratios(picture, jpeg)
    return replace(picture, components=tuple(map(find, picture.planes(picture.pixels), parts)))


def _with_clipped_found(picture: CodedPicture) -> CodedPicture:
    """Let the cells found so far say how far clipped channels lay outside, until both agree."""
    low, high = picture.pixels <= 0, picture.pixels >= picture.white
    if not picture.joint or not (low | high).any():
        return picture
    doubt, nothing = _doubt(picture), torch.zeros_like(picture.pixels[0])
    masks = [
        (_reliable(picture, nothing, part.ratio), _reliable(picture, doubt, part.ratio))
        for part in picture.components
    ]

    def found_again(found: tuple[Cells, ...]) -> tuple[Cells, ...]:
        decoded = picture.cut(replace(picture, components=found).decoded())
        filled = torch.where(low & (decoded < 0) | high & (decoded > picture.white), decoded, picture.pixels)
        return tuple(
            recovered_cells(
                _samples(picture, plane, part.ratio), *mask, part.table, part.ratio, picture.white
            )
            for part, plane, mask in zip(found, picture.planes(filled), masks, strict=True)
        )

    last, now = picture.components, found_again(picture.components)
    for left in reversed(range(_ROUNDS - 1)):
        before, last, now = last, now, found_again(now)
        if _same_indices(last, now):
            break
        if _same_indices(before, now):
            # One block in thousands goes to and fro for ever: the last round is known without the others.
            now = last if left % 2 else now
            break
    return replace(picture, components=now)


def _same_indices(some: Sequence[Cells], others: Sequence[Cells]) -> bool:
    return all(torch.equal(a.indices, b.indices) for a, b in zip(some, others, strict=True))


def _tables_and_ratios(picture: CodedPicture, jpeg: JPEGInfo) -> list[tuple[torch.Tensor, tuple[int, int]]]:
    def table(index: int) -> torch.Tensor:
        return torch.from_numpy(jpeg.table(index)).to(picture.pixels)

    if not picture.joint:
        last = len(jpeg.tables) - 1
        return [(table(min(index, last)), (1, 1)) for index in range(len(picture.pixels))]
    return [(table(index), ratio) for index, ratio in enumerate(sampling_ratios(jpeg.sampling))]


def _doubt(picture: CodedPicture) -> torch.Tensor:
    """Mark the pixels that clipping leaves no say about any component, shape (Y, X)."""
    clipped = ((picture.pixels <= 0) | (picture.pixels >= picture.white)).any(dim=0)
    return (clipped & picture.joint).double()


def _samples(picture: CodedPicture, plane: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
    """Return a component at its own resolution on whole blocks."""
    plane = _at_own_resolution(picture, plane, ratio)
    (top, bottom), (left, right) = _beyond(picture, plane, ratio)
    return extend_edges(plane.round(), top=top, bottom=bottom, left=left, right=right)


def _reliable(picture: CodedPicture, doubt: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
    """Mark the samples of a component that no doubtful pixel and no pixel beyond the picture has made."""
    doubt = _at_own_resolution(picture, doubt, ratio)
    (top, bottom), (left, right) = _beyond(picture, doubt, ratio)
    return torch.nn.functional.pad(doubt.abs() < 1e-3, (left, right, top, bottom))


def _at_own_resolution(picture: CodedPicture, plane: torch.Tensor, ratio: tuple[int, int]) -> torch.Tensor:
    for axis, factor in enumerate(ratio):
        plane = at_own_resolution(
            plane, axis, factor, picture.margins[axis], interpolated=is_interpolated(*ratio)
        )
    return plane


def _beyond(
    picture: CodedPicture, samples: torch.Tensor, ratio: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """Return how many samples of a component are missing to whole blocks, before and after."""
    return tuple(
        (before // factor, (before + size + after) // factor - before // factor - own)
        for (before, after), size, factor, own in zip(
            picture.margins, picture.pixels.shape[1:], ratio, samples.shape, strict=True
        )
    )
