"""The same restoration as a Python script, for the clipboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deartifact.files.read import read_image
from napari_deartifact.intensities import intensity_scale
from napari_deartifact.widgets.layers import JPEG_KEY, LayerImage

if TYPE_CHECKING:
    from napari.layers import Image

READER = "napari-deartifact"

_DEFAULTS = {
    "strength": 1.0, "perceptual": 0.0, "device": "auto", "tile_size": None, "data_range": None, "jpeg": None,
    "force": False,
}  # fmt: skip


def restoration_script(
    layer: Image, model: str | Path, options: dict[str, Any], *, uncertainty: bool = False
) -> str:
    """Write the script.

    Parameters
    ----------
    layer : napari.layers.Image
    model : str or Path
    options : dict
        Keyword arguments of :func:`~napari_deartifact.deartifact`; those that have their default
        value are left out.
    uncertainty : bool
        Whether the script finds the standard error too.

    Returns
    -------
    str
        It reads the layer's file when this program's reader has read it whole and the layer still shows it,
        and runs anywhere; otherwise it takes the layer from the current viewer, and runs in napari's console.
    """
    image = LayerImage.of(layer)
    path = layer.source.path if _shows_its_file(layer, image) else None
    given = {key: value for key, value in options.items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
    function = "restore_with_uncertainty" if uncertainty else "deartifact"
    if path is not None:
        imports = [f"from napari_deartifact import {function}", *_imports("files.read", "read_image")]
        source = [f"image = read_image({path!r})"]
        pixels, jpeg = "image.pixels", "image.jpeg"
    else:
        imports = ["import napari", "", f"from napari_deartifact import {function}"]
        source = [f"layer = napari.current_viewer().layers[{layer.name!r}]"]
        pixels, jpeg = "layer.data", f"layer.metadata[{JPEG_KEY!r}]"
        if layer.multiscale and len(image.levels) == 1:
            pixels = "layer.data[0]"
    written = {key: jpeg if key == JPEG_KEY else repr(value) for key, value in given.items()}
    call = partial(_call, function, model)
    if len(image.levels) > 1:
        if JPEG_KEY not in written:
            names = [f"restored = [{call('level', written)} for level in {pixels}]"]
        else:
            coarser = _of_coarser_levels(image, options, written)
            names = [
                f"restored = [{call(f'{pixels}[0]', written)}]",
                f"restored += [{call('level', coarser)} for level in {pixels}[1:]]",
            ]
    elif uncertainty:
        names = [
            f"answer = {call(pixels, written)}",
            "restored, standard_error = answer.image, answer.standard_error",
        ]
    else:
        names = [f"restored = {call(pixels, written)}"]
    return "\n".join([*imports, "", *source, *names, ""])


def _shows_its_file(layer: Image, image: LayerImage) -> bool:
    if layer.source.reader_plugin != READER or layer.source.path is None or image.is_lazy:
        return False
    try:
        pixels = read_image(layer.source.path).pixels
    except (OSError, ValueError, ImportError):
        return False
    shown = image.levels[0]
    return pixels.dtype == shown.dtype and np.array_equal(pixels, shown, equal_nan=pixels.dtype.kind == "f")


def _call(function: str, model: str | Path, pixels: str, written: dict[str, str]) -> str:
    arguments = [pixels, repr(str(model)), *(f"{key}={value}" for key, value in written.items())]
    return f"{function}({', '.join(arguments)})"


def _of_coarser_levels(image: LayerImage, options: dict[str, Any], written: dict[str, str]) -> dict[str, str]:
    """Put what the JPEG says of the range in its place: it is the record of the finest level alone."""
    scale = intensity_scale(image.levels[0], options.get("data_range"), precision=options[JPEG_KEY].precision)
    known = {} if scale is None else {"data_range": repr((scale.black, scale.white))}
    return {**{key: value for key, value in written.items() if key != JPEG_KEY}, **known}


def _imports(module: str, name: str) -> list[str]:
    return [f"from napari_deartifact.{module} import {name}"]
