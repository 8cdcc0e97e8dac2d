"""Weights that others trained, read from a file of any usual kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

Reader = Callable[[Path], Mapping[str, Tensor]]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file of weights; nothing in it is executed.

    Parameters
    ----------
    path : Path
        ``.npz``, ``.safetensors``, or what :func:`torch.save` wrote.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    FileNotFoundError
        When there is no such file, or a folder.
    ValueError
        When it is of another kind, or damaged.
    """
    if not path.is_file():
        given = f"{path} is a folder" if path.is_dir() else f"no file of weights at {path}"
        raise FileNotFoundError(f"{given}; name a file of weights, .npz, .safetensors or .pth")
    readers: Mapping[str, Reader] = {".npz": _read_npz, ".safetensors": load_file}
    reader = readers.get(path.suffix.lower(), _read_torch)
    try:
        return {key: value for key, value in reader(path).items() if isinstance(value, Tensor)}
    except PermissionError:
        raise
    except Exception as error:  # Each format has its own, which say little or give unsafe advice.
        raise ValueError(
            f"{path} holds no weights that can be read; expected a mapping of names to arrays as .npz, "
            ".safetensors or .pth: check the name, or fetch the file again"
        ) from error


def _read_npz(path: Path) -> Mapping[str, Tensor]:
    with np.load(path, allow_pickle=False) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive}


def _read_torch(path: Path) -> Mapping[str, Tensor]:
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
