"""The same restoration as a Python script, for the clipboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        It reads the layer's file when this program's reader opened it, and runs anywhere;
        otherwise it takes the layer from the current viewer, and runs in napari's console.
    """
    image = LayerImage.of(layer)
    path = layer.source.path if layer.source.reader_plugin == READER else None
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
    arguments = [repr(str(model))]
    arguments += [f"{key}={jpeg if key == JPEG_KEY else repr(value)}" for key, value in given.items()]
    if len(image.levels) > 1:
        answer = f"[{function}(level, {', '.join(arguments)}) for level in {pixels}]"
    else:
        answer = f"{function}({', '.join([pixels, *arguments])})"
    names = [f"restored = {answer}"]
    if uncertainty:
        names = [f"answer = {answer}", "restored, standard_error = answer.image, answer.standard_error"]
    return "\n".join([*imports, "", *source, *names, ""])


def _imports(module: str, name: str) -> list[str]:
    return [f"from napari_deartifact.{module} import {name}"]
