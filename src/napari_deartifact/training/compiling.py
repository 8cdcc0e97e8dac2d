"""A network compiled for its training."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec

import torch
from torch import nn

COMPILERS = {"win32": ("cl",), "darwin": ("clang++", "g++")}.get(sys.platform, ("g++",))


def compile_network(network: nn.Module, device: torch.device) -> nn.Module:
    """Return what to call in place of a network; the compiler runs when it is first called.

    Parameters
    ----------
    network : Module
        Which remains the owner of its weights.
    device : torch.device
        Where it is.

    Returns
    -------
    Module

    Raises
    ------
    RuntimeError
        When nothing is there to compile with.
    """
    if device.type == "cuda" and find_spec("triton") is None:
        raise RuntimeError("to compile for a GPU takes Triton; install it, or train without compiling")
    if device.type == "cpu" and _compiler() is None:
        raise RuntimeError(
            f"to compile for a CPU takes a C++ compiler; install {COMPILERS[0]}, name another in the "
            "environment variable CXX, or train without compiling"
        )
    return torch.compile(network, dynamic=False)  # type: ignore[return-value]


def _compiler() -> str | None:
    named = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, (named,) if named else COMPILERS)), None)
