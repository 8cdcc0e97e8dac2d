"""What a run starts with: networks by a seed or from a file, features, and the source of its pairs."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from napari_deartifact.generators import build
from napari_deartifact.generators.base import Generator
from napari_deartifact.models.model_file import read_model
from napari_deartifact.models.registry import find_model
from napari_deartifact.training.data import Picture
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.discriminators import build_discriminator
from napari_deartifact.training.discriminators.base import Discriminator
from napari_deartifact.training.features import FeatureNetwork, load_features
from napari_deartifact.training.pairs import PairSource
from napari_deartifact.training.ranks import Ranks
from napari_deartifact.training.recipe import NEW_WEIGHTS, Recipe


def make_networks(
    recipe: Recipe,
    init: str | os.PathLike[str] | None,
    encoder: str | os.PathLike[str] | None,
    seed: int,
) -> tuple[Generator, Discriminator | None]:
    """Build the networks of a recipe.

    Parameters
    ----------
    recipe : Recipe
    init : str or path, optional
        A model that ships, or a model file, of the same architecture: for the generator.
    encoder : path, optional
        Weights for the generator's encoder alone.
    seed : int
        Of all other weights.

    Returns
    -------
    generator : Generator
    discriminator : Discriminator or None

    Raises
    ------
    ValueError
        When a file holds another network.
    """
    if init is not None and encoder is not None:
        raise ValueError("init and encoder are both given; a model file holds its encoder: give one of them")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build(recipe.generator.architecture, recipe.generator.arguments)
        judge = recipe.discriminator
        discriminator = None
        if judge is not None:
            arguments = {**judge.arguments, "channels": generator.channels}
            discriminator = build_discriminator(judge.architecture, arguments)
    if init is not None:
        _load(generator, recipe, init)
    if encoder is not None:
        if not hasattr(generator, "load_encoder"):
            raise ValueError(
                f"encoder is {os.fspath(encoder)!r}, but a {recipe.generator.architecture!r} starts from none"
            )
        generator.load_encoder(encoder)  # type: ignore[operator]
    return generator, discriminator


def make_features(recipe: Recipe, features: str | os.PathLike[str] | None) -> FeatureNetwork | None:
    """Load the features that a run compares: those asked for, the recipe's own, or none.

    Raises
    ------
    ValueError
        When the recipe compares features and names none, and none were given.
    """
    if features is not None:
        return load_features(os.fspath(features))
    if not recipe.needs_features:
        return None
    if recipe.features is None:
        raise ValueError(
            f"the recipe {recipe.name!r} compares features and names no network; give features=FILE "
            "(--features FILE)"
        )
    return load_features(recipe.features.network, recipe.features.layers or None)


def make_pairs(
    pictures: Sequence[Picture],
    recipe: Recipe,
    channels: int,
    seed: int,
    device: torch.device,
    ranks: Ranks,
) -> PairSource | DevicePairSource:
    """Compress by libjpeg on the CPU; a GPU, which takes more than that makes, compresses by itself."""
    mine = {"rank": ranks.rank, "world": ranks.world}
    if device.type == "cuda" and not recipe.data.codecs:
        return DevicePairSource(pictures, recipe.data, channels, seed, device, **mine)
    return PairSource(pictures, recipe.data, channels, seed, **mine)


def _load(generator: Generator, recipe: Recipe, init: str | os.PathLike[str]) -> None:
    path = find_model(init)
    if path is None:
        raise ValueError(f"init is {str(init)!r}, which has no weights to start from; name a network")
    start, card = read_model(path)
    if (card.architecture, start.arguments) != (recipe.generator.architecture, generator.arguments):
        raise ValueError(
            f"init is a {card.architecture!r} with {start.arguments}; the recipe {recipe.name!r} trains "
            f"a {recipe.generator.architecture!r} with {generator.arguments}; name a model like that, "
            f"or {NEW_WEIGHTS!r} for new weights"
        )
    generator.load_state_dict(start.state_dict())
