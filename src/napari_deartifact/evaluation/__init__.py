"""Measuring models on originals that are compressed first, by the protocol of the literature."""

from __future__ import annotations

from napari_deartifact.evaluation.condition import Condition, Quality, parse_quality, quality_label
from napari_deartifact.evaluation.evaluate import evaluate
from napari_deartifact.evaluation.records import Evaluation, Record
from napari_deartifact.evaluation.report import format_table, to_json
from napari_deartifact.evaluation.scores import Measure, Scores

__all__ = [
    "Condition",
    "Evaluation",
    "Measure",
    "Quality",
    "Record",
    "Scores",
    "evaluate",
    "format_table",
    "parse_quality",
    "quality_label",
    "to_json",
]
