"""The same restoration on dask arrays: chunks on the block grid, overlapping by what the model sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_deartifact.axes import PictureLayout
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.tiling import TileGrid

RestoreBlock = Callable[[NDArray[Any], "JPEGInfo | None"], NDArray[Any]]


def restore_blocks(
    image: Any,
    layout: PictureLayout,
    grid: TileGrid,
    restore_block: RestoreBlock,
    *,
    jpeg: JPEGInfo | None = None,
) -> Any:
    """Restore a dask array chunk by chunk.

    Parameters
    ----------
    image : dask array
        Its chunk sizes must be known.
    layout : PictureLayout
        Which axes are Y, X and the colours.
    grid : TileGrid
        Chunk edges along Y and X are moved to its alignment, and chunks smaller than its halo
        are joined; the colours become one chunk.
    restore_block : callable
        Restores a numpy block, given the record of its part of the JPEG; picklable.
    jpeg : JPEGInfo, optional
        What is known of the whole picture's JPEG.

    Returns
    -------
    dask array
        Of the same shape and dtype, nothing computed yet.

    Raises
    ------
    ValueError
        When chunk sizes are unknown.
    """
    if any(math.isnan(size) for chunks in image.chunks for size in chunks):
        raise ValueError("the array's chunk sizes are unknown; call its compute_chunk_sizes() first")
    import dask.array as da

    # Filling NaN looks a little farther than the model does.
    halo = grid.halo + (grid.alignment if image.dtype.kind == "f" else 0)
    chunks = {axis: snapped_chunks(image.chunks[axis], grid.alignment, halo) for axis in layout.spatial_axes}
    if layout.channel_axis is not None and layout.colors == 3:
        chunks[layout.channel_axis] = (layout.shape[layout.channel_axis],)
    image = image.rechunk(chunks)
    depth = {axis: halo if len(image.chunks[axis]) > 1 else 0 for axis in layout.spatial_axes}
    starts = {
        axis: [max(start - depth[axis], 0) for start in accumulate(image.chunks[axis], initial=0)]
        for axis in layout.spatial_axes
    }
    return da.map_overlap(
        partial(_restore_chunk, restore_block=restore_block, starts=starts, jpeg=jpeg),
        image,
        depth=depth,
        boundary="none",
        allow_rechunk=False,
        dtype=image.dtype,
        meta=np.empty((0,) * image.ndim, image.dtype),
        name=None,
    )


def snapped_chunks(chunks: tuple[int, ...], alignment: int, smallest: int) -> tuple[int, ...]:
    """Move chunk edges to multiples of `alignment` and join chunks shorter than `smallest`.

    Parameters
    ----------
    chunks : tuple of int
        Lengths along one axis, in pixels.
    alignment, smallest : int
        In pixels.

    Returns
    -------
    tuple of int
        Of the same sum.

    Examples
    --------
    >>> snapped_chunks((100, 100, 100, 4), 8, 16)
    (104, 96, 104)
    """
    length = sum(chunks)
    edges = [0]
    for edge in accumulate(chunks[:-1]):
        snapped = (edge + alignment // 2) // alignment * alignment
        if snapped - edges[-1] >= max(smallest, 1) and length - snapped >= max(smallest, 1):
            edges.append(snapped)
    return tuple(stop - start for start, stop in pairwise([*edges, length]))


def _restore_chunk(
    block: NDArray[Any],
    *,
    restore_block: RestoreBlock,
    starts: dict[int, list[int]],
    jpeg: JPEGInfo | None,
    block_id: tuple[int, ...],
) -> NDArray[Any]:
    if jpeg is None:
        return restore_block(block, None)
    rows, columns = (
        slice(start := offsets[block_id[axis]], start + block.shape[axis]) for axis, offsets in starts.items()
    )
    return restore_block(block, jpeg.crop(rows, columns))
