"""What a phase would stumble over, found before the first step of the run and not hours later."""

from __future__ import annotations

import torch

from napari_deartifact.generators.base import Generator
from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.features import FeatureNetwork
from napari_deartifact.training.losses import PIXEL_LOSSES
from napari_deartifact.training.objective import Objective
from napari_deartifact.training.phase_recipe import PhaseRecipe
from napari_deartifact.training.player import Player
from napari_deartifact.training.ranks import Ranks


def check_phase(
    phase: PhaseRecipe,
    patch_size: int,
    generator: Generator,
    discriminator: Discriminator | None,
    features: FeatureNetwork | None,
) -> None:
    """Refuse a phase that the networks cannot go through.

    Parameters
    ----------
    phase : PhaseRecipe
    patch_size : int
        Of the pairs.
    generator : Generator
    discriminator : Discriminator or None
    features : FeatureNetwork or None

    Raises
    ------
    ValueError
        When a loss or `keep_best` lacks what it needs, `freeze` names what is not there or leaves
        nothing to learn, `colors` does not go with the network, or patches are too small for one.
    """
    here = torch.device("cpu")
    Player(generator, phase, Ranks(), here, phase.freeze)
    Objective(phase.losses, features, discriminator, here)
    if phase.keep_best.startswith("perceptual") and features is None:
        raise ValueError(
            f"phases.keep_best is {phase.keep_best!r}, which needs a network of features: give "
            "features=FILE (--features FILE), or go by a gain, such as 'gain_q20'"
        )
    if phase.colors != "all" and generator.channels == 3:
        _check_colors(phase, generator)
    elif phase.colors == "chroma":
        raise ValueError("phases.colors is 'chroma', and the generator has no colours; expected 'all'")
    if discriminator is not None and phase.needs_discriminator:
        discriminator.check_size(patch_size, patch_size)
    if features is not None and "feature" in phase.losses and patch_size < features.minimum_size:
        raise ValueError(
            f"data.patch_size is {patch_size}; the feature network {features.name!r} takes sides of at "
            f"least {features.minimum_size} pixels"
        )


def _check_colors(phase: PhaseRecipe, generator: Generator) -> None:
    """Refuse a phase that compares a part of the colours where all of the network would learn from it."""
    if generator.grey_radius is None:
        raise ValueError(
            f"phases.colors is {phase.colors!r}, and a {generator.architecture!r} does not restore luma and "
            "chroma apart; expected 'all', or a generator such as 'luma-chroma-unet'"
        )
    other = "chroma" if phase.colors == "luma" else "luma"
    if other not in phase.freeze:
        raise ValueError(
            f"phases.colors is {phase.colors!r}, which says nothing of {other}; "
            f"add freeze = [{other!r}], or compare 'all'"
        )
    judges = [name for name in phase.losses if name not in PIXEL_LOSSES]
    if judges or phase.needs_discriminator:
        what = f"the loss {judges[0]!r}" if judges else "the discriminator"
        raise ValueError(f"phases.colors is {phase.colors!r}, and {what} takes RGB; expected 'all'")
