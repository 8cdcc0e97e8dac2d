"""A compiled network learns the same, and says what it lacks."""

import shutil
from functools import partial

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import read_card
from napari_deartifact.training import train
from napari_deartifact.training.compiling import COMPILERS, compile_network

# The compiler itself goes by what torch has deprecated.
of_torch = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
compiles = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="inductor needs a C++ compiler")


@pytest.fixture(params=["aot_eager", pytest.param("inductor", marks=compiles)])
def backend(request, monkeypatch):
    """Trace with and without generating code, which takes a compiler that not every machine has."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=request.param))
    if request.param != "inductor":
        monkeypatch.setattr(shutil, "which", str)
    torch.compiler.reset()


@of_torch
def test_a_compiled_network_has_the_same_gradients(backend):
    network = build("residual-unet", {"widths": [8], "blocks": [1], "activation": "prelu"})
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    picture = torch.rand(2, 3, 16, 16)
    gradients = []
    for called in (network, compile_network(network, torch.device("cpu"))):
        network.zero_grad()
        called(picture).square().mean().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for plain, compiled in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, compiled, rtol=1e-4, atol=1e-6)


@of_torch
def test_a_run_can_be_compiled_and_says_so(backend, recipe, pictures, tmp_path):
    result = train(recipe, pictures, tmp_path / "tiny.safetensors", steps=2, compiled=True, device="cpu")
    assert read_card(result.model).recipe["run"]["compiled"]


def test_what_is_lacking_is_said_before_anything_is_written(recipe, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="takes a C\\+\\+ compiler; install"):
        train(recipe, pictures, tmp_path / "tiny.safetensors", steps=2, compiled=True, device="cpu")
    assert not any(tmp_path.glob("*"))
