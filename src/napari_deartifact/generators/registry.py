"""Networks found by the name that a model file or a recipe gives, and built from JSON arguments."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from napari_deartifact.messages import nearest_name


def construct(
    kind: str, name: str, known: Mapping[str, str], package: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    """Import the class of a network, and call it.

    Parameters
    ----------
    kind : str
        What the networks are called in messages, such as ``"architecture"``.
    name : str
        A key of `known`.
    known : mapping of str to str
        Module within `package` and class of each network, as ``"module:Class"``.
    package : str
        Where the modules are.
    arguments : mapping, optional
        Keyword arguments of the class; its defaults otherwise.

    Returns
    -------
    Module

    Raises
    ------
    ValueError
        For an unknown name or arguments that the class does not take.

    Examples
    --------
    >>> construct("case", "letter", {"letter": "uuid:UUID"}, "nowhere", {"int": 3})
    Traceback (most recent call last):
    ModuleNotFoundError: No module named 'nowhere'
    >>> construct("case", "leter", {"letter": "uuid:UUID"}, "nowhere")
    Traceback (most recent call last):
    ValueError: unknown case 'leter' (did you mean 'letter'?); known: letter
    """
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}{nearest_name(name, known)}; known: {', '.join(known)}")
    module, class_name = known[name].split(":")
    network_class = getattr(import_module(f"{package}.{module}"), class_name)
    try:
        return network_class(**(arguments or {}))
    except (TypeError, RuntimeError, LookupError, AttributeError) as error:
        raise ValueError(f"{kind} {name!r} cannot be built: {error}") from error
