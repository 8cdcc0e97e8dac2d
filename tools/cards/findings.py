"""What a picture of failures shows, as it is written into the PNG: a card needs no restoring."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deartifact.models.model_file import faithful_file

SEARCH = 1
"""To be raised when other crops are searched, or shown in another way: it makes all pictures stale."""
RECORD = "napari_deartifact"


@dataclass(frozen=True)
class Row:
    """A crop that is shown; PSNR in dB.

    Attributes
    ----------
    case, picture : str
    quality, y, x : int
    stretch : int
        By how much its contrast is enlarged.
    jpeg, restored : float
        Of the crop, before and after.
    bound : float
        Of the answer that agrees with the file, which is what one gets when the JPEG is given.
    faithful : float, optional
        Of a perceptual model's faithful twin.
    """

    case: str
    picture: str
    quality: int
    y: int
    x: int
    stretch: int
    jpeg: float
    restored: float
    bound: float
    faithful: float | None = None


@dataclass(frozen=True)
class Findings:
    """What a picture of failures shows, and what else was found.

    Attributes
    ----------
    weights : str
        Digest of the weights, and of those of a faithful twin; empty for a method without.
    rows : list of Row
    losses : dict
        For each case, the smallest gain of a crop at each of `QUALITIES`; None where no error is visible.
    search : int
        `SEARCH` when it was made.
    """

    weights: str
    rows: list[Row]
    losses: dict[str, list[float | None]]
    search: int = SEARCH

    @property
    def mark(self) -> str:
        """What the words about the pictures name, to tell which they describe."""
        places = [(row.picture, row.quality, row.y, row.x) for row in self.rows]
        return hashlib.sha256(repr((self.weights, places)).encode()).hexdigest()[:8]


def digest(weights: Path | None) -> str:
    """Tell weights, and those of a faithful twin beside them, from others, whatever their headers say."""
    if weights is None:
        return ""
    twin = faithful_file(weights)
    files = [weights, *([] if twin is None else [twin])]
    return hashlib.sha256(b"".join(map(_tensors, files))).hexdigest()


def _tensors(path: Path) -> bytes:
    content = path.read_bytes()
    header = int.from_bytes(content[:8], "little")
    return content[8 + header :]


def read_findings(path: Path) -> Findings:
    """Read what a picture shows.

    Raises
    ------
    FileNotFoundError
        When it has not been made.
    ValueError
        When it is another picture.
    """
    from PIL import Image

    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; python tools/model_cards.py makes it")
    with Image.open(path) as image:
        text = image.info.get(RECORD)
    if not isinstance(text, str):
        raise ValueError(f"{path} was not made by tools/model_cards.py; remove it, and run that")
    entries: dict[str, Any] = json.loads(text)
    return Findings(**{**entries, "rows": [Row(**row) for row in entries["rows"]]})
