"""Luma and chroma apart: what each part sees, what it costs, and what grey is spared."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_deartifact.generators import build
from napari_deartifact.jpeg.ycbcr import rgb_to_ycbcr
from napari_deartifact.training import read_recipe

SMALL = {
    "luma": {"widths": [8, 12], "blocks": [1, 1], "activation": "prelu"},
    "chroma": {"widths": [8], "blocks": [1], "activation": "relu"},
}


def random_network():
    torch.manual_seed(0)
    network = build("luma-chroma-unet", SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "parameters", "budget"),
    [
        ("general", 3_229_516, {3: 0.45e6}),
        ("general-fast", 1_072_612, {1: 0.06e6, 3: 0.08e6}),
    ],
)
def test_the_general_networks_keep_to_their_budgets(name, parameters, budget):
    recipe = read_recipe(name).generator
    network = build(recipe.architecture, recipe.arguments)
    assert network.parameter_count == parameters
    size = 64
    for channels, most in budget.items():
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, channels, size, size))
        assert counter.get_total_flops() / size**2 <= most


@pytest.mark.parametrize("channels", [1, 3])
def test_an_untrained_network_returns_its_input(channels):
    network = build("luma-chroma-unet", SMALL)
    image = torch.rand(2, channels, 3 * network.size_multiple, 16)
    torch.testing.assert_close(network(image), image, atol=1e-6, rtol=0)
    assert network.arguments == SMALL
    assert network.color == "any"


def test_luma_of_a_colour_picture_is_restored_as_the_grey_picture_is():
    network = random_network()
    image = torch.rand(1, 3, 32, 32)
    before, after = (rgb_to_ycbcr(picture, white=1.0) for picture in (image, network(image)))
    grey = network(before[:, :1])
    assert (grey - before[:, :1]).abs().max() > 0.01
    torch.testing.assert_close(after[:, :1], grey, atol=1e-5, rtol=0)
    assert (after - before)[:, 1:].abs().max() > 0.01


def test_chroma_is_seen_in_the_light_of_the_restored_luma():
    network = random_network()
    image = torch.rand(1, 3, 32, 32)
    first = rgb_to_ycbcr(network(image), white=1.0)
    torch.nn.init.normal_(network.luma.tail.weight, std=0.5)
    second = rgb_to_ycbcr(network(image), white=1.0)
    assert (first - second)[:, 1:].abs().max() > 1e-3


def test_losses_of_chroma_leave_luma_alone():
    network = random_network().train().requires_grad_(True)
    chroma = rgb_to_ycbcr(network(torch.rand(1, 3, 16, 16)), white=1.0)[:, 1:]
    chroma.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.chroma.parameters())
    assert all(parameter.grad.abs().max() < 1e-6 for parameter in network.luma.parameters())


@pytest.mark.parametrize("part", ["luma", "chroma"])
@pytest.mark.parametrize("shape", [{"widths": [8, 12], "blocks": [1]}, {"width": [8], "blocks": [1]}])
def test_shapes_that_are_none_are_refused(part, shape):
    with pytest.raises(ValueError, match=r"give as many|cannot be built"):
        build("luma-chroma-unet", {**SMALL, part: shape})
