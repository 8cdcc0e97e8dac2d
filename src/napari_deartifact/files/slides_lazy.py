"""Slides as dask arrays, level by level: a tile is decoded when somebody looks at it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.slides_open import open_slide

_CHUNK = 1024
_SMALLEST_LEVEL = 2048


class SlideArray:
    """A slide that is indexed as an array.

    Attributes
    ----------
    slide : Slide
    shape : tuple of int
        (Y, X, samples) in colour, else (planes, Y, X).
    """

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        self.shape = (*slide.shape, slide.samples) if slide.rgb else (slide.planes, *slide.shape)
        self.dtype, self.ndim = slide.dtype, 3

    def __getitem__(self, index: tuple[slice | int, ...]) -> NDArray[Any]:
        # dask merges the slices and the numbers that others ask for into one index.
        parts = [
            slice(part, part + 1) if isinstance(part, int | np.integer) else slice(*part.indices(length)[:2])
            for part, length in zip(index, self.shape, strict=True)
        ]
        rest = tuple(
            0 if isinstance(part, int | np.integer) else slice(None, None, part.step) for part in index
        )
        return self._box(*parts)[rest]

    def _box(self, first: slice, second: slice, third: slice) -> NDArray[Any]:
        if self.slide.rgb:
            return np.moveaxis(self.slide.read(0, (first, second))[0], 0, -1)[..., third]
        planes = range(first.start, first.stop)
        return np.concatenate([self.slide.read(plane, (second, third))[0] for plane in planes])


def slide_levels(path: str | os.PathLike[str]) -> tuple[Slide, list[Any]]:
    """Open a slide as a pyramid of dask arrays.

    Parameters
    ----------
    path : path
        As for :func:`~napari_deartifact.files.slides_open.open_slide`.

    Returns
    -------
    slide : Slide
        The full resolution.
    levels : list of dask array
        Of shape (Y, X, samples) in colour, else (planes, Y, X), the finest first.  Where the file has no
        pyramid, each further level is the mean of two by two pixels of the one before, computed when it is
        looked at.

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        As `open_slide`.
    """
    slide = open_slide(path)
    slides = [slide, *(_level(slide, number) for number in range(1, slide.level_count))]
    levels = [_as_dask(one) for one in slides]
    while len(slides) == 1 and max(_plane_shape(slide, levels[-1])) > _SMALLEST_LEVEL:
        levels.append(_halved(slide, levels[-1]))
    return slide, levels


def _level(slide: Slide, number: int) -> Slide:
    from napari_deartifact.files.slides_tiff import open_tiff_slide

    return open_tiff_slide(slide.path, level=number)


def _as_dask(slide: Slide) -> Any:
    import dask.array as da
    from dask.base import tokenize

    chunks = (_CHUNK, _CHUNK, slide.samples) if slide.rgb else (1, _CHUNK, _CHUNK)
    state = slide.path.stat()
    name = f"slide-{tokenize(str(slide.path), state.st_size, state.st_mtime_ns, slide.shape)}"
    return da.from_array(SlideArray(slide), chunks=chunks, name=name, meta=np.empty((0, 0, 0), slide.dtype))


def _plane_shape(slide: Slide, level: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = level.shape[:2] if slide.rgb else level.shape[1:]
    return shape


def _halved(slide: Slide, level: Any) -> Any:
    import dask.array as da

    spatial = (0, 1) if slide.rgb else (1, 2)
    mean = da.coarsen(np.mean, level, dict.fromkeys(spatial, 2), trim_excess=True)
    if slide.dtype.kind in "iu":
        mean = da.floor(mean + 0.5).astype(slide.dtype)
    return mean.rechunk(dict.fromkeys(spatial, _CHUNK))
