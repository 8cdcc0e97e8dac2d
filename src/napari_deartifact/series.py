"""The pictures of an array, judged as one, and restored one after the other."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_deartifact.devices import default_tile_size
from napari_deartifact.history import (
    estimate_of,
    estimates_of,
    needs_nothing,
    warn_of_doubt,
    warn_of_no_history,
)
from napari_deartifact.intensities import channel_scales
from napari_deartifact.picture import restore_picture
from napari_deartifact.request import Request
from napari_deartifact.tiling import ALL, Progress, Region

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate


def restore_series(
    image: NDArray[Any], request: Request, region: Region = ALL
) -> Generator[Progress, None, NDArray[Any]]:
    """Restore every picture of an array, or none when they show that there is nothing to restore.

    Parameters
    ----------
    image : ndarray
    request : Request
    region : (slice, slice)
        As for :func:`~napari_deartifact.picture.restore_picture`.

    Yields
    ------
    Progress
        (done, total) tiles; the first has none done.

    Returns
    -------
    ndarray
        As the value of the generator.
    """
    layout = request.layout_of(image)
    restored = image.copy(order="C")
    scales = channel_scales(image, layout, request.data_range, precision=request.precision())
    if image.size == 0 or not any(scales) or request.strength == 0:
        yield Progress(0, 1)
        yield Progress(1, 1)
        return restored
    model = request.loaded_model()
    pictures = list(layout.pictures(restored))
    estimates, look = request.estimates or {}, request.estimates != {}
    if request.jpeg is None and not request.force:
        estimates = estimates or estimates_of(pictures, request.data_range)
        if needs_nothing(estimates):
            warn_of_no_history(estimates, count=layout.count)
            yield Progress(0, 1)
            yield Progress(1, 1)
            return restored
        if not model.needs_tables:
            warn_of_doubt(estimates)
    tile_size = request.tile_size or default_tile_size(getattr(model, "device", "cpu"))
    before = 0
    without_tables: dict[int, JPEGEstimate] = {}
    left = sum(scale is not None for scale in scales)
    for index, (picture, scale) in enumerate(zip(pictures, scales, strict=True)):
        if scale is None:
            continue
        estimate = None
        if request.jpeg is None and look:
            estimate = estimates.get(index) or estimate_of(picture, request.data_range)
            if model.needs_tables and not estimate.is_jpeg:
                without_tables[index] = estimate
        for step in restore_picture(
            picture,
            scale,
            model,
            strength=request.strength,
            jpeg=request.jpeg,
            estimate=estimate,
            consistency=bool(request.consistency),
            tile_size=tile_size,
            region=region,
        ):
            if step.done or not before:
                yield Progress(before + step.done, before + step.total * left)
        before += step.total
        left -= 1
    if without_tables:
        warn_of_no_history(without_tables, count=layout.count, without_tables=model.name)
    return restored
