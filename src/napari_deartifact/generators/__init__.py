"""The networks, one a file, found by the name that a model file or a recipe gives."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_deartifact.messages import nearest_name

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator

ARCHITECTURES: Mapping[str, str] = {
    "compact-cnn": "compact_cnn:CompactCNN",
    "residual": "residual:ResidualGenerator",
    "residual-unet": "general_unet:ResidualUNet",
    "unet": "unet:UNet",
}


def build(architecture: str, arguments: Mapping[str, Any] | None = None) -> Generator:
    """Build an untrained generator.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    arguments : mapping, optional
        Keyword arguments of the class; its defaults otherwise.

    Returns
    -------
    Generator

    Raises
    ------
    ValueError
        For an unknown architecture or arguments that it does not take.

    Examples
    --------
    >>> build("compact-cnn").receptive_radius
    9
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"unknown architecture {architecture!r}{nearest_name(architecture, ARCHITECTURES)}; "
            f"known: {', '.join(ARCHITECTURES)}"
        )
    module, name = ARCHITECTURES[architecture].split(":")
    generator_class = getattr(import_module(f"{__name__}.{module}"), name)
    try:
        generator: Generator = generator_class(**(arguments or {}))
    except TypeError as error:
        raise ValueError(f"architecture {architecture!r} cannot be built: {error}") from error
    return generator
