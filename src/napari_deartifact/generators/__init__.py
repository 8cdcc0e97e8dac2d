"""The networks, one a file, found by the name that a model file or a recipe gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_deartifact.generators.registry import construct

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator

ARCHITECTURES: Mapping[str, str] = {
    "compact-cnn": "compact_cnn:CompactCNN",
    "luma-chroma-unet": "luma_chroma_unet:LumaChromaUNet",
    "mobile-unet": "mobile_unet:MobileUNet",
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
    generator: Generator = construct("architecture", architecture, ARCHITECTURES, __name__, arguments)
    return generator
