"""Drop-downs of the recipes to train by, and of the models that a recipe can start from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

import napari_deartifact
from napari_deartifact.models.model_file import read_card
from napari_deartifact.models.registry import list_models
from napari_deartifact.widgets.model_choice import model_news

RECIPES = Path(napari_deartifact.__file__).parent / "training" / "recipes"
PREFERRED = ("microscopy", "general")
"""Recipes, of which the first that there is is chosen at first."""
NEW_WEIGHTS = "new weights"


@dataclass(frozen=True)
class RecipeSummary:
    """What the widget shows of a recipe, read without torch.

    Attributes
    ----------
    name, description : str
    architecture : str
        Of the generator.
    arguments : dict
        Of the generator, as far as the recipe names them.
    """

    name: str
    description: str = ""
    architecture: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def can_start_from(self, architecture: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether a model's weights fit the recipe's generator."""
        stated = self.arguments.items()
        return architecture == self.architecture and all(arguments.get(key) == value for key, value in stated)


def read_summaries() -> list[RecipeSummary]:
    """Read the recipes that come with the package.

    Examples
    --------
    >>> [recipe.architecture for recipe in read_summaries() if recipe.name == "general"]
    ['residual-unet']
    """
    return [_summary(path.stem, path) for path in sorted(RECIPES.glob("*.toml"))]


def _summary(name: str, path: Path) -> RecipeSummary:
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    generator = entries.get("generator", {})
    return RecipeSummary(
        name,
        entries.get("description", ""),
        generator.get("architecture", ""),
        generator.get("arguments", {}),
    )


class RecipeChoice(QComboBox):
    """Choose a recipe.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        _fill_the_width(self)
        self._recipes = read_summaries()
        for index, recipe in enumerate(self._recipes):
            self.addItem(recipe.name)
            self.setItemData(index, recipe.description, Qt.ItemDataRole.ToolTipRole)
        names = [recipe.name for recipe in self._recipes]
        self.setCurrentText(next((name for name in PREFERRED if name in names), names[0]))
        self.currentIndexChanged.connect(self._describe)
        self._describe()

    @property
    def recipe(self) -> RecipeSummary:
        """The recipe chosen."""
        return self._recipes[self.currentIndex()]

    def _describe(self, index: int = 0) -> None:
        self.setToolTip(self.recipe.description or "How to train")


class StartChoice(QComboBox):
    """Choose whose weights a training starts from: nobody's, or those of a model that the recipe fits.

    The first model that fits is chosen, as a trained one needs less time.

    Parameters
    ----------
    recipes : RecipeChoice
        Which models fit follows it.
    parent : QWidget, optional
    """

    def __init__(self, recipes: RecipeChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        _fill_the_width(self)
        self._recipes = recipes
        self._paths: list[Path | None] = []
        self.setToolTip("The model to fine-tune, which needs less time than new weights do")
        self._offer()
        recipes.currentIndexChanged.connect(self._offer)
        model_news().trained.connect(self._keep_up)

    @property
    def path(self) -> Path | None:
        """The model file chosen, or None for new weights."""
        return self._paths[self.currentIndex()]

    def _offer(self, index: int = 0) -> None:
        recipe = self._recipes.recipe
        self._paths = [None]
        self.clear()
        self.addItem(NEW_WEIGHTS)
        for model in list_models():
            if model.path is None:
                continue
            card = read_card(model.path)
            if recipe.can_start_from(card.architecture, card.arguments):
                self._paths.append(model.path)
                self.addItem(model.name)
        self.setCurrentIndex(min(1, self.count() - 1))

    def _keep_up(self) -> None:
        chosen = self.currentText()
        self._offer()
        self.setCurrentIndex(max(self.findText(chosen), 0))


def _fill_the_width(choice: QComboBox) -> None:
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(12)
    choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
