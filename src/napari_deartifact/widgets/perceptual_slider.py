"""The slider from a model to its perceptual twin, and why it does not move where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from superqt import QLabeledDoubleSlider

from napari_deartifact.models.model_file import twin_file
from napari_deartifact.models.registry import WEIGHTS, ModelSummary

PERCEPTUAL = (
    "0 is faithful, 1 the model's perceptual twin.  Above 0 detail may be invented: keep 0 for whatever is "
    "measured"
)


class PerceptualSlider(QLabeledDoubleSlider):
    """Choose how far to go towards the twin of the model chosen."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._movable = True

    @property
    def share(self) -> float:
        """What to ask for beside the model: 0 where the slider does not move."""
        return round(self.value(), 4) if self._movable else 0.0

    def offer(self, model: ModelSummary, models: Sequence[ModelSummary]) -> None:
        """Let the slider move where the model has a twin, and say why it does not elsewhere.

        Parameters
        ----------
        model : ModelSummary
            That is chosen.
        models : sequence of ModelSummary
            All that may be chosen.
        """
        lack, was_movable = lack_in_words(model, models), self._movable
        self._movable = lack is None
        self.setEnabled(self._movable)
        self.setToolTip(lack or PERCEPTUAL)
        if not self._movable:
            self.setValue(1 if model.twin_of else 0)  # what is shown is what is done
        elif not was_movable:
            self.setValue(0)


def lack_in_words(model: ModelSummary, models: Sequence[ModelSummary]) -> str | None:
    """Say why a model has no perceptual twin, and which ones have; None when it has one.

    Examples
    --------
    >>> spp = ModelSummary("spp", "", "any", "classical")
    >>> lack_in_words(spp, [spp])
    'spp has no perceptual twin'
    """
    if model.twin:
        return None
    if faithful := model.twin_of:
        return f"{model.name} is the perceptual twin of {faithful}; choose {faithful} to move between the two"
    text = f"{model.name} has no perceptual twin"
    if model.path is not None and model.path.parent != WEIGHTS:
        text += f": there is no file {twin_file(model.path).name} beside it"
    names = [other.name for other in models if other.twin]
    have = "has" if len(names) == 1 else "have"
    return f"{text}; {', '.join(names)} {have} one" if names else text
