"""Which device computes, in which precision, and how much it takes at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, cast

from napari_deartifact.messages import nearest_name

DEFAULT_TILE = {"cpu": 768, "mps": 512, "cuda": 1024}
"""On a CPU larger ones repeat less of their halos but leave the cache; benchmarks/speed.py measures it."""
BYTES_PER_PIXEL = 600
"""Working memory of a network for each pixel of its input, at most; benchmarks/speed.py measures it."""
CPU_BATCH = 2
"""Tiles at once, each on half of the cores, which is faster than one after the other on all of them."""
LARGEST_BATCH = 8
"""Tiles at once: enough to keep a GPU busy, and few enough to cancel soon."""

Precision = Literal["float32", "bfloat16"]
PRECISIONS = ("auto", "float32", "bfloat16")
PRECISION_VARIABLE = "NAPARI_DEARTIFACT_PRECISION"

_SHARE_OF_FREE_MEMORY = 0.5
_AMPERE = (8, 0)
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def available_devices() -> list[str]:
    """List the devices of this machine, the preferred one first.

    Returns
    -------
    list of str
        Such as ``["cuda:0", "cuda:1", "cpu"]``.
    """
    import torch

    devices = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def resolve_device(device: str = "auto") -> str:
    """Turn what the caller asked for into a device that is there.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``; ``"gpu"`` is the first that is no CPU.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When the device does not exist on this machine.
    TypeError
        When it is no name.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if not isinstance(device, str):
        raise TypeError(f"device is {device!r}; expected a name such as 'auto', 'cpu' or 'cuda'")
    if device == "cpu":
        return device
    available = available_devices()
    if device == "auto":
        return available[0]
    if device == "gpu":
        matches = available[:-1]
        if not matches:
            raise ValueError(
                "device is 'gpu', and PyTorch finds none that it can use; leave it out to compute on the "
                "CPU, or install a PyTorch for your GPU: https://pytorch.org/get-started/locally"
            )
        return matches[0]
    matches = [name for name in available if device in (name, name.split(":")[0])]
    if not matches:
        raise ValueError(
            f"device {device!r} is not on this machine{nearest_name(device, ['auto', *available])}; "
            f"available: auto, {', '.join(available)}"
        )
    return matches[0]


def default_tile_size(device: str) -> int:
    """Edge of a tile, in pixels, that keeps a device busy within modest memory."""
    return DEFAULT_TILE[device.split(":")[0]]


def resolve_precision(precision: str, device: str) -> Precision:
    """Decide in which format a network multiplies on a device.

    bfloat16 has the range of float32 and 8 significant bits.  Half the bytes make a network twice as
    fast where the hardware multiplies it, and change its answers by less than a level of 255; see
    docs/speed.md.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" takes what the environment variable ``NAPARI_DEARTIFACT_PRECISION`` says; where it says
        nothing, bfloat16 on CPUs with instructions for it and on NVIDIA GPUs since Ampere, else float32.
    device : str
        As :func:`resolve_device` returns it.

    Returns
    -------
    {"float32", "bfloat16"}

    Raises
    ------
    ValueError
        For any other word, also in the environment.

    Examples
    --------
    >>> resolve_precision("float32", "cpu")
    'float32'
    """
    for source, word in (
        ("precision", precision),
        (f"the environment variable {PRECISION_VARIABLE}", os.environ.get(PRECISION_VARIABLE) or "auto"),
    ):
        if word not in PRECISIONS:
            raise ValueError(
                f"{source} is {word!r}{nearest_name(str(word), PRECISIONS)}; "
                f"expected one of {', '.join(PRECISIONS)}"
            )
        if word != "auto":
            return cast("Precision", word)
    return "bfloat16" if has_fast_bfloat16(device) else "float32"


def has_fast_bfloat16(device: str) -> bool:
    """Say whether a device multiplies bfloat16 itself; elsewhere it is emulated, and slower."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= _AMPERE
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return device == "cpu" and has_library and _processor_has_bfloat16()


def _processor_has_bfloat16() -> bool:
    """Look for x86's instructions; other processors have not been measured."""
    import torch

    ask = getattr(torch.cpu, "get_capabilities", None)  # newer than the oldest torch that will do
    if ask is not None:
        told = ask()
        return bool(told.get("avx512_bf16") or told.get("amx_bf16"))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def batch_size(device: str, pixels: int) -> int:
    """Say how many tiles of so many pixels to give a device at once.

    Returns
    -------
    int
        On a CPU as many as it restores side by side, see :mod:`napari_deartifact.threads`; on a GPU what
        half of its free memory holds, from 1 to `LARGEST_BATCH`.

    Examples
    --------
    >>> batch_size("cpu", 512 * 512) <= CPU_BATCH
    True
    """
    import torch

    free = free_memory(device)
    if free is None:
        return min(torch.get_num_threads(), CPU_BATCH)
    fitting = int(_SHARE_OF_FREE_MEMORY * free) // max(pixels * BYTES_PER_PIXEL, 1)
    return min(max(fitting, 1), LARGEST_BATCH)


def free_memory(device: str) -> int | None:
    """Return the bytes that a GPU can still give; None for a CPU."""
    import torch

    if device.startswith("cuda"):
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device == "mps":
        return max(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory(), 0)
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of torch, which has many words for it, says that memory ran out.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    True
    >>> is_out_of_memory(RuntimeError("expected 3 channels"))
    False
    """
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)
