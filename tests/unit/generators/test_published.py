"""The published generators: parameters and work as their sources say, every weight in use."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_deartifact.generators import build


def megaflops_per_pixel(network):
    size = 64
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, network.channels, size, size))
    return counter.get_total_flops() / size**2 / 1e6


@pytest.mark.parametrize(
    ("architecture", "arguments", "parameters", "work"),
    [
        ("compact-cnn", {}, 57_987, 0.12),
        # 64 maps, 15 blocks of two convolutions at half size: about 0.6 MFLOP a pixel.
        ("residual", {"channels": 1}, 1_145_985, 0.63),
        ("residual", {"channels": 3}, 1_148_291, 0.63),
        # About 6.2 million parameters and 0.135 MFLOP a pixel.
        ("unet", {"channels": 1}, 6_164_865, 0.13),
        ("unet", {"channels": 3, "upsampling": "resize"}, 4_677_379, 0.24),
        # The encoder's 428,888, and a decoder in proportion.
        ("mobile-unet", {}, 3_716_235, 0.13),
    ],
)
def test_size_and_work(architecture, arguments, parameters, work):
    network = build(architecture, arguments)
    assert network.parameter_count == parameters
    assert megaflops_per_pixel(network) == pytest.approx(work, abs=0.005)
    assert network.arguments.items() >= arguments.items()


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize(("widths", "sizes"), [([8], [3]), ([8, 12], [4, 3]), ([4, 8, 12], [3, 4, 4])])
def test_a_unet_of_any_depth(upsampling, widths, sizes):
    arguments = {"channels": 3, "widths": widths, "kernel_sizes": sizes, "upsampling": upsampling}
    network = build("unet", arguments)
    assert network.size_multiple == 2 ** len(widths)
    image = torch.rand(2, 3, 2 * network.size_multiple, 3 * network.size_multiple)
    restored = network(image)
    assert restored.shape == image.shape
    assert network.arguments == arguments


def layers_of(network):
    kinds = (type(module).__name__ for module in network.modules() if not list(module.children()))
    return [kind for kind in kinds if kind != "Identity"]


@pytest.mark.parametrize(
    ("arguments", "enlargement"),
    [
        # ARGAN: convolution, BatchNorm, LeakyReLU; deconvolution, BatchNorm, ReLU.
        ({"channels": 1}, ["ConvTranspose2d"]),
        # The U-Net GAN: the same with transposed convolutions, or upsampling and convolution.
        ({"channels": 3, "kernel_sizes": [4] * 4}, ["ConvTranspose2d"]),
        ({"channels": 3, "kernel_sizes": [4] * 4, "upsampling": "resize"}, ["Upsample", "Conv2d"]),
    ],
)
def test_the_layers_of_both_published_unets(arguments, enlargement):
    down = ["Conv2d", "LeakyReLU"] + 3 * ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    up = 3 * [*enlargement, "BatchNorm2d", "ReLU"]
    assert layers_of(build("unet", arguments)) == down + up + enlargement


@pytest.mark.parametrize("architecture", ["residual", "unet"])
def test_answers_lie_in_the_range_and_every_weight_gets_a_gradient(architecture):
    network = build(architecture)
    restored = network(torch.rand(2, 3, 32, 32) * 4 - 1)
    assert 0 <= float(restored.detach().min()) < float(restored.detach().max()) <= 1
    restored.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"widths": [8], "kernel_sizes": [3, 4]}, "give as many"),
        ({"widths": [], "kernel_sizes": []}, "at least 1"),
        ({"widths": [8], "kernel_sizes": [5]}, "sizes of 3 and 4"),
        ({"upsampling": "bicubic"}, "bicubic"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        build("unet", arguments)
