"""NIQE: how far a picture is from what undamaged photographs look like; its original is not asked."""

from __future__ import annotations

from napari_deartifact.niqe.features import block_features
from napari_deartifact.niqe.pristine import PristineModel
from napari_deartifact.niqe.score import NIQE, niqe

__all__ = ["NIQE", "PristineModel", "block_features", "niqe"]
