"""A generator as an ONNX network that says of itself what the model file says."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator
    from napari_deartifact.models.model_file import ModelCard

INPUT, OUTPUT = "image", "restored"
OPSET = 18
"""The oldest that torch's exporter writes without converting, which more readers know than newer ones."""
TRACED = 32
"""Least edge, in pixels, of the picture that is traced."""
METADATA_KEY = "napari_deartifact"


def write_onnx(generator: Generator, card: ModelCard, path: str | os.PathLike[str]) -> None:
    """Write an ONNX file.

    The network maps ``image`` to ``restored``, float32 of shape (N, C, Y, X).  N, Y and X are free, but
    for the size multiple; a network of one fixed tile leaves only N free.  Its metadata hold
    ``size_multiple`` and ``receptive_radius`` in pixels, ``fixed_tile`` if there is one, ``color``,
    ``value_range``, and the model's card as JSON under ``napari_deartifact``.

    Parameters
    ----------
    generator : Generator
        In evaluation mode, on the CPU.
    card : ModelCard
    path : path
        The file to be written.

    Raises
    ------
    ImportError
        When onnx or onnxscript is not installed, or torch is older than 2.6.
    """
    onnx = _onnx()
    network = _trace(generator)
    _forget_the_machine(network.graph)
    onnx.helper.set_model_props(network, _metadata(generator, card))
    onnx.checker.check_model(network, full_check=True)
    onnx.save(network, path)


def _onnx() -> Any:
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ImportError(
            f"an ONNX file needs {error.name}, which is not installed: pip install 'napari-deartifact[onnx]'"
        ) from error
    return onnx


def _trace(generator: Generator) -> Any:
    import torch

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise ImportError(f"an ONNX file needs torch 2.6 or newer, and {torch.__version__} is installed")
    unit, tile = generator.size_multiple, generator.fixed_tile
    edge = tile or 2 * unit * -(-TRACED // (2 * unit))
    # Sizes of 1, or equal ones, would be taken for fixed or for the same.
    image = torch.zeros(2, generator.channels, edge, edge if tile else edge + unit)
    free: dict[int, Any] = {0: torch.export.Dim("batch")}
    if tile is None:
        # The multiple is part of the size, so that readers learn of it before they compute.
        free |= {axis: unit * torch.export.Dim(name) for axis, name in ((2, "y"), (3, "x"))}
    with _quiet():
        program: Any = torch.onnx.export(
            generator,
            (image,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: free},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    return program.model_proto


def _metadata(generator: Generator, card: ModelCard) -> dict[str, str]:
    facts: dict[str, Any] = {
        "size_multiple": generator.size_multiple,
        "receptive_radius": generator.receptive_radius,
        "color": "rgb" if generator.channels == 3 else "luma",
        "value_range": "0 1",
        METADATA_KEY: card.to_json(),
    }
    if generator.fixed_tile is not None:
        facts["fixed_tile"] = generator.fixed_tile
    return {key: str(value) for key, value in facts.items()}


def _forget_the_machine(graph: Any) -> None:
    """Leave out torch's notes, which hold the folders of the machine that it was exported on."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's remarks on itself from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
