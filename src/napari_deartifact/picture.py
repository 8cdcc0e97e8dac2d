"""One picture through a model: holes filled, tiles restored, the file obeyed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import channels_first, channels_last
from napari_deartifact.intensities import IntensityScale, fill_nonfinite
from napari_deartifact.tiling import ALL, Progress, Region, restore_in_tiles

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

GREY_REACH = 8
"""Pixels around one that must be grey for it to stay so."""
_CONFIDENT = 0.95


def restore_picture(
    picture: NDArray[Any],
    scale: IntensityScale,
    model: Restorer,
    *,
    strength: float,
    jpeg: JPEGInfo | None,
    estimate: JPEGEstimate | None = None,
    consistency: bool,
    tile_size: int,
    region: Region = ALL,
) -> Generator[Progress, None, None]:
    """Restore one picture in place, a tile a step.

    Parameters
    ----------
    picture : ndarray, shape (C, Y, X)
        C is 1 or 3.  It changes after the last tile, as a whole.
    scale : IntensityScale
        What is black and white in it, unless an estimate has found its JPEG on another scale.
    model : Restorer
    strength : float
        0 (the input) to 1 (the model's answer).
    jpeg : JPEGInfo or None
        The JPEG that the pixels came from.
    estimate : JPEGEstimate, optional
        What the pixels tell of it, where `jpeg` is None.  Without either the picture is taken to start on
        the block grid.
    consistency : bool
        Move the answer into the quantization cells of `jpeg`, or of the estimate when there is no doubt.
    tile_size : int
        Edge of a tile, in pixels.
    region : (slice, slice)
        Rows and columns to restore, on the grid of tiles and, with consistency, of coded units; what lies
        beyond is only looked at, and is worth nothing afterwards.

    Yields
    ------
    Progress
        Before the first tile and after each.

    Warns
    -----
    UserWarning
        When most of the picture is not what its JPEG decodes to.  Where the model needs tables and the pixels
        tell of none it stays as it is, without a word.
    """
    places, guessed = [(0, 0)], jpeg is None
    luma_alone = estimate is not None and not estimate.knows_chroma
    if jpeg is None and estimate is not None:
        scale = scale_on(estimate, scale)
        if not estimate.is_jpeg and model.needs_tables:
            yield Progress(0, 1)
            yield Progress(1, 1)
            return
        places = _places(estimate, model)
        if estimate.is_jpeg and (model.needs_tables or consistency):
            jpeg = estimate.to_jpeg_info(*picture.shape[1:])
            consistency = consistency and _beyond_doubt(estimate)
    unit = scale.to_unit(picture)
    degraded = within_range(unit)
    answer: NDArray[np.floating[Any]]
    answer = yield from _restored(degraded, model, places, tile_size=tile_size, jpeg=jpeg, region=region)
    if len(degraded) == 3:
        answer = kept_grey(answer, degraded)
    if consistency and jpeg is not None:
        from napari_deartifact.jpeg.belonging import FEWEST_KNOWN, warn_of_another_picture

        seen, whole = _with_neighbours(region, jpeg), scale.is_whole_levels(jpeg.precision)
        part, known = consistent(
            answer[:, *seen],
            degraded[:, *seen],
            jpeg.crop(*seen),
            whole=whole,
            luma_alone=guessed and luma_alone,
        )
        if not guessed:
            warn_of_another_picture(known)
        # Tables that were guessed, and are not this picture's after all, bind nothing.
        fits = not guessed or known >= FEWEST_KNOWN
        if fits and part.shape == answer.shape:
            answer = part
        elif fits:
            answer = answer.astype(np.float64)
            answer[:, *seen] = part
    # A consistent input makes every blend of it and a consistent answer consistent: cells are convex.
    answer -= degraded
    answer *= strength
    if degraded is not unit:
        answer[~np.isfinite(unit)] = 0  # what lies beyond the range keeps its distance from it
    picture[...] = scale.corrected(picture, answer)


def _restored(
    degraded: NDArray[np.float32],
    model: Restorer,
    places: Sequence[tuple[int, int]],
    *,
    jpeg: JPEGInfo | None,
    **options: Any,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Restore a picture as often as there are grids to lay it on, each time what came of the last.

    `places` are those of the first pixel in the coded unit.  With several `jpeg` says nothing.
    """
    count = len(places)
    for index, place in enumerate(places):
        told = jpeg if count == 1 else None
        steps = restore_in_tiles(within_range(degraded), model, jpeg=told, offset=place, **options)
        degraded = yield from _share_of(steps, index, count)
    return degraded


def _share_of(
    steps: Generator[Progress, None, NDArray[np.float32]], index: int, count: int
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Run one of `count` passes over the same tiles."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            answer: NDArray[np.float32] = end.value
            return answer
        if step.done or index == 0:
            yield Progress(index * step.total + step.done, count * step.total)


def _places(estimate: JPEGEstimate, model: Restorer) -> list[tuple[int, int]]:
    """Return where in a coded unit the first pixel is to lie, in each of the passes that a picture needs.

    What was cut out of a JPEG and compressed again has blocks on two grids.  Networks know what lies on
    their own, so it is laid on the first grid, on the last one, and on the first again.
    """
    earlier = estimate.first_grid
    if earlier is None or earlier == estimate.grid or model.needs_tables:
        return [estimate.offset]
    first = -earlier[0] % 8, -earlier[1] % 8
    return [first, estimate.offset, first]


def kept_grey(answer: NDArray[np.floating[Any]], degraded: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Keep what is stored in colour and grey as far as `GREY_REACH` grey: no part knows of the whole."""
    grey = (degraded == degraded[0]).all(axis=0)
    if not grey.any():
        return answer
    from scipy.ndimage import minimum_filter

    grey = minimum_filter(grey, 2 * GREY_REACH + 1, mode="nearest")
    return np.where(grey, np.mean(answer, axis=0, keepdims=True), answer)


def _with_neighbours(region: Region, jpeg: JPEGInfo) -> Region:
    """Add two coded units on each side: their pixels tell what interpolated chroma was."""
    rows, columns = (
        slice(max(start - 2 * unit, 0), min(stop + 2 * unit, size))
        for (start, stop, _), unit, size in zip(
            (side.indices(size) for side, size in zip(region, jpeg.shape, strict=True)),
            jpeg.mcu, jpeg.shape, strict=True,
        )
    )  # fmt: skip
    return rows, columns


def consistent(
    answer: NDArray[np.floating[Any]],
    degraded: NDArray[np.floating[Any]],
    jpeg: JPEGInfo,
    *,
    whole: bool,
    luma_alone: bool = False,
) -> tuple[NDArray[np.floating[Any]], float]:
    """Move an answer into the cells of its JPEG.

    Parameters
    ----------
    answer, degraded : ndarray, shape (C, Y, X)
        On the unit scale.
    jpeg : JPEGInfo
        Of `degraded`.
    whole : bool
        Whether the answer will be rounded to the JPEG's own levels, as for
        :func:`~napari_deartifact.jpeg.consistency.project`.
    luma_alone : bool
        Whether chroma's cells are not sure.

    Returns
    -------
    answer : ndarray of float32 or float64, same shape
    known : float
        Share of the blocks that decode to `degraded`; the others are as they were.
    """
    from napari_deartifact.jpeg.consistency import projected_and_known

    white = 2**jpeg.precision - 1
    precision = np.float32 if whole else np.float64
    restored, decoded = (
        np.multiply(channels_last(image), white, dtype=precision) for image in (answer, degraded)
    )
    if whole:
        np.rint(decoded, out=decoded)
    projected, known = projected_and_known(
        restored, decoded, jpeg, whole=whole, weigh=True, luma_alone=luma_alone
    )
    projected /= white
    return channels_first(projected), known


def scale_on(estimate: JPEGEstimate, scale: IntensityScale) -> IntensityScale:
    """Return the scale on which a picture's JPEG was found, or the one given when none was."""
    if not estimate.is_jpeg or estimate.data_range is None:
        return scale
    return IntensityScale(*estimate.data_range, scale.dtype)


def within_range(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture on the unit scale as models are to see it: filled, and black to white."""
    filled = fill_nonfinite(unit)
    return filled if not filled.size or (filled.min() >= 0 and filled.max() <= 1) else filled.clip(0, 1)


def _beyond_doubt(estimate: JPEGEstimate) -> bool:
    """Say whether an original must lie in the estimated cells; an earlier JPEG has moved it."""
    return estimate.is_jpeg and not estimate.double and estimate.confidence >= _CONFIDENT
