"""What the Restore widget asks for: checked here, so that the widget only has to show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.axes import check_dtype
from napari_deartifact.request import check_tile_size
from napari_deartifact.widgets.answer_layer import provenance_record
from napari_deartifact.widgets.layers import LayerImage, finest
from napari_deartifact.widgets.wording import in_words_of_the_widget

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.widgets.workers import Restored

NO_LAYER = "Open an image first, or try one of File ▸ Open Sample ▸ Deartifact."


@dataclass(frozen=True)
class RestoreInputs:
    """What the widget asks for; `deartifact` gets exactly this.

    Attributes
    ----------
    layer : napari.layers.Image or None
    model : str, Path or None
        A name or a model file.
    strength : float
    perceptual : float
        How far to go towards the model's perceptual twin, 0 to 1.
    twin_of : str or None
        Name of the model of which `model` is itself the perceptual twin.
    device : str
    tile_size : int or None
        In pixels.
    range_text : str
        Black and white as typed; empty leaves them to the layer and to `deartifact`.
    needs_tables : bool
        Whether the model works from the JPEG's tables.
    force : bool
        Whether images without JPEG history are restored too.
    uncertainty : bool
        Whether a map of the standard error is wanted too.
    """

    layer: Any
    model: str | Path | None
    strength: float = 1.0
    perceptual: float = 0.0
    twin_of: str | None = None
    device: str = "auto"
    tile_size: int | None = None
    range_text: str = ""
    needs_tables: bool = False
    force: bool = False
    uncertainty: bool = False

    @property
    def may_invent(self) -> bool:
        """Whether the answer goes towards a perceptual twin."""
        return self.perceptual > 0 or self.twin_of is not None

    def validation_error(self) -> str | None:
        """Say what is wrong with the inputs, and what to do about it; None when they are fine."""
        if self.layer is None:
            return NO_LAYER
        if self.model is None:
            return "Choose a model."
        image = LayerImage.of(self.layer)
        try:
            check_dtype(image.levels[0].dtype)
            parse_range(self.range_text)
        except (TypeError, ValueError) as error:
            return str(error)
        try:
            check_tile_size(self.tile_size)
        except ValueError as error:
            return in_words_of_the_widget(str(error))
        if image.is_lazy and self.needs_tables and image.jpeg is None:
            return (
                f"{self.model} works from the JPEG's tables, and this lazy layer does not know them; "
                "choose a network."
            )
        if len(image.levels) > 1 and self.needs_tables:
            return (
                f"{self.model} works from the JPEG's tables, which hold for a pyramid's finest level alone; "
                "choose a network."
            )
        if self.uncertainty and self.may_invent:
            advice = (
                f"choose {self.twin_of}, or clear the box"
                if self.twin_of
                else "clear the box, or set Perceptual to 0"
            )
            return f"The uncertainty map was learnt from faithful answers; {advice}."
        if image.is_lazy and self.uncertainty:
            return (
                "The uncertainty map is fitted to whole pictures, and this layer is lazy; clear the box, or "
                "load the layer into memory."
            )
        return None

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of `deartifact`, for inputs without a validation error."""
        image = LayerImage.of(self.layer)
        data_range = parse_range(self.range_text) or image.data_range
        return {
            **image.options,
            "data_range": data_range,
            "strength": self.strength,
            "perceptual": self.perceptual,
            "jpeg": image.jpeg,
            "force": self.force,
            "device": self.device,
            "tile_size": self.tile_size,
        }


def parse_range(text: str) -> tuple[float, float] | None:
    """Read black and white.

    Parameters
    ----------
    text : str
        "black white", "white" alone for 0 to it, or nothing.

    Returns
    -------
    (float, float) or None

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> parse_range("0 4095"), parse_range("255"), parse_range(" ")
    ((0.0, 4095.0), (0.0, 255.0), None)
    """
    words = text.replace(",", " ").split()
    if not words:
        return None
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    ends = [0.0, *numbers] if len(numbers) == 1 else numbers
    if len(ends) != 2 or not -math.inf < ends[0] < ends[1] < math.inf:
        raise ValueError(f"The intensity range is {text!r}; write black and white, such as 0 4095.")
    return ends[0], ends[1]


@dataclass(frozen=True)
class RestoreJob:
    """What must be remembered while a layer is being restored, whatever is changed meanwhile."""

    layer: Any
    strength: float
    tile_size: int | None
    jpeg: JPEGInfo | None
    force: bool
    before: tuple[Any, dict[str, Any], str]
    limits_range: tuple[float, float]

    @classmethod
    def of(cls, inputs: RestoreInputs) -> RestoreJob:
        """Take what matters from the inputs."""
        jpeg = LayerImage.of(inputs.layer).jpeg
        before = inputs.layer.as_layer_data_tuple()
        limits_range = tuple(inputs.layer.contrast_limits_range)
        return cls(inputs.layer, inputs.strength, inputs.tile_size, jpeg, inputs.force, before, limits_range)

    @property
    def is_certain(self) -> bool:
        """Whether the layer is restored whatever its pixels tell of its history."""
        return self.force or self.jpeg is not None

    @property
    def has_other_data(self) -> bool:
        """Whether the layer was given another array meanwhile."""
        return finest(self.layer) is not self._finest_before()

    @property
    def has_other_shape(self) -> bool:
        """Whether that one has another shape, to which the layer's scale and colours belong now."""
        return tuple(finest(self.layer).shape) != tuple(self._finest_before().shape)

    def _finest_before(self) -> Any:
        data, state, _ = self.before
        return data[0] if state["multiscale"] else data

    def as_it_was(self) -> Any:
        """Return a layer like the one that the work began with."""
        from napari.layers import Layer

        data, state, kind = self.before
        layer: Any = Layer.create(data, dict(state), kind)
        layer.contrast_limits_range = self.limits_range
        return layer

    def provenance(self, restored: Restored) -> dict[str, Any]:
        """Return the record that goes into the new layer's metadata."""
        return provenance_record(
            model=restored.model,
            source=self.layer.name,
            source_id=str(self.layer.unique_id),
            strength=self.strength,
            perceptual=restored.perceptual,
            tile_size=self.tile_size,
            device=restored.device,
            data_range=restored.data_range,
            jpeg=self.jpeg,
        )
