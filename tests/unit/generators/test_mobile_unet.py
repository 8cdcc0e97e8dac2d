"""The MobileNet U-Net: weights fit timm's by name, and all parts do what they are there for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from napari_deartifact.generators import build
from napari_deartifact.generators.mobilenet import MobileNetEncoder
from napari_deartifact.models.model_file import ModelCard, read_model, save_model
from napari_deartifact.models.network import NetworkRestorer
from napari_deartifact.tiling import restore_in_tiles

# Of tf_mobilenetv3_small_minimal_100: maps that come in, inside, and out, of each inverted residual block.
BLOCKS = {
    "1.0": (16, 72, 24),
    "1.1": (24, 88, 24),
    "2.0": (24, 96, 40),
    "2.1": (40, 240, 40),
    "2.2": (40, 240, 40),
    "3.0": (40, 120, 48),
    "3.1": (48, 144, 48),
    "4.0": (48, 288, 96),
    "4.1": (96, 576, 96),
    "4.2": (96, 576, 96),
}
CLASSIFIER = {
    "conv_head.weight": (1024, 576, 1, 1),
    "conv_head.bias": (1024,),
    "classifier.weight": (1000, 1024),
    "classifier.bias": (1000,),
}


def norm_of(name, width):
    shapes = dict.fromkeys(["weight", "bias", "running_mean", "running_var"], (width,))
    return {f"{name}.{key}": shape for key, shape in (shapes | {"num_batches_tracked": ()}).items()}


def published_shapes():
    """Names and shapes of timm's state dict."""
    shapes = {"conv_stem.weight": (16, 3, 3, 3), **norm_of("bn1", 16)}
    shapes |= {"blocks.0.0.conv_dw.weight": (16, 1, 3, 3), "blocks.0.0.conv_pw.weight": (16, 16, 1, 1)}
    shapes |= norm_of("blocks.0.0.bn1", 16) | norm_of("blocks.0.0.bn2", 16)
    for place, (before, inside, after) in BLOCKS.items():
        name = f"blocks.{place}"
        shapes |= {f"{name}.conv_pw.weight": (inside, before, 1, 1)} | norm_of(f"{name}.bn1", inside)
        shapes |= {f"{name}.conv_dw.weight": (inside, 1, 3, 3)} | norm_of(f"{name}.bn2", inside)
        shapes |= {f"{name}.conv_pwl.weight": (after, inside, 1, 1)} | norm_of(f"{name}.bn3", after)
    shapes |= {"blocks.5.0.conv.weight": (576, 96, 1, 1)} | norm_of("blocks.5.0.bn1", 576)
    return shapes | CLASSIFIER


def published_weights():
    """Random weights under those names."""
    torch.manual_seed(1)
    return {
        name: torch.tensor(7) if name.endswith("tracked") else torch.rand(shape) / 8
        for name, shape in published_shapes().items()
    }


def small(**arguments):
    torch.manual_seed(0)
    return build("mobile-unet", {"width": 0.25, "tile": 96, "overlap": 32} | arguments)


def test_the_encoder_has_the_names_and_shapes_of_timm():
    encoder = {name: tuple(value.shape) for name, value in MobileNetEncoder().state_dict().items()}
    assert encoder | CLASSIFIER == published_shapes()
    assert not encoder.keys() & CLASSIFIER.keys()


def test_the_encoder_has_the_published_size():
    encoder = sum(parameter.numel() for parameter in MobileNetEncoder().parameters())
    classifier = sum(torch.Size(shape).numel() for shape in CLASSIFIER.values())
    # timm: 2.04 million with the classifier.
    assert (encoder, encoder + classifier) == (428_888, 2_044_736)


@pytest.mark.parametrize(("save", "suffix"), [(save_file, "safetensors"), (torch.save, "pth")])
@pytest.mark.parametrize("classifier", [True, False])
def test_weights_load_by_name(tmp_path, save, suffix, classifier):
    weights = {
        key: value for key, value in published_weights().items() if classifier or key not in CLASSIFIER
    }
    save(weights, tmp_path / f"imagenet.{suffix}")
    network = small()
    network.load_encoder(tmp_path / f"imagenet.{suffix}")
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_the_encoder_computes_what_tensorflow_does(tmp_path):
    """Its first two stages, written out: padding at the bottom and the right, and an epsilon of 0.001."""
    weights = published_weights()
    save_file(weights, tmp_path / "imagenet.safetensors")
    network = small().eval()
    network.load_encoder(tmp_path / "imagenet.safetensors")
    picture = torch.randn(1, 3, 32, 64)

    def normalised(features, name):
        shift, scale = weights[f"{name}.bias"], weights[f"{name}.weight"]
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        column = (scale / torch.sqrt(variance + 1e-3)).view(-1, 1, 1)
        return (features - mean.view(-1, 1, 1)) * column + shift.view(-1, 1, 1)

    stem = functional.conv2d(functional.pad(picture, (0, 1, 0, 1)), weights["conv_stem.weight"], stride=2)
    stem = normalised(stem, "bn1").relu()
    depthwise = functional.conv2d(
        functional.pad(stem, (0, 1, 0, 1)), weights["blocks.0.0.conv_dw.weight"], stride=2, groups=16
    )
    first = functional.conv2d(
        normalised(depthwise, "blocks.0.0.bn1").relu(), weights["blocks.0.0.conv_pw.weight"]
    )
    with torch.no_grad():
        found = network.encoder(picture)
    torch.testing.assert_close(found[0], stem)
    torch.testing.assert_close(found[1], normalised(first, "blocks.0.0.bn2"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda weights: weights.pop("blocks.4.2.conv_dw.weight"), "lacks blocks.4.2.conv_dw.weight;"),
        (
            lambda weights: weights.update({"blocks.2.0.se.conv_reduce.bias": torch.zeros(24)}),
            "has also blocks.2.0.se.conv_reduce.bias;",
        ),
        (
            lambda weights: weights.update({"blocks.2.0.conv_dw.weight": torch.zeros(96, 1, 5, 5)}),
            "has in another shape blocks.2.0.conv_dw.weight;",
        ),
        (lambda weights: weights.clear(), "lacks conv_stem.weight, bn1.weight, .* and 200 more;"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, change, match):
    weights = published_weights()
    change(weights)
    torch.save(weights, tmp_path / "other.pth")
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=rf"other.pth is not of MobileNetV3.*{match}.*tf_mobilenetv3"):
        network.load_encoder(tmp_path / "other.pth")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "match"),
    [("nowhere.pth", r"no file of weights at .*nowhere\.pth; name a"), ("", "is a folder; name a file")],
)
def test_a_missing_file_is_named(tmp_path, name, match):
    with pytest.raises(FileNotFoundError, match=match):
        small().load_encoder(tmp_path / name)


@pytest.mark.parametrize("shape", [(64, 64), (96, 32)])
def test_answers_lie_within_three_deviations_of_the_mean(shape):
    network = small().eval()
    with torch.no_grad():
        network.tail.parametrizations.weight.original *= 1e4
        network.tail.bias.copy_(torch.tensor([0.0, 90, -90]))
        restored = network(torch.rand(2, 3, *shape))
    assert restored.shape == (2, 3, *shape)
    assert float(restored[:, 1].min()) == pytest.approx(0.456 + 3 * 0.224)
    assert float(restored[:, 2].max()) == pytest.approx(0.406 - 3 * 0.225)
    assert float(restored[:, 0].min()) >= 0.485 - 3 * 0.229
    assert network.size_multiple == 32


def test_every_weight_gets_a_gradient():
    network = small()
    next(module for module in network.modules() if hasattr(module, "gain")).gain.data += 1
    network(torch.rand(2, 3, 96, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_picture_reaches_the_last_layer_whatever_the_batch_is():
    """In training BatchNorm takes the brightness of a batch away; the picture passes it by."""
    network = small().train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.zero_()
        dark, bright = torch.full((2, 3, 64, 64), 0.2), torch.full((2, 3, 64, 64), 0.8)
        assert (network(bright) - network(dark)).abs().mean() > 0.05


def test_a_frozen_encoder_is_a_prefix_of_names():
    network = small()
    frozen = {name for name, _ in network.named_parameters() if name.startswith("encoder.")}
    assert frozen == {f"encoder.{name}" for name, _ in network.encoder.named_parameters()}


def test_spectral_norm_bounds_every_convolution_of_the_decoder():
    network = small()
    layers = [
        module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d) and not name.startswith("encoder.")
    ]
    assert len(layers) == 1 + 2 * 4 + 3 + 3 + 1  # bridge, four steps up, attention, full size, the last
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight.original *= 20
        for _ in range(20):
            network(torch.rand(2, 3, 64, 64))
        for layer in layers:
            assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2)) == pytest.approx(1, abs=0.03)


def test_an_untrained_decoder_draws_no_checkerboard():
    step = small().decoder[0].enlarge.eval()
    with torch.no_grad():
        flat = step(torch.ones(1, 32, 4, 4) * torch.rand(1, 32, 1, 1))
        assert flat.std(dim=(2, 3)).max() < 1e-6
        edge = step(torch.rand(1, 32, 1, 1) * torch.tensor([0.0, 0, 1, 1]).view(1, 1, 1, 4))
    # The blur makes a step of one coarse place a slope: a fine place halfway, then none.
    row = edge[0, edge.abs().sum(dim=(0, 2, 3)).argmax(), 0]
    np.testing.assert_allclose(row[4], (row[3] + row[5]) / 2, rtol=1e-5)
    assert row[5] == row[6] == row[7] != row[3] == row[0]


def test_attention_sees_the_whole_tile_once_it_has_a_weight():
    network = small().eval()
    assert (network.fixed_tile, network.receptive_radius) == (96, 32)
    attention = network.decoder[1].attention
    features = torch.rand(1, 24, 4, 6)
    other = features.clone()
    other[..., 3, 5] += 1
    with torch.no_grad():
        assert torch.equal(attention(other)[..., 0, 0], attention(features)[..., 0, 0])
        attention.gain.fill_(1)
        assert not torch.equal(attention(other)[..., 0, 0], attention(features)[..., 0, 0])


def scrambled(network):
    """Statistics of BatchNorm other than 0 and 1."""
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, 64, 64))
    return network.eval()


def test_without_attention_the_receptive_radius_is_as_said():
    network = scrambled(small(attention=False))
    reach = network.receptive_radius
    assert (network.fixed_tile, reach) == (None, 263)
    size = -(-(2 * reach + 33) // 32) * 32
    picture = torch.rand(1, 3, size, size, requires_grad=True)
    # The first and the last pixel of a cell of 32.
    for row in (288, 319):
        (gradient,) = torch.autograd.grad(network(picture)[0, :, row, row].sum(), picture)
        rows, columns = torch.nonzero(gradient[0].abs().sum(dim=0), as_tuple=True)
        distance = max((rows - row).abs().max(), (columns - row).abs().max())
        assert reach - 32 < int(distance) <= reach


def test_without_attention_tiles_give_the_whole_pictures_answer():
    model = NetworkRestorer(scrambled(small(attention=False)), ModelCard("mobile", "mobile-unet"))
    picture = np.random.default_rng(0).random((3, 40, 1100), np.float32)

    def restored(tile_size):
        steps = restore_in_tiles(picture, model, tile_size=tile_size)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    np.testing.assert_allclose(restored(256), restored(4096), atol=2e-5)


def test_a_model_file_gives_the_network_back(tmp_path):
    network = scrambled(small())
    path = tmp_path / "mobile.safetensors"
    save_model(path, network, ModelCard("mobile", "mobile-unet", network.arguments))
    again, _ = read_model(path)
    picture = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(again(picture), network(picture))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"width": 0}, "width is 0"),
        ({"tile": 250}, "tile is 250"),
        ({"tile": 64, "overlap": 32}, "overlap 32; expected multiples of 32"),
        ({"overlap": 16}, "overlap 16"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        build("mobile-unet", arguments)
