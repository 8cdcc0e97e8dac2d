"""One file holds a model: safetensors weights and, in the header, a JSON card that says all else."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_deartifact.atomic import replacing

if TYPE_CHECKING:
    from torch import nn

    from napari_deartifact.generators.base import Generator

HEADER_KEY = "napari_deartifact"
FORMAT_VERSION = 1
SUFFIX = ".safetensors"
TWIN_MARK = "-perceptual"
"""The perceptual twin of ``general.safetensors`` is ``general-perceptual.safetensors`` beside it."""


_KINDS = {
    "name": str,
    "architecture": str,
    "arguments": dict,
    "color": str,
    "description": str,
    "recipe": dict,
    "data": list,
    "results": list,
    "format_version": int,
}


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about itself.

    Attributes
    ----------
    name : str
        The model's name.
    architecture, arguments
        What :func:`napari_deartifact.generators.build` needs to make the network.
    color : {"rgb", "luma", "any"}
        The channels the network takes: three, one, or either.
    description : str
        One sentence: what the model is good for.
    recipe : dict
        The recipe that trained it and how far it got (steps, seconds, machine).
    data : list of dict
        ``name`` and ``licence`` of each source of training images.
    results : list of dict
        Measurements: the ``command`` that made each and the ``table`` that it printed.
    version, licence : str
        Of these weights.
    format_version : int
        Of the header.
    """

    name: str
    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    color: Literal["rgb", "luma", "any"] = "rgb"
    description: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    data: list[dict[str, str]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    version: str = "0"
    licence: str = "BSD-3-Clause"
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Serialise for the header."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a header; entries that a newer minor version added are ignored."""
        entries = json.loads(text)
        if not isinstance(entries, dict):
            raise TypeError(f"it is a {type(entries).__name__}; expected an object")
        known = {entry.name for entry in fields(cls)}
        card = cls(**{key: value for key, value in entries.items() if key in known})
        for name, kind in _KINDS.items():
            if not isinstance(value := getattr(card, name), kind):
                raise TypeError(f"{name} is {value!r}; expected a {kind.__name__}")
        return card


def save_model(path: str | os.PathLike[str], generator: nn.Module, card: ModelCard) -> None:
    """Write a model file; an existing one is replaced only once the new one is complete.

    Parameters
    ----------
    path : path
        The target, by convention ``*.safetensors``.
    generator : Module
        Its weights are stored in their own dtype.
    card : ModelCard
        The header.
    """
    from safetensors.torch import save_file

    weights = {key: value.detach().cpu().contiguous() for key, value in generator.state_dict().items()}
    with replacing(path) as temporary:
        save_file(weights, temporary, metadata={HEADER_KEY: card.to_json()})


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read a model file's card without its weights.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is not a model file, or one of a newer format.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with safe_open(path, framework="numpy") as archive:
            metadata = archive.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a model file ({error}); expected {SUFFIX} as 'deartifact train' writes it"
        ) from error
    if HEADER_KEY not in metadata:
        raise ValueError(
            f"{path} holds weights but no {HEADER_KEY!r} header; "
            "expected a file that 'deartifact train' wrote"
        )
    try:
        card = ModelCard.from_json(metadata[HEADER_KEY])
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} has a damaged header: {error}") from error
    if card.format_version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format {card.format_version}, newer than {FORMAT_VERSION}; update napari-deartifact"
        )
    return card


def twin_file(path: Path) -> Path:
    """Return where the perceptual twin of a model file has to lie.

    Examples
    --------
    >>> twin_file(Path("general.safetensors")).name
    'general-perceptual.safetensors'
    """
    return path.with_name(f"{path.stem}{TWIN_MARK}{path.suffix}")


def faithful_file(path: Path) -> Path | None:
    """Return the model file of which a file is the perceptual twin; None where it is none.

    Examples
    --------
    >>> faithful_file(Path("general.safetensors")) is None
    True
    """
    if not path.stem.endswith(TWIN_MARK):
        return None
    faithful = path.with_name(path.stem.removesuffix(TWIN_MARK) + path.suffix)
    return faithful if faithful.is_file() else None


def count_parameters(path: str | os.PathLike[str]) -> int:
    """Count the scalars that a model file stores, from its header alone."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as archive:
        return sum(math.prod(archive.get_slice(key).get_shape()) for key in archive.keys())  # noqa: SIM118


def read_model(path: str | os.PathLike[str]) -> tuple[Generator, ModelCard]:
    """Read a model file.

    Parameters
    ----------
    path : path
        A file that :func:`save_model` wrote.

    Returns
    -------
    generator : Generator
        On the CPU, in evaluation mode, in float32.
    card : ModelCard

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_card`; also when the weights do not fit the architecture.
    """
    from safetensors.torch import load_file

    from napari_deartifact.generators import build

    card = read_card(path)
    generator = build(card.architecture, card.arguments)
    weights = {key: value.float() for key, value in load_file(path).items()}
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: the weights do not fit the architecture {card.architecture!r}: {error}"
        ) from error
    return generator.eval().requires_grad_(False), card
