"""Measuring models on originals that are compressed first, by the protocol of the literature."""

from __future__ import annotations

from napari_deartifact.evaluation.evaluate import Evaluation, Record, Scores, evaluate
from napari_deartifact.evaluation.report import format_table, to_json

__all__ = ["Evaluation", "Record", "Scores", "evaluate", "format_table", "to_json"]
