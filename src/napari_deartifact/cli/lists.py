"""``deartifact models`` and ``deartifact recipes``."""

from __future__ import annotations

import argparse

from napari_deartifact.cli.console import OK


def run_models(options: argparse.Namespace) -> int:
    from napari_deartifact.models.registry import list_models

    models = list_models()
    width = max(len(model.name) for model in models)
    for model in models:
        size = f"{model.parameter_count:,} parameters" if model.parameter_count else "no weights"
        told = model.description
        if model.twin:
            told += " With a perceptual twin."
        elif model.twin_of:
            told += f" The perceptual twin of {model.twin_of}."
        print(f"{model.name:{width}} {model.kind:10} {model.color:5} {size:20} {told}")
    return OK


def run_recipes(options: argparse.Namespace) -> int:
    from napari_deartifact.training import list_recipes, read_recipe

    names = list_recipes()
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}} {read_recipe(name).description}")
    return OK
