"""``deartifact restore`` of a whole slide, to a name such as ``slide.ome.zarr``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from napari_deartifact.cli.console import OK, bar, tell
from napari_deartifact.cli.options import chosen_model
from napari_deartifact.messages import printable

_FOR_FILES_ONLY = ("uncertainty", "suffix", "report", "reference", "scheduler", "data_range")


def is_wanted(options: argparse.Namespace) -> bool:
    """Tell by the output's name, and of OME-TIFF by the input too, whether a slide is to be made."""
    name = options.output.rstrip("/" + os.sep).lower()
    if name.endswith(".zarr"):
        return True
    if len(options.inputs) != 1 or not name.endswith((".ome.tif", ".ome.tiff")):
        return False
    from napari_deartifact.files.slides_open import is_slide

    return is_slide(options.inputs[0])


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.files.slides import restore_slide
    from napari_deartifact.files.slides_job import remove_spent_folder

    _check(options)
    (source,), target = options.inputs, Path(options.output)
    if not Path(source).exists():
        raise FileNotFoundError(f"no file at {source}; check the name")
    remove_spent_folder(target)
    if target.exists() and not options.overwrite:
        tell(f"{printable(str(target))} exists, skipped; --overwrite restores it again")
        return OK
    steps = restore_slide(
        source,
        target,
        chosen_model(options),
        strength=options.strength,
        perceptual=options.perceptual,
        force=options.force,
        device=options.device,
        tile_size=options.tile_size,
        overwrite=options.overwrite,
    )
    with bar(None, "piece") as pieces:
        for step in steps:
            pieces.total = step.total
            pieces.update(step.done - pieces.n)
    tell(f"{printable(str(source))} → {printable(str(target))}")
    return OK


def _check(options: argparse.Namespace) -> None:
    """Refuse what makes no sense of a slide."""
    if len(options.inputs) != 1:
        raise ValueError(
            f"{options.output} names one slide, and there are {len(options.inputs)} inputs; name a folder"
        )
    if Path(options.inputs[0]).is_dir():
        raise ValueError(
            f"{options.output} names one slide, and {options.inputs[0]} is a folder; name a folder"
        )
    for name in _FOR_FILES_ONLY:
        if getattr(options, name):
            option = "format" if name == "suffix" else name.replace("_", "-")
            raise ValueError(
                f"--{option} is for files that are restored whole, and not for slides; leave it out"
            )
