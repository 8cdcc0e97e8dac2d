"""Write the cards of the models in ``docs/models``: ``python tools/model_cards.py``.

Figures come from the header of each model's file, words from ``docs/models/notes/NAME.md``, and pictures of
failures are searched for by measurement; a picture is made again when the weights have changed, or with
``--pictures``, which takes minutes for a large network.  ``--check`` writes nothing and tells what is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cards.findings import SEARCH, Findings, digest, read_findings
from cards.montage import make_picture
from cards.text import Model, card_text, index_text

from napari_deartifact.atomic import replacing
from napari_deartifact.models.model_file import SUFFIX, read_card
from napari_deartifact.models.registry import DEFAULT_MODEL, SPP, WEIGHTS

CARDS = Path(__file__).parents[1] / "docs" / "models"
INDEX = "README"
SECTIONS = ("Use it for", "Do not use it for", "Failure cases")
MOST_BYTES = 400_000
SEEN = re.compile(r"<!-- seen: (\w+) -->")
FIGURE = re.compile(r"\d\s*(?:dB|%|MFLOP|parameters|minutes|steps)")
"""What words may not hold, because it is measured: it stands in the tables, which are written anew."""


def shipped(weights: Path = WEIGHTS) -> list[Model]:
    """List the models that ship, the default first and those without weights last."""
    paths = sorted(weights.glob(f"*{SUFFIX}"), key=lambda path: (path.stem != DEFAULT_MODEL, path.stem))
    cards = [(path, read_card(path)) for path in paths]
    networks = [Model(path.stem, card.description, path, card) for path, card in cards]
    return [*networks, Model(SPP.name, SPP.description)]


def picture_path(folder: Path, name: str) -> Path:
    """Say where a model's picture of failures lies."""
    return folder / "pictures" / f"{name}.png"


def notes_path(folder: Path, name: str) -> Path:
    """Say where the words about a model lie."""
    return folder / "notes" / f"{name}.md"


def read_notes(path: Path, mark: str) -> dict[str, str]:
    """Read what was written about a model by hand.

    Parameters
    ----------
    path : Path
        A Markdown file with the headings of `SECTIONS`, and a comment that names the picture described.
    mark : str
        Of the picture as it is now.

    Returns
    -------
    dict of str to str
        The text of each section.

    Raises
    ------
    FileNotFoundError
        When nobody has written it.
    ValueError
        When a section is missing or empty, a figure stands in it, or it describes another picture.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path.name} in {path.parent}; look at the picture, and write it with "
            f"'<!-- seen: {mark} -->' and the headings {', '.join(f'## {title}' for title in SECTIONS)}"
        )
    text = path.read_text(encoding="utf-8")
    described = SEEN.search(text)
    parts = re.split(r"^## (.+)$", SEEN.sub("", text), flags=re.MULTILINE)
    notes = {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}
    wrong = [title for title in SECTIONS if not notes.get(title)]
    wrong += [title for title in notes if title not in SECTIONS]
    if wrong or parts[0].strip():
        raise ValueError(
            f"{path}: expected text below {', '.join(f'## {title}' for title in SECTIONS)} and nothing else; "
            f"mend {', '.join(wrong) or 'what stands before the first heading'}"
        )
    if figure := FIGURE.search(text):
        raise ValueError(
            f"{path} holds the figure {figure[0]!r}, which new weights would make wrong; say it in words, as "
            "the figures stand in the tables of the card"
        )
    if described is None or described[1] != mark:
        raise ValueError(
            f"{path} describes another picture of failures; look at the new one, mend the words, and write "
            f"'<!-- seen: {mark} -->'"
        )
    return notes


def current_findings(model: Model, folder: Path) -> Findings:
    """Read what a model's picture shows.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no picture, or it is of other weights or of another search.
    """
    path = picture_path(folder, model.name)
    findings = read_findings(path)
    if findings.weights != digest(model.path) or findings.search != SEARCH:
        raise ValueError(f"{path} is of other weights or an older search; run python tools/model_cards.py")
    return findings


def expected(model: Model, folder: Path) -> str:
    """Write the card that a model should have.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`current_findings` and :func:`read_notes`.
    """
    findings = current_findings(model, folder)
    return card_text(model, read_notes(notes_path(folder, model.name), findings.mark), findings)


def complaints(models: Sequence[Model], folder: Path = CARDS) -> list[str]:
    """Tell what is stale, missing or left over, and what to do about it; nothing is restored."""
    texts: dict[str, Callable[[], str]] = {INDEX: partial(index_text, models)}
    texts |= {model.name: partial(expected, model, folder) for model in models}
    found = []
    for name, text in texts.items():
        path = folder / f"{name}.md"
        try:
            wanted = text()
            if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
                found.append(f"{path} is not what it should be; run python tools/model_cards.py")
        except (FileNotFoundError, ValueError) as error:
            found.append(str(error))
    found += [
        f"{picture} has {picture.stat().st_size:,} bytes; expected at most {MOST_BYTES:,}; show fewer rows"
        for picture in sorted(folder.glob("pictures/*.png"))
        if picture.stat().st_size > MOST_BYTES
    ]
    pages = [*folder.glob("*.md"), *folder.glob("pictures/*.png"), *folder.glob("notes/*.md")]
    left = [page for page in sorted(pages) if page.stem not in texts]
    return found + [f"{page} is of no model that ships; remove it" for page in left]


def write_cards(models: Sequence[Model], folder: Path = CARDS, *, pictures: bool = False) -> None:
    """Write all cards for which there are words, and make the pictures that are stale, or all of them."""
    for part in ("notes", "pictures"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for model in models:
        try:
            current_findings(model, folder)
            fresh = not pictures
        except (FileNotFoundError, ValueError):
            fresh = False
        if not fresh:
            make_picture(model.name, model.path, picture_path(folder, model.name))
        try:
            text = expected(model, folder)
        except (FileNotFoundError, ValueError):
            continue  # the complaints tell
        write(folder / f"{model.name}.md", text)
    write(folder / f"{INDEX}.md", index_text(models))


def write(path: Path, text: str) -> None:
    """Write a page."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only tell what is stale")
    parser.add_argument("--pictures", action="store_true", help="make all pictures again")
    options = parser.parse_args()
    models = shipped()
    if not options.check:
        write_cards(models, pictures=options.pictures)
    if found := complaints(models):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
