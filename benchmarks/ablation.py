"""What a choice in a recipe is worth: the same recipe, seed and minutes, with one thing changed.

``python benchmarks/ablation.py DATA… IMAGES --minutes 6``

trains each of `VARIANTS` from scratch on the clean pictures in DATA, measures it on the originals in IMAGES
and prints a table: mean gain over the JPEG in dB, and the gain of the worst picture in brackets.
A run that was interrupted goes on; a model in the output folder that is done is only measured.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_deartifact.evaluation import Evaluation, Quality, evaluate
from napari_deartifact.training import Recipe, parse_recipe, read_recipe, train

VARIANTS: dict[str, dict[str, Any]] = {
    "grid anywhere": {"data.unaligned_fraction": 1.0},
    "grid at the first pixel": {"data.unaligned_fraction": 0.1},
    "AdamW": {"phases.*.optimizer.name": "adamw", "phases.*.optimizer.betas": (0.9, 0.999)},
    "Muon": {"phases.*.optimizer.name": "muon", "phases.*.optimizer.betas": (0.95, 0.999)},
}
"""Keys of a recipe, with dots between tables and, in lists, numbers or ``*`` for each of their entries."""
QUALITIES: tuple[Quality, ...] = (10, 40, 90)


def varied(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change entries of a recipe; a key or value that is not allowed is refused by name."""
    entries = recipe.to_dict()
    for key, value in changes.items():
        *tables, last = key.split(".")
        inner: list[Any] = [entries]
        for part in tables:
            inner = [child for each in inner for child in _children(each, part)]
        for each in inner:
            each[last] = value
    return parse_recipe(entries)


def _children(entry: Any, part: str) -> list[Any]:
    if part == "*":
        return list(entry)
    return [entry[int(part) if part.isdecimal() else part]]


def row(name: str, steps: int, answer: Evaluation) -> str:
    """Write a line of the table."""
    means = [answer.mean(quality)[:2] for quality in QUALITIES]
    gains = [
        f"{after.psnr - before.psnr:+.2f} ({answer.worst(quality).gain:+.2f})"
        for quality, (before, after) in zip(QUALITIES, means, strict=True)
    ]
    blocks = f"{means[0][1].psnr_b - means[0][0].psnr_b:+.2f}"
    return f"| {name} | {steps:,} | {' | '.join(gains)} | {blocks} |"


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="clean pictures to train on")
    parser.add_argument("images", metavar="IMAGES", help="originals to measure on, none of them in DATA")
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation"), metavar="FOLDER")
    parser.add_argument("--recipe", default="general-fast", help="a recipe's name or file")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--minutes", type=float, default=6.0, help="of training, for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--luma", choices=("full", "studio"), default="full", help="of colour originals")
    options = parser.parse_args()
    recipes = {name: varied(read_recipe(options.recipe), VARIANTS[name]) for name in options.variants}
    options.output.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, recipe in recipes.items():
        result = train(
            recipe,
            options.data,
            options.output / (re.sub(r"\W+", "-", name) + ".safetensors"),
            minutes=options.minutes,
            seed=options.seed,
            validate_every=10**9,
            progress=True,
        )
        answer = evaluate(result.model, options.images, QUALITIES, luma=options.luma)
        lines.append(row(name, result.steps, answer))
    print(f"{options.recipe}, {options.minutes:g} minutes each, seed {options.seed}; {options.images}")
    print(f"| variant | steps | {' | '.join(f'quality {q}' for q in QUALITIES)} | PSNR-B, quality 10 |")
    print("|---" * (len(QUALITIES) + 3) + "|")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
