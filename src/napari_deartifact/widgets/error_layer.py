"""A standard error as a layer: where the picture is, in colours that mean the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.widgets.layers import PROVENANCE_KEY

if TYPE_CHECKING:
    from napari.layers import Image

COLORMAP = "magma"
_BRIGHTEST = 99.5
"""Percentile of the map that is shown brightest."""
_PLACE = "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"


def standard_error_layer_data(
    layer: Image, error: NDArray[np.float32], provenance: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], str]:
    """Describe a layer that shows a standard error over the picture that was restored.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer that was restored.
    error : ndarray of float32
        Of its data's shape.  Of colours the root mean square is shown; alpha has none.
    provenance : dict
        What was done, for the metadata.

    Returns
    -------
    (data, attributes, "image")
    """
    if layer.rgb:
        error = np.sqrt(np.square(error[..., :3]).mean(axis=-1))
    known = error[np.isfinite(error)]
    brightest = float(np.percentile(known, _BRIGHTEST)) if known.size else 0.0
    state = dict(layer.as_layer_data_tuple()[1])
    attributes = {key: state[key] for key in _PLACE}
    attributes |= {
        "name": f"{layer.name} standard error",
        "colormap": COLORMAP,
        "contrast_limits": (0.0, brightest if brightest > 0 else 1.0),
        "metadata": {PROVENANCE_KEY: {**provenance, "shows": "standard error"}},
    }
    return error, attributes, "image"
