"""One picture through a model: holes filled, tables found, tiles restored, the file obeyed."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import IntensityScale, fill_nonfinite
from napari_deartifact.tiling import Progress, restore_in_tiles

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer


def restore_picture(
    picture: NDArray[Any],
    scale: IntensityScale,
    model: Restorer,
    *,
    strength: float,
    jpeg: JPEGInfo | None,
    consistency: bool,
    tile_size: int,
) -> Generator[Progress, None, None]:
    """Restore one picture in place, a tile a step.

    Parameters
    ----------
    picture : ndarray, shape (C, Y, X)
        C is 1 or 3.  It changes after the last tile, as a whole.
    scale : IntensityScale
        What is black and white in it.
    model : Restorer
    strength : float
        0 (the input) to 1 (the model's answer).
    jpeg : JPEGInfo or None
        The JPEG that the pixels came from; estimated when the model needs it and it is None.
    consistency : bool
        Move the answer into the quantization cells of `jpeg`.
    tile_size : int
        Edge of a tile, in pixels.

    Yields
    ------
    Progress
        Before the first tile and after each.

    Warns
    -----
    UserWarning
        When the model needs tables and the picture has no JPEG history.
    """
    unit = scale.to_unit(picture)
    degraded = fill_nonfinite(unit)
    if jpeg is None and model.needs_tables:
        jpeg = _estimated_jpeg(degraded)
        if jpeg is None:
            yield Progress(0, 1)
            yield Progress(1, 1)
            return
    answer: NDArray[np.floating[Any]]
    answer = yield from restore_in_tiles(degraded, model, tile_size=tile_size, jpeg=jpeg)
    if consistency and jpeg is not None:
        answer = _consistent(answer, degraded, jpeg, whole=scale.is_whole_levels(jpeg.precision))
    # A consistent input makes every blend of it and a consistent answer consistent: cells are convex.
    correction = np.where(np.isfinite(unit), strength * (answer - degraded), 0)
    picture[...] = scale.corrected(picture, correction)


def _consistent(
    answer: NDArray[np.floating[Any]], degraded: NDArray[np.float32], jpeg: JPEGInfo, *, whole: bool
) -> NDArray[np.floating[Any]]:
    from napari_deartifact.jpeg.consistency import project

    white = 2**jpeg.precision - 1
    restored, decoded = (_channels_last(image).astype(np.float64) * white for image in (answer, degraded))
    projected = project(restored, decoded, jpeg, whole=whole) / white
    return projected[np.newaxis] if projected.ndim == 2 else np.moveaxis(projected, -1, 0)


def _estimated_jpeg(picture: NDArray[np.float32]) -> JPEGInfo | None:
    from napari_deartifact.jpeg.estimation import estimate_jpeg

    image = _channels_last(picture)
    estimate = estimate_jpeg(image, channel_axis=-1 if image.ndim == 3 else None, data_range=1.0)
    if estimate.is_jpeg:
        return estimate.to_jpeg_info(*picture.shape[1:])
    warnings.warn(
        "no JPEG history was found, so the image is returned unchanged; give jpeg= if you know its JPEG",
        UserWarning,
        stacklevel=2,
    )
    return None


def _channels_last(picture: NDArray[Any]) -> NDArray[Any]:
    return picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)
