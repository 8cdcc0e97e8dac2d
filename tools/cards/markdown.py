"""Tables, lists and figures as the cards write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)


def listed(words: Iterable[object], last: str = "and") -> str:
    """Join words with commas and a last one."""
    *first, end = [str(word) for word in words]
    return f"{', '.join(first)} {last} {end}" if first else end


def signed(value: float) -> str:
    """Write a gain with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def minutes(seconds: float) -> str:
    """Write a duration of training."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def arguments(values: Mapping[str, object]) -> str:
    """Write the arguments of a network."""
    return "; ".join(f"{key} {_value(value)}" for key, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({arguments(value)})"
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
