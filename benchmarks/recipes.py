"""Train every published system for the same time and measure all of them alike.

``python benchmarks/recipes.py IMAGES --data PICTURES… --features FILE -o FOLDER --minutes 20``

A run that was interrupted goes on.  Without ``--data`` the models in FOLDER are measured, each once: in grey
by PSNR, PSNR-B and SSIM, in colour by the distance of features as well.  The published
batches are far too large for minutes on a CPU, so all recipes get the same smaller ones; and the residual
generator's learning rate, meant for 70,000 steps, is raised.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_deartifact import __version__
from napari_deartifact.atomic import replacing
from napari_deartifact.evaluation import Measure, evaluate, to_json
from napari_deartifact.generators.base import Generator
from napari_deartifact.models.model_file import read_model
from napari_deartifact.training import read_recipe, train
from napari_deartifact.training.features import FeatureDistance, load_features
from napari_deartifact.training.recipe import Recipe

RECIPES = (
    "compact-cnn", "unet-gan", "mobile-nogan", "argan", "residual-mse", "residual-ssim",
    "residual-gan", "residual-gan-y", "residual-gan-l1",
)  # fmt: skip
QUALITIES = (10, 20, 30, 40)
MEASURES = ("psnr", "psnr_b", "ssim", "perceptual")
TILE = 256


def shortened(name: str, patch_size: int, batch_size: int, factor: float) -> Recipe:
    """A recipe with other batches, and a higher rate that falls; phases, losses and networks are its own."""
    recipe = read_recipe(name)
    data = replace(recipe.data, patch_size=patch_size, batch_size=batch_size)
    phases = tuple(
        replace(
            phase,
            learning_rate=phase.learning_rate * factor,
            schedule=replace(phase.schedule, name="cosine") if factor > 1 else phase.schedule,
        )
        for phase in recipe.phases
    )
    return replace(recipe, data=data, phases=phases)


def train_all(options: argparse.Namespace) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.recipes:
        factor = options.residual_rate if name.startswith("residual") else 1.0
        recipe = shortened(name, options.patch_size, options.batch_size, factor)
        result = train(
            recipe,
            options.data,
            options.output / f"{name}.safetensors",
            minutes=options.minutes,
            features=options.features,
            progress=True,
            validate_every=2000,
        )
        print(f"{name}: {result.steps} steps, {result.validation}", flush=True)


def megaflops(generator: Generator) -> float:
    """Per pixel; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        generator(torch.rand(1, generator.channels, TILE, TILE))
    return counter.get_total_flops() / TILE**2 / 1e6


def seconds_per_megapixel(generator: Generator) -> float:
    picture = torch.rand(1, generator.channels, 2 * TILE, 2 * TILE)
    with torch.inference_mode():
        generator(picture)
        begun = time.process_time()
        generator(picture)
    return (time.process_time() - begun) / (4 * TILE**2 / 1e6)


def measure(path: Path, color: bool, options: argparse.Namespace, distance: Measure) -> Path:
    """Evaluate a model unless that was done; its table lies beside it."""
    table = path.with_suffix(".colour.json" if color else ".grey.json")
    if not table.is_file():
        answer = evaluate(
            path,
            options.images,
            options.colour_qualities if color else QUALITIES,
            luma="studio",
            color=color,
            measures=[distance] if color else [],
        )
        with replacing(table) as temporary:
            temporary.write_text(to_json(answer, version=__version__, command=" ".join(sys.argv)))
    return table


def described(path: Path, options: argparse.Namespace, distance: Measure) -> str:
    """Size, work and figures of a model, a line for each measure."""
    generator, card = read_model(path)
    run = card.recipe["run"]
    size = f"{generator.parameter_count:,} parameters, {megaflops(generator):.3f} MFLOP/px"
    cost = f"{seconds_per_megapixel(generator):.2f} CPU s/MP"
    lines = [f"{path.stem}: {size}, {cost}, {run['steps']} steps in {run['seconds']} s"]
    for color in (False, True):
        rows = json.loads(measure(path, color, options, distance).read_text())["mean"]
        for name in MEASURES[: 4 if color else 3]:
            cells = [f"{row['jpeg'][name]:.3f} → {row['restored'][name]:.3f}" for row in rows]
            lines.append(f"| {'colour' if color else 'grey'} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", help="originals in colour to measure on")
    parser.add_argument("--data", nargs="+", help="clean pictures to train on; without, only measure")
    parser.add_argument("--features", required=True, metavar="FILE")
    parser.add_argument(
        "--colour-qualities", nargs="+", type=int, default=QUALITIES, help="fewer, where time is short"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("recipes"))
    parser.add_argument("--recipes", nargs="+", default=RECIPES, metavar="NAME")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--patch-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--residual-rate", type=float, default=10.0, metavar="FACTOR")
    options = parser.parse_args()
    if options.data:
        train_all(options)
        return
    torch.set_grad_enabled(False)
    distance = FeatureDistance(load_features(options.features), "cpu")
    for name in options.recipes:
        print(described(options.output / f"{name}.safetensors", options, distance), flush=True)


if __name__ == "__main__":
    main()
