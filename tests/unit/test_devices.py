"""Which device, which precision, how many tiles at once, and what counts as too little memory."""

import numpy as np
import pytest
import torch

from napari_deartifact import devices
from napari_deartifact.devices import (
    BYTES_PER_PIXEL,
    LARGEST_BATCH,
    PRECISION_VARIABLE,
    available_devices,
    batch_size,
    default_tile_size,
    is_out_of_memory,
    resolve_device,
    resolve_precision,
)


@pytest.fixture
def two_gpus(monkeypatch):
    """Ampere and the generation before it, as far as anyone asks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", {"cuda:0": (8, 0), "cuda:1": (7, 5)}.get)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("gpu", "cuda:0"), ("cpu", "cpu")],
)
def test_resolve_device(asked, found, two_gpus):
    assert resolve_device(asked) == found
    assert available_devices()[:2] == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize(("device", "error"), [("cuda:2", ValueError), ("cpo", ValueError), (0, TypeError)])
def test_devices_that_are_not_there(device, error, two_gpus):
    with pytest.raises(error, match=str(device)):
        resolve_device(device)


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="finds none that it can use; leave it out"):
        resolve_device("gpu")


@pytest.mark.parametrize(
    ("device", "capabilities", "precision"),
    [
        ("cuda:0", {}, "bfloat16"),
        ("cuda:1", {}, "float32"),
        ("mps", {}, "float32"),
        ("cpu", {"avx512_f": True, "avx512_bf16": True}, "bfloat16"),
        ("cpu", {"avx512_f": True, "amx_bf16": True}, "bfloat16"),
        ("cpu", {"avx512_f": True, "avx512_bf16": False}, "float32"),
        ("cpu", {}, "float32"),
    ],
)
def test_bfloat16_where_the_hardware_has_it(device, capabilities, precision, two_gpus, monkeypatch):
    monkeypatch.delenv(PRECISION_VARIABLE, raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert resolve_precision("auto", device) == precision


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_asked_for_counts_most_and_the_environment_next(precision, monkeypatch):
    monkeypatch.setenv(PRECISION_VARIABLE, "float32")
    assert resolve_precision("auto", "cpu") == "float32"
    assert resolve_precision(precision, "cpu") == precision


@pytest.mark.parametrize(("argument", "environment"), [("float16", None), ("auto", "bfloat"), (16, None)])
def test_words_that_are_no_precision(argument, environment, monkeypatch):
    if environment:
        monkeypatch.setenv(PRECISION_VARIABLE, environment)
    with pytest.raises(ValueError, match=f"{environment or argument}.*expected one of auto, float32"):
        resolve_precision(argument, "cpu")


@pytest.mark.parametrize(
    ("free_tiles", "expected"), [(0, 1), (1.9, 1), (4.2, 2), (10.1, 5), (1000, LARGEST_BATCH)]
)
def test_batch_fits_half_of_the_free_memory(free_tiles, expected, monkeypatch):
    pixels = 1248**2
    monkeypatch.setattr(devices, "free_memory", lambda device: int(free_tiles * pixels * BYTES_PER_PIXEL))
    assert batch_size("cuda:0", pixels) == expected


def test_free_memory_of_a_gpu_counts_what_is_cached(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (700, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 250)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 50)
    assert devices.free_memory("cuda:0") == 900


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda:3"])
def test_default_tiles_lie_on_the_grid(device):
    assert default_tile_size(device) % 64 == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (MemoryError(), True),
        (RuntimeError("Given groups=1, expected input to have 3 channels"), False),
    ],
)
def test_the_many_words_for_too_little_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_the_words_of_this_very_torch():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)  # more than any processor can address
    assert is_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.from_numpy(np.zeros(3)) @ torch.zeros(4, dtype=torch.float64)
    assert not is_out_of_memory(caught.value)
