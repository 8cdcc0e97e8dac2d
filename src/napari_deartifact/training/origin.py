"""What a run began from: told in the card of its model, and not to be changed where it goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_deartifact.models.registry import model_card


@dataclass(frozen=True)
class Origin:
    """What a run began from.

    Attributes
    ----------
    init, encoder : str, optional
        Names of the model, and of the file of encoder weights, that it started from.
    features : str, optional
        The network whose features it compares.
    before : dict, optional
        How the weights of `init` were trained, from its card.
    """

    init: str | None = None
    encoder: str | None = None
    features: str | None = None
    before: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        init: str | os.PathLike[str] | None,
        encoder: str | os.PathLike[str] | None,
        features: str | None,
    ) -> Origin:
        """Tell of a run that begins now."""
        card = None if init is None else model_card(init)
        first, second = (None if path is None else Path(path).name for path in (init, encoder))
        return cls(first, second, features, None if card is None else dict(card.recipe))

    def going_on(self, stored: Mapping[str, Any]) -> Origin:
        """Return the origin of a run that goes on: that of its checkpoint, or this where it tells none.

        Raises
        ------
        ValueError
            When something else is asked for than what is stored.

        Examples
        --------
        >>> Origin().going_on(Origin("general").stored()).init
        'general'
        """
        if not stored:
            return self
        there = Origin(**stored)
        for key in ("init", "encoder", "features"):
            mine, theirs = getattr(self, key), getattr(there, key)
            if mine not in (None, theirs):
                raise ValueError(f"{key} is {theirs!r} there and {mine!r} here")
        return replace(there, features=there.features or self.features)

    def stored(self) -> dict[str, Any]:
        """Write it for a checkpoint."""
        return asdict(self)
