"""The network that ships to foretell the errors of restored pictures; it restores none itself."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.models.model_file import ModelCard, read_card
from napari_deartifact.models.registry import WEIGHTS

if TYPE_CHECKING:
    from napari_deartifact.generators.error_head import ErrorHead

HEAD = WEIGHTS / "heads" / "error-head.safetensors"
"""In a folder of its own, as the models that restore are found by looking into `WEIGHTS`."""
HALO = 32
"""Pixels farther away have no influence."""
LEVELS = 255
SIZE_MULTIPLE = 2


def error_head_card() -> ModelCard:
    """Read what the file says of the network, such as the models on whose answers it was trained.

    Examples
    --------
    >>> "spp" in error_head_card().recipe["restorers"]
    True
    """
    return read_card(HEAD)


def log_standard_error(
    restored: NDArray[np.float32],
    degraded: NDArray[np.float32],
    quantization: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    *,
    model: str = "",
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Foretell the error of a tile.

    Parameters
    ----------
    restored, degraded : ndarray of float32, shape (C, Y, X)
        C is 1 or 3; 0 is black, 1 is white.
    quantization : (ndarray of shape (C, Y, X), ndarray of shape (C,)), optional
        Logarithms of the standard error that quantization implies, in levels of 255: for each pixel,
        and for evenly filled cells.
    model : str
        The name of the model that has restored it.
    device : str
        Such as ``"cpu"`` or ``"cuda:0"``.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)
        Logarithm of the standard error, in levels of 255.
    """
    import torch

    channels, height, width = restored.shape

    def batch(picture: NDArray[Any]) -> torch.Tensor:
        whole = np.pad(picture, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
        return torch.from_numpy(np.repeat(whole, 3 // channels, axis=0)[np.newaxis]).to(device)

    pixels = even = None
    if quantization is not None:
        pixels = batch(quantization[0])
        even = torch.from_numpy(np.repeat(quantization[1], 3 // channels)[np.newaxis]).to(device)
    with torch.inference_mode():
        answer = _error_head(device)(
            batch(restored), batch(degraded), pixels, even, model=model, grey=channels == 1
        )
    planes: NDArray[np.float32] = answer[0, :, :height, :width].float().cpu().numpy()
    return planes if channels == 3 else planes.mean(axis=0, keepdims=True)


def read_error_head(path: str | os.PathLike[str] = HEAD) -> ErrorHead:
    """Build the network of a file, by default of the one that ships.

    Examples
    --------
    >>> read_error_head().architecture
    'error-head'
    """
    from safetensors.torch import load_file

    from napari_deartifact.generators.error_head import ErrorHead

    head = ErrorHead(**read_card(path).arguments)
    head.load_state_dict(load_file(path))
    return head.eval().requires_grad_(False)


@lru_cache(maxsize=4)
def _error_head(device: str) -> ErrorHead:
    return read_error_head().to(device)
