"""What `deartifact` is asked for: the arguments that say how, checked before any work is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np

from napari_deartifact.axes import PictureLayout, check_dtype
from napari_deartifact.devices import resolve_device
from napari_deartifact.intensities import DataRange
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.messages import check_fraction, check_options
from napari_deartifact.models.registry import check_device, find_model, loaded
from napari_deartifact.models.twin import check_perceptual, share_of

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate
    from napari_deartifact.models.restorer import Restorer

Consistency = Literal["auto", True, False]
_SMALLEST_TILE = 8


class RestorationOptions(TypedDict, total=False):
    """Keyword arguments of `deartifact`, but for `progress`, by which the image is restored."""

    channel_axis: int | None
    rgb: bool
    data_range: DataRange
    strength: float
    perceptual: float
    jpeg: JPEGInfo | str | os.PathLike[str] | None
    consistency: Consistency
    force: bool
    device: str
    tile_size: int | None
    estimates: Mapping[int, JPEGEstimate] | None


def check_tile_size(tile_size: Any) -> None:
    """Refuse what is no edge of a tile; None leaves it to the device.

    Raises
    ------
    ValueError
    """
    if tile_size is None or (isinstance(tile_size, int | np.integer) and tile_size >= _SMALLEST_TILE):
        return
    raise ValueError(
        f"tile_size is {tile_size!r}; expected a whole number of pixels, at least {_SMALLEST_TILE}, which is "
        "the edge of a JPEG's block"
    )


@dataclass(frozen=True)
class Request:
    """The arguments of `deartifact` that say how; `jpeg` is a record and `device` is there once checked.

    `estimates` is what the caller has already found out of the pictures' histories, by their numbers.
    """

    model: str | os.PathLike[str] | Restorer
    channel_axis: int | None = None
    rgb: bool = True
    data_range: DataRange = None
    strength: float = 1.0
    perceptual: float = 0.0
    jpeg: Any = None
    consistency: Consistency = "auto"
    force: bool = False
    device: str = "auto"
    tile_size: int | None = None
    estimates: Mapping[int, JPEGEstimate] | None = None

    @classmethod
    def of(cls, model: str | os.PathLike[str] | Restorer, **options: Unpack[RestorationOptions]) -> Request:
        """Make a checked request.

        Raises
        ------
        TypeError
            Also for an option that nobody knows.
        ValueError, FileNotFoundError
        """
        check_options(options, RestorationOptions.__annotations__)
        return cls(model, **options).checked()

    def checked(self) -> Request:
        """Refuse what makes no sense, before any work is done, and resolve what was left open."""
        strength = check_fraction("strength", self.strength)
        perceptual = check_fraction("perceptual", self.perceptual)
        named = isinstance(self.consistency, bool | np.bool_ | str)
        if not named or self.consistency not in ("auto", True, False):
            raise ValueError(f"consistency is {self.consistency!r}; expected 'auto', True or False")
        check_tile_size(self.tile_size)
        jpeg = JPEGInfo.from_file(self.jpeg) if isinstance(self.jpeg, str | os.PathLike) else self.jpeg
        if not isinstance(jpeg, JPEGInfo | None):
            raise TypeError(
                f"jpeg is a {type(jpeg).__name__}; expected a JPEGInfo or the path of a JPEG file"
            )
        if self.consistency is True and jpeg is None:
            raise ValueError("consistency=True needs the JPEG's tables; give the JPEG's path as jpeg=")
        if not isinstance(self.model, str | os.PathLike):
            if not hasattr(self.model, "needs_tables"):
                raise TypeError(
                    f"model is {self.model!r}; expected a name, a path, or what load_model returned"
                )
            check_device(self.model, self.device)
        else:
            find_model(self.model)
            resolve_device(self.device)
        check_perceptual(self.model, perceptual)
        return replace(self, jpeg=jpeg, strength=strength, perceptual=perceptual)

    def loaded_model(self) -> Restorer:
        """Return the model, on its device."""
        return loaded(self.model, self.device, self.perceptual)

    def perceptual_share(self) -> float:
        """Return how far the answer goes towards a perceptual twin: 1 also for the twin by its own name."""
        return share_of(self.model, self.perceptual)

    def layout_of(self, image: Any) -> PictureLayout:
        """Say what the image's axes are, once its dtype and the JPEG have been found to fit it."""
        check_dtype(image.dtype)
        layout = PictureLayout.of(image.shape, self.channel_axis, rgb=self.rgb)
        if self.jpeg is None:
            return layout
        height, width = layout.plane_shape
        if self.jpeg.shape != (height, width):
            if self.jpeg.shape == (width, height):
                raise ValueError(
                    f"jpeg is {self.jpeg.height}×{self.jpeg.width} pixels and image is {height}×{width}: "
                    "it was turned, perhaps as EXIF asks; give it as the file stores it, and turn the answer"
                )
            raise ValueError(
                f"jpeg is {self.jpeg.height}×{self.jpeg.width} pixels and image is {height}×{width}; "
                "for a cut-out give JPEGInfo.from_file(path).crop(rows, columns)"
            )
        if self.jpeg.color_space in ("cmyk", "ycck"):
            raise ValueError(
                f"jpeg is {self.jpeg.color_space.upper()}, in which nothing is restored; convert the image "
                "to RGB and leave jpeg out"
            )
        if self.consistency and self.jpeg.color_space == "rgb" and len(set(self.jpeg.sampling)) > 1:
            raise ValueError(
                f"jpeg codes RGB sampled {self.jpeg.subsampling}, to whose cells nothing is bound; give "
                "consistency=False"
            )
        if self.consistency and len(self.jpeg.tables) != layout.colors:
            raise ValueError(
                f"jpeg has {len(self.jpeg.tables)} components and image has {layout.colors}; "
                "give the image as it was decoded (channel_axis=-1 for RGB), or consistency=False"
            )
        return layout

    def precision(self) -> int | None:
        """Return the bits per sample of the JPEG, if it is known."""
        return self.jpeg.precision if self.jpeg else None
