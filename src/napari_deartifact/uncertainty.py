"""A restored image with a standard error for every pixel, so that nobody has to take it on trust.

Two sources know of the error: the file's tables, in closed form, and a small network that has seen
what restorers get wrong.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import (
    IntensityScale,
    PictureLayout,
    channel_scales,
    channels_last,
    refuse_masked,
)
from napari_deartifact.devices import default_tile_size, resolve_device
from napari_deartifact.history import DataRange, estimate_of, estimates_of
from napari_deartifact.lazy import lazy_source
from napari_deartifact.models.error_network import HALO, LEVELS, SIZE_MULTIPLE, log_standard_error
from napari_deartifact.models.registry import DEFAULT_MODEL
from napari_deartifact.models.twin import check_faithful
from napari_deartifact.picture import scale_on, within_range
from napari_deartifact.progress import ProgressCallback, run_steps
from napari_deartifact.request import Request, RestorationOptions
from napari_deartifact.restoration import restoration_steps
from napari_deartifact.tiling import Progress, TileGrid
from napari_deartifact.warned import no_warnings

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

Source = Literal["both", "quantization", "network"]

SMALLEST_ERROR = 6**-0.5
"""In levels: a twelfth of a level² each for the rounding of the original and of the decoded picture."""
_SOURCES = "both", "quantization", "network"


@dataclass(frozen=True)
class Restoration:
    """A restored image and how far it can be trusted.

    Attributes
    ----------
    image : ndarray
        What :func:`~napari_deartifact.deartifact` returns.
    standard_error : ndarray of float32, same shape
        In the image's own intensity units: the true intensity lies within one of it from the restored
        one for about 68 % of the pixels, and within two for about 95 %.  0 in an alpha channel; NaN
        where the image is not finite and where nothing is known.

    Examples
    --------
    >>> answer = Restoration(np.array([[80, 90]], np.uint8), np.array([[2, 5]], np.float32))
    >>> answer.image - 2 * answer.standard_error, answer.image + 2 * answer.standard_error
    (array([[76., 80.]], dtype=float32), array([[ 84., 100.]], dtype=float32))
    """

    image: NDArray[Any]
    standard_error: NDArray[np.float32]


def restore_with_uncertainty(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    source: Source = "both",
    progress: bool | ProgressCallback | None = None,
    **options: Unpack[RestorationOptions],
) -> Restoration:
    """Take JPEG artifacts out of an image, and say for every pixel how wrong the answer may be.

    Parameters
    ----------
    image, model, progress, **options
        As for :func:`~napari_deartifact.deartifact`, but no lazy array and nothing perceptual.
    source : {"both", "quantization", "network"}
        What the standard error is taken from.  "quantization" is what the JPEG's tables leave open,
        computed in closed form, whatever the model made of the file; "network" is what a network
        expects from the restored picture and from what was changed; "both" lets the network correct the
        closed form.  Tables that are not given with `jpeg` are estimated from the pixels.

    Returns
    -------
    Restoration

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`~napari_deartifact.deartifact`; TypeError as well for a lazy array, and ValueError for
        a perceptual model: the standard errors were learnt from faithful answers.

    Warns
    -----
    UserWarning
        As :func:`~napari_deartifact.deartifact`; also when the source is "quantization" and a picture
        has no JPEG history, so that its standard error is NaN.

    Notes
    -----
    A picture that was returned unchanged for want of a JPEG history has no error but that of rounding; one
    that was restored without known tables gets the network's part alone.

    The network was trained on the answers of the models that its card names and is calibrated for each of
    them; its intervals hold what they promise for pictures and models like those, and
    ``benchmarks/uncertainty.py`` measures it.  An
    interval is symmetric, does not know that intensities end at black and white, and is never narrower
    than the rounding to whole levels of the original and of the decoded picture.  The closed form is that
    of the last compression; what an earlier one took away is not in it.

    Examples
    --------
    >>> from skimage.data import camera
    >>> from napari_deartifact.degradation import jpeg_round_trip
    >>> original = camera()[100:164, 200:264]
    >>> answer = restore_with_uncertainty(jpeg_round_trip(original, 20), "compact-cnn", device="cpu")
    >>> answer.standard_error.shape, answer.standard_error.dtype
    ((64, 64), dtype('float32'))
    """
    steps = uncertainty_steps(image, model, source=source, **options)
    return run_steps(steps, progress)


def uncertainty_steps(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    source: Source = "both",
    **options: Unpack[RestorationOptions],
) -> Generator[Progress, None, Restoration]:
    """Do what :func:`restore_with_uncertainty` does, a tile a step; to cancel, stop iterating.

    Parameters
    ----------
    image, model, source, **options
        As for :func:`restore_with_uncertainty`, but for `progress`.

    Yields
    ------
    Progress
        (done, total) tiles, those of the standard error included.

    Returns
    -------
    Restoration
        As the value of the generator.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`restore_with_uncertainty`, at the first step.

    Examples
    --------
    >>> image = np.eye(32, dtype=np.uint8)
    >>> steps = uncertainty_steps(image, "compact-cnn", force=True, device="cpu", tile_size=16)
    >>> next(steps)
    Progress(done=0, total=8)
    """
    if source not in _SOURCES:
        raise ValueError(f"source is {source!r}; expected one of {', '.join(map(repr, _SOURCES))}")
    if lazy_source(image) is not None:
        raise TypeError(
            "image is a lazy array, and a standard error is fitted to whole pictures; give it as a numpy "
            "array (image.compute() of dask, image[:] of zarr and HDF5), or a part of it"
        )
    check_faithful(model, options.get("perceptual", 0.0))
    request = Request.of(model, **options)
    refuse_masked(image)
    image = np.asarray(image)
    pictures = _Pictures.of(image, request, source)
    options["jpeg"], options["estimates"] = request.jpeg, pictures.estimates
    steps = restoration_steps(image, model, **options)
    step = next(steps)
    try:
        while True:
            yield Progress(step.done, step.total + pictures.tile_count)
            step = next(steps)
    except StopIteration as end:
        restored: NDArray[Any] = end.value
    error = np.zeros(image.shape, np.float32)
    for tile in pictures.fill(error, image, restored):
        yield Progress(step.total + tile.done, step.total + tile.total)
    return Restoration(restored, error)


@dataclass(frozen=True)
class _Pictures:
    """The pictures of an array, and how their standard errors are found."""

    layout: PictureLayout
    scales: list[IntensityScale | None]
    data_range: DataRange
    jpeg: JPEGInfo | None
    model: str
    source: Source
    device: str
    tile_size: int
    estimates: Mapping[int, JPEGEstimate] | None
    """What the restoration knows of their histories when it starts, by their numbers."""

    @classmethod
    def of(cls, image: NDArray[Any], request: Request, source: Source) -> _Pictures:
        layout = request.layout_of(image)
        with no_warnings():  # the restoration gives them
            scales = channel_scales(image, layout, request.data_range, precision=request.precision())
        if image.size == 0:
            scales = []
        estimates = request.estimates
        is_asked = request.jpeg is None and not request.force and request.strength > 0
        if estimates is None and is_asked and any(scales):
            estimates = estimates_of(list(layout.pictures(image)), request.data_range)
        device = resolve_device(request.device)
        tile_size = request.tile_size or default_tile_size(device)
        name = request.loaded_model().name
        return cls(
            layout, scales, request.data_range, request.jpeg, name, source, device, tile_size, estimates
        )

    @property
    def tile_count(self) -> int:
        """Steps that :meth:`fill` takes."""
        return sum(scale is not None for scale in self.scales) * len(self.tiles)

    @property
    def tiles(self) -> list[tuple[Any, Any]]:
        """Spans of rows and columns."""
        grid = TileGrid(alignment=8, halo=HALO, multiple=SIZE_MULTIPLE, fixed=None)
        height, width = self.layout.plane_shape
        columns = list(grid.spans(width, self.tile_size))
        return [(row, column) for row in grid.spans(height, self.tile_size) for column in columns]

    def fill(
        self, error: NDArray[np.float32], image: NDArray[Any], restored: NDArray[Any]
    ) -> Generator[Progress, None, None]:
        """Write the standard error of every picture into an array of zeros."""
        if not any(self.scales):
            error[...] = np.nan
            return
        done = 0
        views = (self.layout.pictures(array) for array in (error, image, restored))
        for index, (scale, target, before, after) in enumerate(zip(self.scales, *views, strict=True)):
            if scale is None:
                target[...] = np.nan
                continue
            estimate = None
            if self.jpeg is None:
                estimate = (self.estimates or {}).get(index) or estimate_of(before, self.data_range)
            used = scale_on(estimate, scale) if estimate else scale
            unit = used.to_unit(before)
            degraded, answer = within_range(unit), within_range(used.to_unit(after))
            logarithm = np.full(unit.shape, np.nan, np.float32)
            for _ in self._log_error(logarithm, answer, degraded, estimate):
                done += 1
                yield Progress(done, self.tile_count)
            target[...] = np.where(np.isfinite(unit), np.exp(logarithm) * (used.width / LEVELS), np.nan)

    def _log_error(
        self,
        target: NDArray[np.float32],
        restored: NDArray[np.float32],
        degraded: NDArray[np.float32],
        estimate: JPEGEstimate | None,
    ) -> Generator[None, None, None]:
        """Write the logarithm of a picture's standard error, in levels of 255, a tile a step."""
        jpeg = self.jpeg
        if estimate is not None:
            if estimate.history == "none" and np.array_equal(restored, degraded):
                target[...] = np.log(SMALLEST_ERROR)
                for _ in self.tiles:
                    yield
                return
            if estimate.is_jpeg and self.source != "network":
                jpeg = estimate.to_jpeg_info(*degraded.shape[1:])
        known = None if self.source == "network" else self._quantization(degraded, jpeg)
        if self.source == "quantization":
            if known is not None:
                target[...] = known[0]
            for _ in self.tiles:
                yield
            return
        smallest = np.log(SMALLEST_ERROR * LEVELS / (2 ** (jpeg.precision if jpeg else 8) - 1))
        for rows, columns in self.tiles:
            window = (slice(None), rows.read, columns.read)
            part = None if known is None else (known[0][window], known[1])
            answer = log_standard_error(
                restored[window], degraded[window], part, model=self.model, device=self.device
            )
            inner = answer[:, rows.inner, columns.inner]
            target[:, rows.write, columns.write] = np.maximum(inner, np.float32(smallest))
            yield

    def _quantization(
        self, degraded: NDArray[np.float32], jpeg: JPEGInfo | None
    ) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Return what the tables say, pixel by pixel and for evenly filled cells; None without tables."""
        from napari_deartifact.jpeg.posterior import even_standard_error, quantization_standard_error

        if jpeg is None or jpeg.color_space in ("cmyk", "ycck"):
            if self.source == "quantization":
                warnings.warn(
                    "no JPEG history was found, so that quantization implies nothing and the standard error "
                    "is NaN; give jpeg= if you know its JPEG, or source='network'",
                    UserWarning,
                    stacklevel=2,
                )
            return None
        white = 2**jpeg.precision - 1
        error = quantization_standard_error(channels_last(degraded).astype(np.float64) * white, jpeg)
        planes = error[np.newaxis] if error.ndim == 2 else np.moveaxis(error, -1, 0)
        even = even_standard_error(jpeg, len(planes))
        pixels, whole = (np.log(part * (LEVELS / white)).astype(np.float32) for part in (planes, even))
        return pixels, whole
