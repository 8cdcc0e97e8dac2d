"""From an answer of `deartifact` to a layer like the one that was restored, and to what was made of which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from napari_deartifact._version import __version__
from napari_deartifact.widgets.layers import PROVENANCE_KEY

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deartifact.jpeg.info import JPEGInfo

# A pyramid of one array says nothing of these.
_PYRAMID_STATE = ("multiscale", "locked_data_level")


def restored_layer_data(
    layer: Image, levels: list[Any], provenance: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], str]:
    """Describe a new layer that shows the answer as `layer` shows its own data.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer that was restored; it stays as it is.
    levels : list of array
        The answer; more than one for a pyramid.
    provenance : dict
        What was done, for the metadata; see :func:`provenance_record`.

    Returns
    -------
    (data, attributes, "image")
        Position, units, contrast, colours, and everything else that the layer says is carried on.
    """
    _, state, kind = layer.as_layer_data_tuple()
    attributes = {key: value for key, value in dict(state).items() if key not in _PYRAMID_STATE}
    attributes["name"] = f"{layer.name} restored ({provenance['model']})"
    attributes["visible"] = True
    attributes["metadata"] = {**layer.metadata, PROVENANCE_KEY: dict(provenance)}
    if len(levels) > 1:
        attributes["multiscale"] = True
    return (levels if len(levels) > 1 else levels[0]), attributes, kind


def made_of(layer: Image, layers: Iterable[Any]) -> list[Any]:
    """List a layer and those that were made of it, or of what was made of it, in the order of the layers."""
    found, known = [], {str(layer.unique_id)}
    for other in layers:
        provenance = other.metadata.get(PROVENANCE_KEY)
        if other is layer or (isinstance(provenance, Mapping) and provenance.get("source_id") in known):
            found.append(other)
            known.add(str(other.unique_id))
    return found


def provenance_record(
    *,
    model: str,
    source: str,
    source_id: str,
    strength: float,
    perceptual: float,
    tile_size: int | None,
    device: str,
    data_range: tuple[float, float] | None,
    jpeg: JPEGInfo | None,
) -> dict[str, Any]:
    """Write down how a layer came to be, in what JSON can hold.

    Parameters
    ----------
    model : str
        Its name.
    source : str
        Name of the layer that was restored.
    source_id : str
        What the session knows it by, whatever it is called.
    strength, tile_size, device, data_range, jpeg
        As they were used in :func:`~napari_deartifact.deartifact`; `data_range` is None when
        nothing had to be restored.
    perceptual : float
        How far the model goes towards a perceptual twin; 1 also for the twin under its own name.

    Returns
    -------
    dict
    """
    return {
        "program": "napari-deartifact",
        "version": __version__,
        "source": source,
        "source_id": source_id,
        "model": model,
        "strength": strength,
        "perceptual": perceptual,
        "tile_size": tile_size,
        "device": device,
        "data_range": None if data_range is None else list(data_range),
        "jpeg_quality": None if jpeg is None else jpeg.quality,
    }
