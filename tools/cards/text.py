"""A model's card as Markdown: what the header of its file says, figures as they stand there, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.findings import Findings, Row
from cards.markdown import arguments, listed, signed, table
from cards.montage import ERROR_SCALE
from cards.originals import PICTURES
from cards.search import CASE_QUALITY, CROP, QUALITIES, STEP, VISIBLE, WORST
from cards.templates import CARD, FAILURES, INDEX, TRAINED
from cards.training import sources, training
from napari_deartifact.models.model_file import (
    TWIN_MARK,
    ModelCard,
    count_parameters,
    faithful_file,
    read_model,
    twin_file,
)

MEASURES = {"psnr": "PSNR, dB", "psnr_b": "PSNR-B, dB", "ssim": "SSIM", "perceptual": "feature distance"}
COLUMNS = {
    "jpeg": "JPEG",
    "restored": "restored",
    "aligned": "restored before the cut",
    "one_pass": "restored once",
}
COLORS = {
    "any": "RGB, and grey as it is",
    "rgb": "RGB; grey is given to it three times",
    "luma": "luma; the chroma of a colour picture stays as it is",
}
FLOP_SIZE = 64


@dataclass(frozen=True)
class Model:
    """A model that ships; without path and card where it has no weights."""

    name: str
    description: str
    path: Path | None = None
    card: ModelCard | None = None


@dataclass(frozen=True)
class Work:
    """What a network costs: trained scalars, MFLOP a pixel, and how far it sees in pixels.

    Each on pictures of three channels first, and then, where that is less, on those of one.
    """

    parameters: int
    megaflops: tuple[float, ...]
    radius: tuple[int, ...]
    tile: int | None

    @classmethod
    def of(cls, path: Path) -> Work:
        """Count as ``benchmarks/recipes.py`` does: a multiplication and an addition are two."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        generator, _ = read_model(path)
        size = generator.fixed_tile or FLOP_SIZE
        kinds = (generator.channels,) if generator.grey_radius is None else (3, 1)
        megaflops = []
        for channels in kinds:
            with FlopCounterMode(display=False) as counter, torch.inference_mode():
                generator(torch.zeros(1, channels, size, size))
            megaflops.append(counter.get_total_flops() / size**2 / 1e6)
        radius = (generator.receptive_radius, generator.grey_radius or 0)[: len(kinds)]
        return cls(count_parameters(path), tuple(megaflops), radius, generator.fixed_tile)

    @property
    def rates(self) -> str:
        return " in colour, ".join(f"{rate:.3f}" for rate in self.megaflops)

    @property
    def reach(self) -> str:
        return " in colour, ".join(map(str, self.radius))

    @property
    def in_grey(self) -> str:
        return " in grey" * (len(self.radius) - 1)


def card_text(model: Model, notes: Mapping[str, str], findings: Findings) -> str:
    """Write a card.

    Parameters
    ----------
    model : Model
    notes : dict of str to str
        What is known of it by hand, by section.
    findings : Findings
        What its picture of failures shows.

    Raises
    ------
    ValueError
        When a result of the header is no table of qualities.
    """
    text = CARD.format(
        name=model.name,
        description=model.description,
        facts=facts(model),
        use=notes["Use it for"],
        not_use=notes["Do not use it for"],
        failures=failures(model.name, findings),
        seen=notes["Failure cases"],
        measured=measured(model),
    )
    if model.card is None:
        return text
    return text + TRAINED.format(training=training(model.card), sources=sources(model.card))


def index_text(models: Sequence[Model]) -> str:
    """Write the page that leads to the cards."""
    rows = []
    for model in models:
        work = None if model.path is None else Work.of(model.path)
        size = ("none", "") if work is None else (f"{work.parameters:,}", work.rates + work.in_grey)
        rows.append((f"[`{model.name}`]({model.name}.md)", *size, model.description))
    return INDEX.format(
        models=table(("model", "parameters", "MFLOP a pixel", "what it is"), rows),
        qualities=listed(QUALITIES),
        crop=CROP,
        step=STEP,
        quality=CASE_QUALITY,
        visible=VISIBLE,
        worst=WORST,
        full=ERROR_SCALE,
        originals=table(
            ("original", "where it is from"),
            ((picture.name, picture.source) for picture in PICTURES.values()),
        ),
    )


def facts(model: Model) -> str:
    """Tell what the model is."""
    if model.path is None or model.card is None:
        return table(
            ("kind", "classical: no weights, nothing was trained"),
            [
                ("takes", "RGB or grey, with the JPEG's quantization tables, known or estimated"),
                ("code", "[`models/spp.py`](../../src/napari_deartifact/models/spp.py), BSD-3-Clause"),
            ],
        )
    card, work = model.card, Work.of(model.path)
    built = arguments(card.arguments)
    sees = f"tiles of {work.tile} pixels"
    if work.tile is None:
        sees = f"{work.reach} pixels to each side{work.in_grey}"
    return table(
        ("architecture", f"`{card.architecture}`{f': {built}' if built else ''}"),
        [
            ("parameters", f"{work.parameters:,}"),
            (
                "work",
                f"{work.rates} MFLOP a pixel{work.in_grey}; a multiplication and an addition are two",
            ),
            ("sees", sees),
            ("takes", COLORS[card.color]),
            (
                "file",
                f"`{model.path.name}`, {model.path.stat().st_size / 1e6:.1f} MB, version {card.version}",
            ),
            ("licence of the weights", card.licence),
            *_relatives(model.path),
        ],
    )


def _relatives(path: Path) -> list[tuple[str, str]]:
    faithful, perceptual = faithful_file(path), twin_file(path)
    if faithful is not None:
        return [("faithful twin", f"[`{faithful.stem}`]({faithful.stem}.md): this is its `perceptual=1`")]
    return [("perceptual twin", f"[`{perceptual.stem}`]({perceptual.stem}.md)")] * perceptual.is_file()


def failures(name: str, findings: Findings) -> str:
    """Show the picture of failures, and its figures."""
    twin = name.removesuffix(TWIN_MARK) if any(row.faithful is not None for row in findings.rows) else None
    head = ["case", "picture", "row, column", "quality", "JPEG", f"`{name}`", "bound to the file"]
    return FAILURES.format(
        name=name,
        crop=CROP,
        quality=CASE_QUALITY,
        worst=WORST,
        told="told the tables of the JPEG" if name == "spp" else "not told of the JPEG",
        rows=table([*head, *([] if twin is None else [f"`{twin}`"])], map(_failure, findings.rows)),
        losses=table(
            ("", *QUALITIES),
            (
                (case, *("–" if gain is None else signed(gain) for gain in gains))
                for case, gains in findings.losses.items()
            ),
        ),
    )


def _failure(row: Row) -> Sequence[object]:
    scores = [row.restored, row.bound, *([] if row.faithful is None else [row.faithful])]
    told = (f"{score:.2f} ({signed(score - row.jpeg)})" for score in scores)
    return row.case, row.picture, f"{row.y}, {row.x}", row.quality, f"{row.jpeg:.2f}", *told


def measured(model: Model) -> str:
    """Show the tables of the header, each below the command that printed it."""
    if model.card is None:
        return f"[results.md](../results.md) has it beside the others, in the columns `{model.name}`."
    if not model.card.results:
        return "The header holds no measurements."
    return "\n\n".join(_result(model.name, result) for result in model.card.results)


def _result(name: str, result: Mapping[str, Any]) -> str:
    rows = result.get("table")
    if not rows or not all(isinstance(row, Mapping) and "restored" in row for row in rows):
        raise ValueError(
            f"{name}: the header's result of {result.get('command')!r} has no table of qualities; write the "
            "model again: python tools/make_weights.py publish, with files of 'deartifact evaluate --json'"
        )
    columns = [key for key in COLUMNS if any(key in row for row in rows)]
    measures = [key for key in MEASURES if any(key in row["restored"] for row in rows)]
    least = any("worst" in row for row in rows)
    head = ["quality", *(COLUMNS[key] for key in columns), *(["restored picture that gained least"] * least)]
    lines = []
    for row in rows:
        line = [str(row["quality"]), *(_scores(row.get(key), measures) for key in columns)]
        if worst := row.get("worst"):
            line.append(f"{worst['image']}: {_scores(worst['restored'], measures)}")
        lines.append(line)
    title = f"**{result.get('set', 'Measurement')}**: {' / '.join(MEASURES[key] for key in measures)}"
    return f"{title}\n\n`{result['command']}`\n\n{table(head, lines)}"


def _scores(scores: Mapping[str, float | None] | None, measures: Sequence[str]) -> str:
    if scores is None:
        return ""
    return " / ".join("∞" if scores.get(key) is None else str(scores[key]) for key in measures)
