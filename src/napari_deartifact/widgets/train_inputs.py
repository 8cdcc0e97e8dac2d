"""What the Train widget asks for: checked here, so that the widget only has to show it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deartifact.history import CLEAN_QUALITY
from napari_deartifact.models.model_file import SUFFIX, read_card
from napari_deartifact.models.registry import SPP, WEIGHTS, models_folder
from napari_deartifact.widgets.layers import PROVENANCE_KEY, LayerImage, known_jpeg
from napari_deartifact.widgets.recipe_summary import RecipeSummary

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

NO_IMAGES = "Tick layers with clean images, or choose a folder of them."
NEW_WEIGHTS = "new"
"""As `napari_deartifact.training.recipe` names them."""


@dataclass(frozen=True)
class TrainInputs:
    """What the widget asks for.

    Attributes
    ----------
    layers : tuple of napari.layers.Image
        Clean images.
    folder : str
        With clean images; empty for none.
    recipe : RecipeSummary
    output : Path
        The model file, ``*.safetensors``.
    init : Path or None
        The model file to start from.
    minutes : float or None
        Length of the training.
    steps : int or None
        The same in steps; exactly one of both is given.
    device : str
    features : str
        The file of a network whose features the recipe compares; empty for torchvision's, or for none.
    """

    layers: tuple[Any, ...]
    folder: str
    recipe: RecipeSummary
    output: Path
    init: Path | None = None
    minutes: float | None = None
    steps: int | None = None
    device: str = "auto"
    features: str = ""

    def validation_error(self) -> str | None:
        """Say what is wrong with the inputs, and what to do about it; None when they are fine."""
        if not self.layers and not self.folder:
            return NO_IMAGES
        if self.folder and not Path(self.folder).is_dir():
            return f"There is no folder {self.folder}; choose one that exists."
        poisoned = (_poison(layer) for layer in self.layers)
        return next(filter(None, poisoned), None) or self._features_error() or self._output_error()

    def _features_error(self) -> str | None:
        recipe = self.recipe
        if self.features:
            missing = not Path(self.features).expanduser().is_file()
            return f"There is no file {self.features}; choose one that exists." if missing else None
        if not recipe.needs_features or Path(recipe.features).is_file():
            return None
        if recipe.features and has_torchvision():
            return None
        error = f"{recipe.name} compares what a classifier sees: choose a file of its weights as Features"
        download = f", or pip install 'napari-deartifact[perceptual]' for torchvision's {recipe.features}"
        return f"{error}{download if recipe.features else ''}."

    def _output_error(self) -> str | None:
        name, folder = self.output.stem, self.output.parent
        if self.output.suffix != SUFFIX:
            return "Give the model a name."
        if name == SPP.name or (WEIGHTS / f"{name}{SUFFIX}").is_file():
            return f"{name} is the name of a model that ships; choose another."
        if folder != models_folder() and not (folder.is_dir() and os.access(folder, os.W_OK)):
            return f"Nothing can be written to the folder {folder}; choose one that exists and is yours."
        if self.output.exists() and not self.is_resumed:
            return f"{self.output.name} exists and cannot be trained on; choose another name."
        return None

    @property
    def is_resumed(self) -> bool:
        """Whether there is a checkpoint from which the training goes on."""
        return self.output.with_suffix(".checkpoint").is_file()

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of `TrainingRun` but for the data."""
        return {
            "recipe": self.recipe.source,
            "output": self.output,
            # The checkpoint knows what it began from.
            "init": None if self.is_resumed else self.init or NEW_WEIGHTS,
            "minutes": self.minutes,
            "steps": self.steps,
            "device": self.device,
            "features": Path(self.features).expanduser() if self.features else None,
        }


def has_torchvision() -> bool:
    """Tell whether torchvision, which downloads weights, is installed, without loading it."""
    return find_spec("torchvision") is not None


def _poison(layer: Any) -> str | None:
    """Say why a layer is no ground truth, as far as that is known without looking at its pixels."""
    if PROVENANCE_KEY in layer.metadata:
        return f"{layer.name} was restored by Deartifact and is no ground truth; clear its box."
    jpeg = known_jpeg(layer)
    if jpeg is not None and jpeg.quality < CLEAN_QUALITY:
        return (
            f"{layer.name} comes from a JPEG of quality {jpeg.quality} and would teach that blocks belong to "
            "clean images; clear its box."
        )
    return None


def model_path(text: str) -> Path:
    """Return the model file that a name means, or a path.

    A name alone is that of a file in the user's folder of models.

    Examples
    --------
    >>> model_path("mine") == models_folder() / "mine.safetensors"
    True
    >>> model_path("/tmp/mine.safetensors").name
    'mine.safetensors'
    """
    path = Path(text).expanduser()
    if path.name and path.suffix != SUFFIX:
        path = path.with_name(path.name + SUFFIX)
    return models_folder() / path


def unused_name(recipe: str) -> str:
    """Suggest a name: that of a training which was not brought to its end, or one that is free."""
    number = 1
    while True:
        name = f"my-{recipe}" if number == 1 else f"my-{recipe}-{number}"
        path = models_folder() / f"{name}{SUFFIX}"
        if not path.exists() or _is_unfinished(path):
            return name
        number += 1


def _is_unfinished(path: Path) -> bool:
    try:
        done = read_card(path).recipe["run"]["fraction"]
    except (KeyError, OSError, TypeError, ValueError):
        return False
    return path.with_suffix(".checkpoint").is_file() and done < 1


@dataclass(frozen=True)
class LayerPictures:
    """What of a layer is trained on, taken before the work begins.

    Attributes
    ----------
    name : str
    data : array
        The finest level.
    rgb : bool
        Whether the last axis holds colours.
    jpeg : JPEGInfo or None
        The JPEG that it was decoded from.
    """

    name: str
    data: Any
    rgb: bool
    jpeg: JPEGInfo | None

    @classmethod
    def of(cls, layer: Any) -> LayerPictures:
        """Read a layer."""
        image = LayerImage.of(layer)
        return cls(layer.name, image.levels[0], layer.rgb, image.jpeg)
