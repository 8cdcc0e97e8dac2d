"""The same restoration on dask arrays: chunks on the block grid, overlapping by what the model sees."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.messages import refuse_masked

if TYPE_CHECKING:
    from napari_deartifact.axes import PictureLayout
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.tiling import Region, TileGrid

RestoreBlock = Callable[[NDArray[Any], "JPEGInfo | None", "Region"], NDArray[Any]]

HALOS_IN_A_CHUNK = 4
"""Chunks are at least so many halos long: with fewer, most of the work is on what is thrown away."""
_AT_ONCE_ON_A_GPU = 2
"""One chunk is prepared while the other is computed."""


def lazy_source(image: Any) -> Any:
    """Return what is read only where it is looked at; None for what is in memory.

    Parameters
    ----------
    image : object
        A dask array; anything with a shape, a dtype and chunks, such as zarr arrays and chunked HDF5 data
        sets; a zarr store with one array in it, such as tifffile's; an xarray that holds one of these.

    Returns
    -------
    array or None
        It has a shape, a dtype and chunks.

    Raises
    ------
    TypeError
        For a group of several arrays, and for dask collections that are no arrays.
    """
    if isinstance(image, np.ndarray):
        return None
    if _is_a("dask.array", "Array", image):
        return image
    if not _is_a("dask.delayed", "Delayed", image) and hasattr(image, "dims") and hasattr(image, "coords"):
        return lazy_source(image.data)  # of an xarray
    if hasattr(image, "__dask_graph__"):
        raise TypeError(
            f"image is a dask {type(image).__name__}; expected an array: dask.array.from_delayed makes one"
        )
    if _is_a("zarr", "Group", image):
        raise TypeError(
            f"image is a zarr group of {', '.join(map(repr, sorted(image))) or 'nothing'}; give one of its "
            "arrays"
        )
    if _is_a("zarr.abc.store", "Store", image):
        return lazy_source(sys.modules["zarr"].open(image, mode="r"))
    stored = getattr(image, "chunks", None) and hasattr(image, "shape") and hasattr(image, "dtype")
    return image if stored else None


def as_dask(source: Any, least: Mapping[int, int] | None = None) -> Any:
    """Return a lazy source as a dask array, in chunks as stored.

    Parameters
    ----------
    source : array
        As :func:`lazy_source` returns it.
    least : dict of int to int, optional
        Along these axes stored chunks are read several at once, up to this length.
    """
    if _is_a("dask.array", "Array", source):
        return source
    import dask.array as da

    chunks = [
        stored * -(-least[axis] // stored) if least and axis in least else stored
        for axis, stored in enumerate(source.chunks)
    ]
    return da.from_array(source, chunks=tuple(chunks))


def _is_a(module: str, name: str, image: Any) -> bool:
    """Ask without loading the module: whoever has such an object has loaded it."""
    return module in sys.modules and isinstance(image, getattr(sys.modules[module], name))


@dataclass(frozen=True)
class ChunkedAxis:
    """Y or X of a chunked array.

    Attributes
    ----------
    axis : int
        Counted from the front.
    chunks : tuple of int
        Lengths, in pixels.
    halo : int
        Pixels that a chunk sees beyond its own, where there are any.
    """

    axis: int
    chunks: tuple[int, ...]
    halo: int

    def seen(self, index: int) -> slice:
        """Of the array: a chunk with its halo."""
        first = sum(self.chunks[:index])
        return slice(max(first - self.halo, 0), min(first + self.chunks[index] + self.halo, sum(self.chunks)))

    def own(self, index: int, margin: int = 0) -> slice:
        """Of a chunk with its halo: the chunk, and a margin where there is any."""
        seen, first = self.seen(index), sum(self.chunks[:index])
        last = min(first + self.chunks[index] + margin, seen.stop)
        return slice(max(first - margin, seen.start) - seen.start, last - seen.start)


def restore_blocks(
    source: Any,
    layout: PictureLayout,
    grid: TileGrid,
    restore_block: RestoreBlock,
    *,
    jpeg: JPEGInfo | None = None,
) -> Any:
    """Restore a lazy array chunk by chunk.

    Parameters
    ----------
    source : array
        As :func:`lazy_source` returns it; its chunk sizes must be known.
    layout : PictureLayout
        Which axes are Y, X and the colours.
    grid : TileGrid
        Chunk edges along Y and X are moved to its alignment, and chunks shorter than four of its halos
        are joined; the colours become one chunk.
    restore_block : callable
        Restores a region of a numpy block, given the record of the block's part of the JPEG; picklable.
    jpeg : JPEGInfo, optional
        What is known of the whole picture's JPEG.

    Returns
    -------
    dask array
        Of the same shape and dtype, nothing computed yet.
    """
    import dask.array as da

    # Filling NaN, keeping grey, and chroma between samples look a little farther than the model does.
    halo = grid.halo + grid.alignment
    image = as_dask(source, dict.fromkeys(layout.spatial_axes, HALOS_IN_A_CHUNK * halo))
    chunks = {axis: snapped_chunks(image.chunks[axis], grid.alignment, halo) for axis in layout.spatial_axes}
    if layout.channel_axis is not None and layout.colors == 3:
        chunks[layout.channel_axis] = (layout.shape[layout.channel_axis],)
    image = image.rechunk(chunks)
    rows, columns = (
        ChunkedAxis(axis, chunks[axis], halo if len(chunks[axis]) > 1 else 0) for axis in layout.spatial_axes
    )
    # Coded units across an edge are wanted whole.
    across = jpeg is not None and any(at % unit for at, unit in zip(jpeg.offset, jpeg.mcu, strict=True))
    return da.map_overlap(
        partial(
            _restore_chunk,
            restore_block=restore_block,
            axes=(rows, columns),
            margin=grid.alignment if across else 0,
        ),
        image,
        jpeg=_sent_once(jpeg),
        depth={rows.axis: rows.halo, columns.axis: columns.halo},
        boundary="none",
        trim=False,
        allow_rechunk=False,
        dtype=image.dtype,
        meta=np.empty((0,) * image.ndim, image.dtype),
        token="deartifact",  # noqa: S106  (how the tasks are called)
    )


def snapped_chunks(chunks: tuple[int, ...], alignment: int, halo: int) -> tuple[int, ...]:
    """Move chunk edges to multiples of `alignment`, and join chunks that are short for their halo.

    Parameters
    ----------
    chunks : tuple of int
        Lengths along one axis, in pixels.
    alignment, halo : int
        In pixels.

    Returns
    -------
    tuple of int
        Of the same sum.  Chunks of one length, but for the last, stay so, as zarr wants them.

    Raises
    ------
    ValueError
        When the lengths are unknown.

    Examples
    --------
    >>> snapped_chunks((100, 100, 100, 4), 8, 16)
    (104, 104, 96)
    """
    if any(math.isnan(size) for size in chunks):
        raise ValueError("the array's chunk sizes are unknown; call its compute_chunk_sizes() first")
    length, least = sum(chunks), max(HALOS_IN_A_CHUNK * halo, alignment)
    if length and len(set(chunks[:-1])) == 1 and chunks[0] >= chunks[-1]:
        size = max(_rounded(chunks[0] * -(-least // chunks[0]), alignment), least)
        # No chunk may be shorter than what its neighbour wants to see of it.
        while 0 < length % size < halo and size < length:
            size += alignment
        edges = list(range(0, length, size))
    else:
        edges = [0]
        for edge in map(partial(_rounded, multiple=alignment), accumulate(chunks[:-1])):
            if edge - edges[-1] >= least and length - edge >= least:
                edges.append(edge)
    return tuple(stop - start for start, stop in pairwise([*edges, length]))


def _rounded(value: int, multiple: int) -> int:
    return (value + multiple // 2) // multiple * multiple


def _sent_once(jpeg: JPEGInfo | None) -> Any:
    """Make a record one item of the graph: with its coefficients it may be as large as the picture."""
    from dask.delayed import delayed

    return None if jpeg is None else delayed(jpeg, traverse=False)


def _restore_chunk(
    block: NDArray[Any],
    *,
    restore_block: RestoreBlock,
    axes: tuple[ChunkedAxis, ChunkedAxis],
    margin: int,
    jpeg: JPEGInfo | None,
    block_id: tuple[int, ...],
) -> NDArray[Any]:
    rows, columns = ((axis, block_id[axis.axis]) for axis in axes)
    part = jpeg and jpeg.crop(rows[0].seen(rows[1]), columns[0].seen(columns[1]))
    region = rows[0].own(rows[1], margin), columns[0].own(columns[1], margin)
    refuse_masked(block)
    restored = restore_block(np.asarray(block), part, region)
    index = [slice(None)] * restored.ndim
    for axis in axes:
        index[axis.axis] = axis.own(block_id[axis.axis])
    return restored[tuple(index)]


def turnstile(device: str) -> BoundedSemaphore:
    """Return a semaphore that admits only as many threads as have a core each.

    The network itself runs on several threads, and a chunk takes far more memory while it is in there
    than before and after.  With ``OMP_NUM_THREADS=1``, as dask's workers set it, every thread may pass.

    Parameters
    ----------
    device : str
        Such as ``"cpu"`` or ``"cuda:0"``.
    """
    with _one_at_a_time:
        return _turnstile(device)


_one_at_a_time = Lock()


@lru_cache
def _turnstile(device: str) -> BoundedSemaphore:
    import torch
    from dask.system import CPU_COUNT

    at_once = CPU_COUNT // torch.get_num_threads() if device == "cpu" else _AT_ONCE_ON_A_GPU
    return BoundedSemaphore(max(at_once, 1))
