"""Data consistency: a restored picture whose re-compression is the very JPEG that it came from.

A JPEG says of each DCT coefficient of the original in which cell it lay, one quantization step wide.
Every restoration that leaves the cells contradicts the file; the nearest picture inside them does not.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch  # noqa: TID253  (nothing loads this module before there is something to project)
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.jpeg.alternation import in_cells
from napari_deartifact.jpeg.belonging import blocks_that_tell, warn_of_another_picture
from napari_deartifact.jpeg.coded import channels_first
from napari_deartifact.jpeg.finding import with_cells
from napari_deartifact.jpeg.restored import MARGIN_STEPS
from napari_deartifact.jpeg.rounding import in_whole_levels
from napari_deartifact.threads import side_by_side

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

ITERATIONS = 16
_TOLERANCE = 1e-3
_PART = 1024
"""Edge of a part in pixels, so small that its intermediates take freed memory again."""
_MOST_THREADS = 8
"""Each holds what is made of its part on the way, some hundred megabytes."""

_Span = tuple[slice, slice]


@dataclass(frozen=True)
class ConsistencyReport:
    """How a picture agrees with a JPEG.

    Attributes
    ----------
    inside : float
        Share of the coefficients that lie in their quantization cell, give or take 0.001 step; NaN when
        none could be checked.
    worst_excess : float
        The farthest that one lies outside of its cell, in quantization steps; 0 when none does.
    coefficients : int
        How many were checked.
    unknown : float
        Share of the coefficients that were not, because the decoded picture does not tell their cell.

    Examples
    --------
    >>> report = ConsistencyReport(inside=0.9998, worst_excess=0.02, coefficients=262144, unknown=0.0)
    >>> round((1 - report.inside) * report.coefficients)
    52
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
    whole: bool = False,
    iterations: int = ITERATIONS,
    margin: float = MARGIN_STEPS,
    weigh: bool = False,
) -> NDArray[np.floating[Any]]:
    """Move a restored picture into the quantization cells of its JPEG.

    Parameters
    ----------
    restored : array-like, shape (Y, X) or (Y, X, 3)
        The answer of a restoration, on the scale 0 to 2**precision − 1.
    decoded : array-like, same shape
        The JPEG as it was decoded, whole levels.
    jpeg : JPEGInfo
        Of `decoded`; `offset` tells where a cut-out lies on the block grid.
    whole : bool
        Answer in whole legal levels that an encoder takes to the same JPEG again, as near to `restored`
        as that allows.  Without it the answer is as near as the cells allow, and rounding it may leave
        some of them.
    iterations : int
        Alternations, at most, between the cells and the legal levels.
    margin : float
        Distance from a cell's walls to which answers from outside are moved, in quantization steps from
        0 (the walls) to 0.5 (the middle), and at most 4 levels.
    weigh : bool
        First replace every coefficient by what it is expected to be, given the restoration and the cell:
        see :func:`~napari_deartifact.jpeg.weighing.weighed`.  :func:`~napari_deartifact.deartifact` does.

    Returns
    -------
    ndarray of float64, or with `whole` of float32, same shape
        Unless `whole`, it lies in the cells and may leave the legal range by a fraction of a level.

    Raises
    ------
    ValueError
        For shapes that do not fit each other or the JPEG, or a margin out of its range.

    Warns
    -----
    UserWarning
        When most of the picture is not what the JPEG decodes to.

    Notes
    -----
    The cells are those of `jpeg.indices`, or else found from the decoded pixels.  A block whose cells do
    not reproduce its pixels is left as the restoration made it: blocks that a cut-out does not wholly
    contain, and pictures that were changed after decoding.  Of blocks over the right and bottom edge the
    cells are known where the record has the file's coefficients; what lies beyond the edge is taken as
    continued by repetition, which is what libjpeg does.

    An answer outside of a cell is wrong by more than its distance from the wall, so that the wall is
    not the best guess.  Answers are moved a quarter of the step, and at most 4 levels, off the walls,
    which on photographs measures better than the walls from quality 20 on, and no worse below.

    For whole levels the distance that is kept from a cell's walls grows, coefficient by coefficient,
    where rounding would leave the cell; then what is still lacking is added to what is aimed at.  A coded
    unit in which that does not help, as it may happen with steps of one or two levels, is left as it was
    decoded when the decoded one agrees better.

    An encoder computes with whole numbers, so that some of an original's own coefficients lie outside of
    their cells: up to 0.7 % in grey at qualities up to 90, and more in colour, which it rounds three times.
    ``benchmarks/consistency.py`` prints how many.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> info = JPEGInfo.from_quality(50, height=16, width=16)
    >>> decoded = np.full((16, 16), 96.0)
    >>> float(project(decoded + 3, decoded, info).mean().round(3))
    96.5
    """
    answer, known = projected_and_known(
        restored, decoded, jpeg, whole=whole, iterations=iterations, margin=margin, weigh=weigh
    )
    warn_of_another_picture(known)
    return answer


def projected_and_known(
    restored: ArrayLike,
    decoded: ArrayLike,
    jpeg: JPEGInfo,
    *,
    whole: bool = False,
    iterations: int = ITERATIONS,
    margin: float = MARGIN_STEPS,
    weigh: bool = False,
    luma_alone: bool = False,
) -> tuple[NDArray[np.floating[Any]], float]:
    """Do as :func:`project`, and instead of warning return which share of the blocks decodes to `decoded`.

    With `luma_alone`, for a record without indices, only luma's cells bind and count.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; expected 1 or more")
    if not 0 <= margin <= 0.5:
        raise ValueError(f"margin is {margin}; expected a number of quantization steps from 0 to 0.5")
    in_parts = whole and jpeg.indices is not None
    precision = np.float32 if in_parts else np.float64  # cells are found again in float64, and read in either
    pixels, levels = (channels_first(image, jpeg, precision) for image in (restored, decoded))
    if not pixels.numel():
        return np.array(restored, precision), math.nan
    if in_parts:
        answer, shown, known = _in_parts(pixels, levels, jpeg, iterations, margin, weigh)
    else:
        picture = with_cells(levels, jpeg)
        shown, known = blocks_that_tell(picture, luma_alone=luma_alone)
        if luma_alone:
            picture = picture.with_luma_alone()
        answer = (in_whole_levels if whole else in_cells)(picture, pixels, iterations, margin, weigh=weigh)
    channels_last = answer.movedim(0, -1)
    return (channels_last if len(answer) == 3 else channels_last[..., 0]).numpy(), known / shown


def _in_parts(
    pixels: torch.Tensor,
    levels: torch.Tensor,
    jpeg: JPEGInfo,
    iterations: int,
    margin: float,
    weigh: bool,
) -> tuple[torch.Tensor, int, int]:
    """Round a picture part by part: coded units do not depend on each other, and memory stays small.

    What is done to a part are many small steps, which a processor's cores do not share well; each takes a
    part of its own.
    """
    answer = torch.empty_like(pixels)

    def finish(part: tuple[_Span, _Span]) -> tuple[int, int]:
        (seen_rows, inner_rows), (seen_columns, inner_columns) = part
        picture = with_cells(levels[:, seen_rows, seen_columns], jpeg.crop(seen_rows, seen_columns))
        restored = pixels[:, seen_rows, seen_columns]
        inside = in_whole_levels(
            picture, restored, iterations, margin, weigh=weigh, window=(inner_rows, inner_columns)
        )
        top, left = seen_rows.start + inner_rows.start, seen_columns.start + inner_columns.start
        answer[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside
        return blocks_that_tell(picture)

    parts = product(*map(_parts, jpeg.offset, jpeg.shape, jpeg.mcu))
    with side_by_side(_MOST_THREADS) as threads:
        shown, known = (sum(counts) for counts in zip(*threads.map(finish, parts), strict=True))
    return answer, shown, known


def _parts(offset: int, length: int, unit: int) -> list[_Span]:
    """Cut an axis between coded units: what each part looks at, and which of that it answers for.

    Two units beyond it tell what interpolated chroma was.
    """
    step = max(_PART // unit, 1) * unit
    starts = [0, *range(step - offset % unit, length, step)]
    answer = []
    for start, stop in pairwise([*starts, length]):
        seen = slice(max(start - 2 * unit, 0), min(stop + 2 * unit, length))
        answer.append((seen, slice(start - seen.start, stop - seen.start)))
    return answer


def consistency_report(
    restored: ArrayLike, jpeg: JPEGInfo | str | os.PathLike[str], decoded: ArrayLike
) -> ConsistencyReport:
    """Check a picture against the quantization cells of a JPEG.

    Parameters
    ----------
    restored, decoded
        As for `project`.
    jpeg : JPEGInfo or path
        The record, or the JPEG file itself.

    Returns
    -------
    ConsistencyReport

    Raises
    ------
    ValueError
        As `project`.
    FileNotFoundError
        When there is no such file.

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
    if isinstance(jpeg, str | os.PathLike):
        from napari_deartifact.jpeg.info import JPEGInfo

        jpeg = JPEGInfo.from_file(jpeg)
    if 0 in jpeg.shape:
        return ConsistencyReport(math.nan, 0.0, 0, 0.0)
    picture = with_cells(channels_first(decoded, jpeg), jpeg)
    coefficients = picture.coefficients(picture.extended(channels_first(restored, jpeg)))
    excess, unknown = [], 0
    for part, found in zip(picture.components, coefficients, strict=True):
        excess.append((part.excess(found) / part.table)[part.known].flatten())
        unknown += int((~part.known & part.inside).sum()) * 64
    outside = torch.cat(excess)
    count = len(outside)
    worst = max(float(outside.max()), 0.0) if count else 0.0
    return ConsistencyReport(
        float((outside <= _TOLERANCE).double().mean()) if count else math.nan,
        worst if worst > _TOLERANCE else 0.0,
        count,
        unknown / max(count + unknown, 1),
    )
