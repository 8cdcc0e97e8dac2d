"""What the parts of the perceptual training are worth: ``general-perceptual`` with one of them changed.

``python benchmarks/perceptual.py DATA IMAGES --features FILE --minutes 7``

trains each of `VARIANTS` for the same time from ``general`` on the clean pictures in DATA, measures it on the
colour originals in IMAGES and prints a table: PSNR in RGB, and the distance of features as a share of the
JPEG's.  A run that was interrupted goes on; a model in the output folder that is done is only measured.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from napari_deartifact.evaluation import Evaluation, Quality, evaluate
from napari_deartifact.training import read_recipe, train
from napari_deartifact.training.features import FeatureDistance, load_features

sys.path.insert(0, str(Path(__file__).parent))
from ablation import varied

RECIPE = "general-perceptual"
PIXELS = {"psnr": 1.0, "l1": 60.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "features, sub-patches": {},
    "features, whole patches": {
        "discriminator.architecture": "full-patch",
        "discriminator.arguments": {"width": 54},  # as much work
    },
    "L1 for features, sub-patches": {
        "phases.0.losses": PIXELS,
        "phases.2.losses": {**PIXELS, "adversarial": 1.0},
    },
    "features alone": {"phases.2.losses": {"psnr": 1.0, "feature": 60.0}},
}
QUALITIES: tuple[Quality, ...] = (10, 20, 90)


def row(name: str, answer: Evaluation) -> str:
    """Write a line of the table."""
    cells = []
    for quality in QUALITIES:
        before, after = answer.mean(quality)[:2]
        share = after.others["perceptual"] / before.others["perceptual"] - 1
        cells.append(f"{after.psnr:.2f} ({after.psnr - before.psnr:+.2f}), {100 * share:+.0f} %")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="clean pictures to train on")
    parser.add_argument("images", help="colour originals to measure on, none of them in DATA")
    parser.add_argument("--features", required=True, metavar="FILE", help="as of 'deartifact train'")
    parser.add_argument("-o", "--output", type=Path, default=Path("perceptual"), metavar="FOLDER")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--minutes", type=float, default=7.0, help="of training, for each")
    parser.add_argument("--init", default="general", help="a model to start from")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    distance = FeatureDistance(load_features(options.features))
    lines = [row("start", evaluate(options.init, options.images, QUALITIES, color=True, measures=[distance]))]
    for name in options.variants:
        # Minutes are too few for the recipe's pace.
        changes = {"phases.2.measure_every": 80, **VARIANTS[name]}
        result = train(
            varied(read_recipe(RECIPE), changes),
            options.data,
            options.output / (re.sub(r"\W+", "-", name) + ".safetensors"),
            init=options.init,
            minutes=options.minutes,
            features=options.features,
            validate_every=10**9,
            progress=True,
        )
        answer = evaluate(result.model, options.images, QUALITIES, color=True, measures=[distance])
        lines.append(row(f"{name}, {result.steps:,} steps", answer))
    print(f"{RECIPE}, {options.minutes:g} minutes each; {options.images}; {distance.name}")
    print(f"| variant | {' | '.join(f'quality {quality}' for quality in QUALITIES)} |")
    print("|---" * (len(QUALITIES) + 1) + "|")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
