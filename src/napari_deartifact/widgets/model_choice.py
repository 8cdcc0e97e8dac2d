"""A drop-down of models: those that ship, and any model file that the user opens."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_deartifact.models.model_file import SUFFIX, count_parameters, read_card
from napari_deartifact.models.registry import ModelSummary, list_models
from napari_deartifact.widgets.file_list import ListWithFile
from napari_deartifact.widgets.form import fill_the_width
from napari_deartifact.widgets.workers import EXPECTED_ERRORS, show_failure

OPEN_FILE = "Open model file…"


class ModelNews(QObject):
    """Tells every list of models that a model was trained."""

    trained = Signal(Path)
    """The model file."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[Path] = []
        """What was trained in this session, for lists that are made later."""

    def announce(self, path: Path) -> None:
        """Tell of a model file."""
        if path not in self.files:
            self.files.append(path)
        self.trained.emit(path)


@lru_cache(maxsize=1)
def model_news() -> ModelNews:
    """Return the one that all lists listen to."""
    return ModelNews()


class ModelChoice(ListWithFile):
    """Choose a model.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: list[ModelSummary] = []
        self._chosen = 0
        fill_the_width(self)
        self.addItem(OPEN_FILE)
        self.setItemData(0, f"A {SUFFIX} file that was trained with Deartifact", Qt.ItemDataRole.ToolTipRole)
        self.refresh()
        for path in model_news().files:
            self._on_trained(path)
        self._choose(0)
        model_news().trained.connect(self._on_trained)
        self.activated.connect(self._on_activated)
        self.currentIndexChanged.connect(self._describe)

    @property
    def summary(self) -> ModelSummary | None:
        """The model chosen."""
        index = self.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    @property
    def models(self) -> tuple[ModelSummary, ...]:
        """All that may be chosen."""
        return tuple(self._models)

    def refresh(self) -> None:
        """Offer also what was trained since; what is chosen stays so."""
        known = {model.path or model.name: index for index, model in enumerate(self._models)}
        for model in list_models():
            index = known.get(model.path or model.name)
            if index is None:
                self._add(model)
            else:
                self._models[index] = model
                self.setItemData(index, description(model), Qt.ItemDataRole.ToolTipRole)

    def add_file(self, path: str | Path) -> ModelSummary:
        """Offer a model file, and choose it.

        Parameters
        ----------
        path : path

        Returns
        -------
        ModelSummary

        Raises
        ------
        FileNotFoundError, ValueError
            When it is no model file.
        """
        index = self._offer(Path(path))
        self._choose(index)
        return self._models[index]

    @property
    def argument(self) -> str | Path | None:
        """What :func:`~napari_deartifact.deartifact` takes for the model chosen: its name or its file."""
        model = self.summary
        if model is None:
            return None
        shipped = self.itemText(self.currentIndex()) == model.name
        return model.name if shipped else model.path

    def _add(self, model: ModelSummary, label: str | None = None) -> None:
        index = len(self._models)
        self._models.append(model)
        self.insertItem(index, label or model.name)
        self.setItemData(index, description(model), Qt.ItemDataRole.ToolTipRole)

    def _offer(self, path: Path) -> int:
        """Offer a model file, or what it has become, and return where."""
        card = read_card(path)
        model = ModelSummary(
            card.name, card.description, card.color, "network", count_parameters(path), path.absolute()
        )
        for index, known in enumerate(self._models):
            if known.path is not None and known.path.resolve() == path.resolve():
                self._models[index] = model
                self.setItemData(index, description(model), Qt.ItemDataRole.ToolTipRole)
                return index
        self._add(model, label=f"{card.name} ({path.name})")
        return len(self._models) - 1

    def _on_trained(self, path: Path) -> None:
        self.refresh()
        with suppress(*EXPECTED_ERRORS):  # it may be gone, or the failed training's own
            self._offer(path)

    def _choose(self, index: int) -> None:
        self.setCurrentIndex(index)
        self._chosen = self.currentIndex()
        self._describe()

    def _on_activated(self, index: int) -> None:
        if index < len(self._models):
            self._chosen = index
            return
        self.setCurrentIndex(self._chosen)
        if self.is_stepping:
            return
        path, _ = QFileDialog.getOpenFileName(self, "Open a model file", "", f"Model files (*{SUFFIX})")
        if not path:
            return
        try:
            self.add_file(path)
        except EXPECTED_ERRORS as error:
            show_failure(error)

    def _describe(self, index: int = 0) -> None:
        model = self.summary
        self.setToolTip("How artifacts are taken out" if model is None else description(model))


def description(model: ModelSummary) -> str:
    """Say in a tooltip what a model is.

    Examples
    --------
    >>> description(ModelSummary("tiny", "Does little.", "rgb", "network", 57987))
    'Does little.\\n57,987 parameters'
    """
    size = f"{model.parameter_count:,} parameters" if model.kind == "network" else "Nothing trained"
    return "\n".join(part for part in (model.description, size) if part)
