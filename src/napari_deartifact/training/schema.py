"""Nested mappings become dataclasses, strictly: a wrong key or value is named, with what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from napari_deartifact.messages import nearest_name

T = TypeVar("T")


class RecipeError(ValueError):
    """A recipe that cannot be used; the message names the key, the value and what is allowed."""


def convert(entries: Any, kind: type[T], key: str = "") -> T:
    """Build a dataclass from a mapping.

    Parameters
    ----------
    entries : mapping
        As TOML or JSON holds it.
    kind : type
        A dataclass whose fields are numbers, strings, mappings, dataclasses or tuples of one kind.
    key : str
        Where in the recipe `entries` stands, for messages.

    Returns
    -------
    an instance of `kind`

    Raises
    ------
    RecipeError
        For an unknown or a missing key and for a value of the wrong type.

    Examples
    --------
    >>> from dataclasses import make_dataclass
    >>> Point = make_dataclass("Point", [("x", int), ("y", int)])
    >>> convert({"x": 1, "z": 2}, Point)
    Traceback (most recent call last):
    ...
    napari_deartifact.training.schema.RecipeError: unknown key 'z'; allowed: x, y
    """
    if not isinstance(entries, Mapping):
        raise RecipeError(f"{key or 'recipe'} is {entries!r}; expected a table")
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}
    for name in entries:
        if name not in known:
            hint = nearest_name(str(name), known)
            raise RecipeError(f"unknown key {_join(key, name)!r}{hint}; allowed: {', '.join(known)}")
    for name, entry in known.items():
        if name not in entries and entry.default is MISSING and entry.default_factory is MISSING:
            raise RecipeError(f"key {_join(key, name)!r} is missing; expected {_say(hints[name])}")
    arguments = {name: _value(_join(key, name), value, hints[name]) for name, value in entries.items()}
    return kind(**arguments)


def check_choice(key: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a value that is not among the allowed ones."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise RecipeError(
            f"{key} is {value!r}{nearest_name(value, allowed)}; expected one of {', '.join(allowed)}"
        )


def check_range(
    key: str, value: float, low: float, high: float = float("inf"), *, open_low: bool = False
) -> None:
    """Refuse a number outside an interval; `open_low` excludes `low` itself."""
    if not (low < value if open_low else low <= value) or not value <= high or value == float("inf"):
        lowest = f"more than {low:g}" if open_low else f"at least {low:g}"
        highest = "" if high == float("inf") else f" and at most {high:g}"
        raise RecipeError(f"{key} is {value}; expected {lowest}{highest}")


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _say(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    if hint in names:
        return names[hint]
    if isinstance(hint, UnionType):
        return " or ".join(_say(kind) for kind in get_args(hint) if kind is not NoneType)
    return "a list" if get_origin(hint) is tuple else "a table"


def _value(key: str, value: Any, hint: Any) -> Any:
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return convert(value, hint, key)
    if isinstance(hint, UnionType):  # what may be left out; JSON writes it as null
        (kind,) = (kind for kind in get_args(hint) if kind is not NoneType)
        return None if value is None else _value(key, value, kind)
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_value(f"{key}[{index}]", item, get_args(hint)[0]) for index, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        kind = get_args(hint)[1]
        return {
            name: item if kind is Any else _value(_join(key, name), item, kind)
            for name, item in value.items()
        }
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    raise RecipeError(f"{key} is {value!r}; expected {_say(hint)}")
