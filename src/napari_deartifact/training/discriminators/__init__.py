"""The networks that judge a generator, one a file, found by the name that a recipe gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_deartifact.generators.registry import construct
from napari_deartifact.training.discriminators.layers import attend_to_contrast

if TYPE_CHECKING:
    from napari_deartifact.training.discriminators.base import Discriminator

DISCRIMINATORS: Mapping[str, str] = {
    "argan": "argan:ArganDiscriminator",
    "full-patch": "full_patch:FullPatchDiscriminator",
    "nogan-critic": "nogan_critic:NoGanCritic",
    "sub-patch": "sub_patch:SubPatchDiscriminator",
    "unet-gan": "unet_gan:UNetGanDiscriminator",
}


def build_discriminator(architecture: str, arguments: Mapping[str, Any] | None = None) -> Discriminator:
    """Build an untrained discriminator.

    Parameters
    ----------
    architecture : str
        A key of `DISCRIMINATORS`.
    arguments : mapping, optional
        Keyword arguments of the class; its defaults otherwise.

    Returns
    -------
    Discriminator

    Raises
    ------
    ValueError
        For an unknown architecture or arguments that it does not take.

    Examples
    --------
    >>> build_discriminator("sub-patch", {"channels": 1}).size_multiple
    16
    """
    discriminator: Discriminator = construct(
        "discriminator", architecture, DISCRIMINATORS, __name__, arguments
    )
    attend_to_contrast(discriminator, discriminator.channels, conditional=discriminator.conditional)
    return discriminator
