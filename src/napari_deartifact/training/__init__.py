"""From clean pictures to a model file: recipes, pairs, losses and the loop."""

from __future__ import annotations

from napari_deartifact.training.loop import Trainer
from napari_deartifact.training.recipe import Recipe, list_recipes, parse_recipe, read_recipe
from napari_deartifact.training.run import TrainingResult, train
from napari_deartifact.training.schema import RecipeError
from napari_deartifact.training.session import TrainingRun
from napari_deartifact.training.step_record import StepRecord, TrainingDivergedError

__all__ = [
    "Recipe",
    "RecipeError",
    "StepRecord",
    "Trainer",
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingRun",
    "list_recipes",
    "parse_recipe",
    "read_recipe",
    "train",
]
