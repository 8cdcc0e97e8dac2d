"""How the standard errors of an array's pictures are found: from the tables, by the network, tile by tile."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.axes import PictureLayout, channels_first, channels_last
from napari_deartifact.devices import default_tile_size, resolve_device
from napari_deartifact.history import estimate_of, estimates_of
from napari_deartifact.intensities import DataRange, IntensityScale, channel_scales
from napari_deartifact.models.error_network import HALO, LEVELS, SIZE_MULTIPLE, log_standard_error
from napari_deartifact.picture import scale_on, within_range
from napari_deartifact.request import Request
from napari_deartifact.tiling import Progress, TileGrid
from napari_deartifact.warned import no_warnings, warn_caller

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate
    from napari_deartifact.jpeg.info import JPEGInfo

Source = Literal["both", "quantization", "network"]

SMALLEST_ERROR = 0.5
"""In levels: the rounding of the original and of the decoded picture is √(1/6) already, and what varied by
less than a level is smoothed over without a trace."""


@dataclass(frozen=True)
class StandardErrors:
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
    def of(cls, image: NDArray[Any], request: Request, source: Source) -> StandardErrors:
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
        whole = image.dtype.kind in "iu"
        least = SMALLEST_ERROR if whole else 0.0  # an answer in whole levels of its own is rounded to them
        unscaled = least if whole and self.source != "quantization" else np.nan
        if not any(self.scales):
            for target in self.layout.pictures(error):
                target[...] = unscaled
            return
        done = 0
        views = (self.layout.pictures(array) for array in (error, image, restored))
        for index, (scale, target, before, after) in enumerate(zip(self.scales, *views, strict=True)):
            if scale is None:
                target[...] = unscaled
                continue
            estimate = None
            if self.jpeg is None:
                estimate = (self.estimates or {}).get(index) or estimate_of(before, self.data_range)
            used = scale_on(estimate, scale) if estimate else scale
            unit = used.to_unit(before)
            if whole and estimate and estimate.history == "none" and np.array_equal(before, after):
                target[...] = least
                done += len(self.tiles)
                yield Progress(done, self.tile_count)
                continue
            degraded, answer = within_range(unit), within_range(used.to_unit(after))
            logarithm = np.full(unit.shape, np.nan, np.float32)
            for _ in self._log_error(logarithm, answer, degraded, estimate):
                done += 1
                yield Progress(done, self.tile_count)
            told = np.maximum(np.exp(logarithm) * (used.width / LEVELS), least)
            target[...] = np.where(np.isfinite(unit), told, np.nan)

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
            # What an earlier compression has taken is more than the last one's tables imply.
            if estimate.is_jpeg and (self.source == "quantization" or not estimate.double):
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

        # One of other components was allowed with consistency=False, and says nothing of these planes.
        if jpeg is None or len(jpeg.tables) > len(degraded):
            if self.source == "quantization":
                warn_caller(
                    "no JPEG of these channels is known, so that quantization implies nothing and the "
                    "standard error is NaN; give jpeg= if you know their JPEG, or source='network'"
                )
            return None
        white = 2**jpeg.precision - 1
        error = quantization_standard_error(channels_last(degraded).astype(np.float64) * white, jpeg)
        planes = channels_first(error)
        even = even_standard_error(jpeg, len(planes))
        pixels, whole = (np.log(part * (LEVELS / white)).astype(np.float32) for part in (planes, even))
        return pixels, whole
