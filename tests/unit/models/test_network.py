"""A network as a restorer: its two precisions, and what it does when memory runs out."""

import pickle

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from napari_deartifact import load_model
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.devices import PRECISION_VARIABLE, has_fast_bfloat16
from napari_deartifact.generators import build
from napari_deartifact.models.model_file import ModelCard
from napari_deartifact.models.network import NetworkRestorer
from napari_deartifact.models.reference import ModelReference
from napari_deartifact.models.restorer import DeviceRestorer

MODELS = ["compact-cnn", "general"]


def tile_of(image):
    return np.ascontiguousarray(np.moveaxis(image, -1, 0)[np.newaxis] / np.float32(255))


def psnr(image, reference):
    return -10 * np.log10(np.mean((image.clip(0, 1) - reference) ** 2))


@pytest.fixture
def restorer():
    torch.manual_seed(1)
    generator = build("compact-cnn").eval().requires_grad_(False)
    torch.nn.init.normal_(generator.layers[-1].weight, std=0.1)
    return NetworkRestorer(generator, ModelCard("random", "compact-cnn"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("quality", [10, 40, 90, None])
def test_bfloat16_changes_less_than_a_level(name, quality):
    original = astronaut()[100:196, 180:276]
    tile = tile_of(jpeg_round_trip(original, quality) if quality else original)
    exact, rounded = (
        load_model(name, "cpu", precision=precision).restore(tile) for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(rounded - exact).max() < 1 / 255
    assert rounded.dtype == np.float32
    if quality:
        assert abs(psnr(rounded, tile_of(original)) - psnr(exact, tile_of(original))) < 0.01
    else:
        assert psnr(rounded, exact) > 60


def test_pictures_with_a_level_one_pixel_wide_are_computed_in_float32():
    """In bfloat16 these came back with noise or NaN in them, now and then."""
    torch.manual_seed(0)
    generator = build("luma-chroma-unet").eval().requires_grad_(False)
    torch.nn.init.normal_(generator.chroma.tail.weight, std=0.1)
    exact, rounded = (
        NetworkRestorer(generator, ModelCard("", "luma-chroma-unet"), "cpu", precision)
        for precision in ("float32", "bfloat16")
    )
    rng = np.random.default_rng(0)
    for width, same in ((8, True), (16, False)):
        tile = rng.random((1, 3, 96, width), np.float32)
        assert np.array_equal(exact.restore(tile), rounded.restore(tile)) == same


@pytest.mark.parametrize("architecture", ["compact-cnn", "residual-unet", "luma-chroma-unet"])
def test_where_nothing_is_corrected_bfloat16_changes_nothing(architecture):
    untrained = NetworkRestorer(build(architecture).eval(), ModelCard("", architecture), "cpu", "bfloat16")
    tile = tile_of(astronaut()[:64, :64]) * np.float32(0.99)
    assert np.array_equal(untrained.restore(tile), tile)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_load_model_takes_a_precision(precision, monkeypatch):
    assert load_model("compact-cnn", "cpu", precision=precision).precision == precision
    monkeypatch.setenv(PRECISION_VARIABLE, precision)
    assert load_model("compact-cnn", "cpu").precision == precision
    monkeypatch.delenv(PRECISION_VARIABLE)
    expected = "bfloat16" if has_fast_bfloat16("cpu") else "float32"
    assert load_model("compact-cnn", "cpu").precision == expected


def test_a_network_says_itself_which_colours_it_takes():
    network = build("luma-chroma-unet").eval().requires_grad_(False)
    model = NetworkRestorer(network, ModelCard("", "luma-chroma-unet", color="rgb"))
    assert model.color == "any"
    assert model.grey_halo < model.halo
    assert NetworkRestorer(build("compact-cnn"), ModelCard("", "compact-cnn")).color == "rgb"


def test_a_wrong_precision_is_told_before_any_work():
    with pytest.raises(ValueError, match=r"'half'.*expected one of auto, float32, bfloat16"):
        load_model("compact-cnn", "cpu", precision="half")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_batch_is_its_tiles(precision, restorer):
    restorer.precision = precision
    tiles = np.random.default_rng(2).random((3, 3, 40, 56), np.float32)
    one_by_one = np.concatenate([restorer.restore(tile[np.newaxis]) for tile in tiles])
    np.testing.assert_allclose(restorer.restore(tiles), one_by_one, atol=2e-5)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_every_kind_of_exhaustion_is_a_memory_error(error, restorer, monkeypatch):
    def fail(tiles):
        raise error

    monkeypatch.setattr(restorer.generator, "forward", fail)
    with pytest.raises(MemoryError, match="memory"):
        restorer.restore(np.zeros((1, 3, 8, 8), np.float32))


def test_other_errors_stay_what_they_are(restorer):
    with pytest.raises(RuntimeError, match="channels"):
        restorer.restore(np.zeros((1, 4, 8, 8), np.float32))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_twin_on_the_cpu(precision, restorer):
    assert isinstance(restorer, DeviceRestorer)
    assert restorer.on_cpu() is None
    restorer.device, restorer.precision = "cuda:0", precision
    twin = restorer.on_cpu()
    assert twin.device == "cpu"
    assert twin.precision == (
        "bfloat16" if precision == "bfloat16" and has_fast_bfloat16("cpu") else "float32"
    )
    twin.precision, restorer.device = "float32", "cpu"
    restorer.precision = "float32"
    tile = tile_of(astronaut()[:48, :48])
    assert np.array_equal(twin.restore(tile), restorer.restore(tile))
    assert twin.name == "random"


def test_a_precision_travels_with_the_model():
    restorer = load_model("compact-cnn", "cpu", precision="float32")
    reference = ModelReference.of(restorer.path, restorer.device, restorer.precision)
    assert pickle.loads(pickle.dumps(reference)).load() is restorer  # noqa: S301
