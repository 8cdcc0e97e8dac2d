"""Drop-downs of the recipes to train by, and of the models that a recipe can start from."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_deartifact.models.model_file import read_card
from napari_deartifact.models.registry import list_models
from napari_deartifact.widgets.file_list import ListWithFile
from napari_deartifact.widgets.form import fill_the_width
from napari_deartifact.widgets.model_choice import model_news
from napari_deartifact.widgets.recipe_summary import RecipeSummary, read_own_recipe, read_summaries
from napari_deartifact.widgets.workers import show_failure, start_function

PREFERRED = ("microscopy", "general")
"""Recipes, of which the first that there is is chosen at first."""
OPEN_FILE = "Open recipe file…"
NEW_WEIGHTS = "new weights"


class RecipeChoice(ListWithFile):
    """Choose a recipe, one that ships or a file of one's own.

    Parameters
    ----------
    parent : QWidget, optional
    """

    recipe_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        fill_the_width(self)
        self._recipes: list[RecipeSummary] = []
        self._chosen = 0
        self.addItem(OPEN_FILE)
        self.setItemData(0, "A recipe of your own, a TOML file", Qt.ItemDataRole.ToolTipRole)
        for recipe in read_summaries():
            self._add(recipe, recipe.name)
        names = [recipe.name for recipe in self._recipes]
        self.setCurrentText(next((name for name in PREFERRED if name in names), names[0]))
        self._choose(self.currentIndex())
        self.activated.connect(self._on_activated)
        self.currentIndexChanged.connect(self._choose)

    @property
    def recipe(self) -> RecipeSummary:
        """The recipe chosen."""
        return self._recipes[self._chosen]

    def open_file(self, path: str | Path) -> None:
        """Offer a recipe file, and choose it; it is checked in a thread, as that loads torch.

        Parameters
        ----------
        path : path
            A TOML file.  What is wrong with it is shown.
        """
        self.setEnabled(False)
        start_function(
            read_own_recipe,
            path,
            connect={"returned": self._on_read, "errored": show_failure, "finished": self._on_finished},
        )

    def _on_read(self, recipe: RecipeSummary) -> None:
        """Add it, or take it in the place of what the same file held before."""
        sources = [known.source for known in self._recipes]
        if recipe.source not in sources:
            self._add(recipe, f"{recipe.name}.toml")
            self.setCurrentIndex(len(self._recipes) - 1)
            return
        index = sources.index(recipe.source)
        self._recipes[index] = recipe
        self.setItemData(index, recipe.description, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(index)
        self._choose(index)

    def _on_finished(self) -> None:
        self.setEnabled(True)

    def _add(self, recipe: RecipeSummary, label: str) -> None:
        index = len(self._recipes)
        self._recipes.append(recipe)
        self.insertItem(index, label)
        self.setItemData(index, recipe.description, Qt.ItemDataRole.ToolTipRole)

    def _choose(self, index: int) -> None:
        if index < len(self._recipes):  # and not the line that opens a file
            self._chosen = index
            self.setToolTip(self.recipe.description or "How to train")
            self.recipe_changed.emit()

    def _on_activated(self, index: int) -> None:
        if index < len(self._recipes):
            return
        self.blockSignals(True)
        self.setCurrentIndex(self._chosen)
        self.blockSignals(False)
        if self.is_stepping:
            return
        path, _ = QFileDialog.getOpenFileName(self, "Open a recipe file", "", "Recipes (*.toml)")
        if path:
            self.open_file(path)


class StartChoice(QComboBox):
    """Choose whose weights a training starts from: nobody's, or those of a model that the recipe fits.

    The model that the recipe fine-tunes is chosen, or the first that fits, as a trained one needs less time.

    Parameters
    ----------
    recipes : RecipeChoice
        Which models fit follows it.
    parent : QWidget, optional
    """

    def __init__(self, recipes: RecipeChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        fill_the_width(self)
        self._recipes = recipes
        self._paths: list[Path | None] = []
        self.setToolTip("The model to fine-tune, which needs less time than new weights do")
        self._offer()
        recipes.recipe_changed.connect(self._offer)
        model_news().trained.connect(self._keep_up)

    @property
    def path(self) -> Path | None:
        """The model file chosen, or None for new weights."""
        return self._paths[self.currentIndex()]

    def _offer(self) -> None:
        recipe = self._recipes.recipe
        self._paths = [None]
        self.clear()
        self.addItem(NEW_WEIGHTS)
        known = {model.path.resolve(): model.path for model in list_models() if model.path is not None}
        for path in model_news().files:
            if path.is_file():
                known.setdefault(path.resolve(), path)
        for path in known.values():
            card = read_card(path)
            if recipe.can_start_from(card.architecture, card.arguments):
                self._paths.append(path)
                self.addItem(path.stem)
        first = min(1, self.count() - 1)
        self.setCurrentIndex(max(self.findText(recipe.init), first) if recipe.init else first)

    def _keep_up(self) -> None:
        chosen = self.currentText()
        self._offer()
        self.setCurrentIndex(max(self.findText(chosen), 0))
