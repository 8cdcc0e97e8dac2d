"""Options that several commands have."""

from __future__ import annotations

import argparse


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="M", help="a name that 'deartifact models' lists, or a model file")
    parser.add_argument(
        "--perceptual", type=float, default=0.0, metavar="P",
        help="0 (faithful, the default) to 1 (the model's perceptual twin, which may invent detail)",
    )  # fmt: skip
    add_device_option(parser)
    parser.add_argument(
        "--tile-size",
        type=int,
        metavar="N",
        help="edge of a tile in pixels, 8 or more; less takes less memory",
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Let the user choose where to compute."""
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:N, mps"
    )


def chosen_model(options: argparse.Namespace) -> str:
    from napari_deartifact.models.registry import DEFAULT_MODEL

    return options.model or DEFAULT_MODEL
