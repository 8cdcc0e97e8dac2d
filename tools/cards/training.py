"""How a model was trained, and on what: the recipe and the history in the header of its file, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cards.markdown import arguments, listed, minutes, table
from napari_deartifact.models.model_file import ModelCard

Recipe = Mapping[str, Any]

FRACTIONS = {
    "grey_fraction": "grey",
    "studio_fraction": "of the grey ones in studio range",
    "double_fraction": "compressed twice",
    "clean_fraction": "not compressed",
    "shrunk_fraction": "shrunk to 0.5 to 0.9 of their size",
    "unaligned_fraction": "with a block grid that starts anywhere",
}
SPENT = """\
Compute spent: {total}, in {runs}.
A recipe plans its phases in steps; a run that ends by the clock keeps their shares of it."""
DONE = """\
{done}{steps:,} steps of {batch} patches of {size}×{size} pixels, drawn from {pictures} pictures, \
in {time} on `{device}`, seed {seed}{start}."""


def history(recipe: Recipe) -> list[Recipe]:
    """List the runs that made the weights, the first one first."""
    earlier = recipe.get("before")
    return [*(history(earlier) if earlier else []), recipe]


def training(card: ModelCard) -> str:
    """Tell how the weights came about, and what that took."""
    runs = history(card.recipe) if card.recipe else []
    told = [run["run"] for run in runs if "run" in run]
    if not told:
        return "The header does not say."
    spent: dict[str, float] = {}
    for run in told:
        spent[run["device"]] = spent.get(run["device"], 0) + run["seconds"]
    total = listed(f"{minutes(seconds)} on `{device}`" for device, seconds in spent.items())
    count = f"{len(told)} runs" if len(told) > 1 else "one run"
    parts = [SPENT.format(total=total, runs=count)]
    parts += [_run(number, run, first=number == 1) for number, run in enumerate(runs, start=1)]
    return "\n\n".join(parts)


def _run(number: int, recipe: Recipe, *, first: bool) -> str:
    data, run = recipe.get("data", {}), recipe.get("run", {})
    start = f", from `{Path(run['init']).stem}`" if run.get("init") else ""
    start = ", from the weights of the run before" if start and not first else start
    done = f"{run.get('fraction', 1):.0%} of its plan, " if run.get("fraction", 1) < 1 else ""
    told = DONE.format(
        done=done,
        steps=run.get("steps", 0),
        batch=data.get("batch_size"),
        size=data.get("patch_size"),
        pictures=run.get("pictures"),
        time=minutes(run.get("seconds", 0)),
        device=run.get("device"),
        seed=run.get("seed"),
        start=start,
    )
    title = f"### {number}. Recipe `{recipe.get('name', 'unnamed')}`"
    lines = [title, told, _phases(recipe), _degradations(data), *_networks(recipe)]
    if shares := run.get("shares"):
        whole = sum(entry["share"] for entry in shares)
        parts = (f"{entry['share'] / whole:.0%} {entry['name']}" for entry in shares)
        lines.append(f"Shares of the patches: {', '.join(parts)}.")
    if mixed := recipe.get("interpolated"):
        steps = [mixed[which]["steps"] for which in ("first", "second") if mixed.get(which)]
        between = f", from those after {listed((f'{step:,}' for step in steps), 'to')} steps" if steps else ""
        what = f": {mixed['what']}" if "what" in mixed else ""
        lines.append(f"The weights lie {mixed['share']:g} of the way{between}{what}.")
    if deviations := recipe.get("deviations"):
        lines.append(f"Not as the recipe says: {deviations}.")
    return "\n\n".join(lines)


def _phases(recipe: Recipe) -> str:
    head = ("phase", "steps planned", "learns from", "learning rate")
    return table(head, (_phase(number, phase) for number, phase in enumerate(recipe.get("phases", []), 1)))


def _phase(number: int, phase: Mapping[str, Any]) -> Sequence[str]:
    losses = " + ".join(
        f"`{name}`" if weight == 1 else f"{weight:g} × `{name}`"
        for name, weight in phase.get("losses", {}).items()
    )
    if (colors := phase.get("colors", "all")) != "all":
        losses += f", of {colors} alone"
    turns = phase.get("turns") or {}
    if not turns.get("generator", 1):
        losses = "the discriminator alone"
    elif turns.get("discriminator"):
        losses += f"; discriminator and generator {turns['discriminator']}:{turns['generator']}"
    if phase.get("keep_best"):
        losses += f"; keeps the weights best in `{phase['keep_best']}`"
    if phase.get("freeze"):
        losses += f"; {listed(f'`{part}`' for part in phase['freeze'])} frozen"
    rate, schedule = f"{phase['learning_rate']:g}", phase.get("schedule", {}).get("name", "constant")
    if not turns.get("generator", 1):
        critic = phase.get("critic", {})
        rate = f"{critic.get('learning_rate', 0):g}"
        schedule = critic.get("schedule", {}).get("name", "constant")
    return str(number), f"{phase['steps']:,}", losses, f"{rate}, {schedule}"


def _networks(recipe: Recipe) -> list[str]:
    words = []
    if critic := recipe.get("discriminator"):
        built = arguments(critic.get("arguments", {}))
        words.append(f"a discriminator `{critic['architecture']}`{f' ({built})' if built else ''}")
    if features := recipe.get("features"):
        network = recipe.get("run", {}).get("features") or features["network"]
        words.append(f"the features of `{network}`")
    return [f"Judged by: {listed(words)}."] if words else []


def _degradations(data: Mapping[str, Any]) -> str:
    ranges = [
        f"quality {entry['low']} to {entry['high']} (weight {entry['weight']:g})"
        for entry in data.get("qualities", [])
    ]
    words = [f"JPEG of {listed(ranges)}"] if ranges else []
    words += [
        f"`{codec['name']}` {codec['low']} to {codec['high']} (weight {codec['weight']:g})"
        for codec in data.get("codecs") or []
    ]
    words.append(f"in {listed(data.get('subsamplings', ['4:2:0']), 'or')}")
    if (tables := data.get("tables")) and list(tables) != ["annex-k"]:
        words.append(f"tables {listed(f'`{kind}`' for kind in tables)}")
    words += [f"{data[key]:.0%} {what}" for key, what in FRACTIONS.items() if data.get(key)]
    if data.get("random_phase"):
        words.append("all with a block grid that starts anywhere")
    return f"Patches: {'; '.join(words)}."


def sources(card: ModelCard) -> str:
    """Show where the pictures are from that it was trained on."""
    if not card.data:
        return "The header names none."
    return table(("source", "licence"), ((entry["name"], entry["licence"]) for entry in card.data))
