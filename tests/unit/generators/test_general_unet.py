"""The residual U-Net: its size, its cost, and what it does before it has learnt anything."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_deartifact.generators import build
from napari_deartifact.training import read_recipe


@pytest.mark.parametrize(
    ("name", "parameters", "most_work"), [("general", 3_744_460, 0.45e6), ("general-fast", 589_612, 0.06e6)]
)
def test_the_general_networks_keep_to_their_budgets(name, parameters, most_work):
    recipe = read_recipe(name).generator
    network = build(recipe.architecture, recipe.arguments)
    assert network.parameter_count == parameters
    size = 64
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    assert counter.get_total_flops() / size**2 <= most_work


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("widths", "blocks"), [([8], [1]), ([8, 12], [1, 2]), ([8, 12, 16], [1, 1, 1])])
def test_an_untrained_network_returns_its_input(channels, widths, blocks):
    network = build("residual-unet", {"widths": widths, "blocks": blocks, "channels": channels})
    size = 3 * network.size_multiple
    image = torch.rand(2, channels, size, 2 * size)
    assert torch.equal(network(image), image)
    assert network.arguments == {"widths": widths, "blocks": blocks, "channels": channels}


@pytest.mark.parametrize(("widths", "blocks"), [([8, 12], [1]), ([], [])])
def test_levels_that_do_not_match_are_refused(widths, blocks):
    with pytest.raises(ValueError, match="give as many"):
        build("residual-unet", {"widths": widths, "blocks": blocks})


def test_every_weight_gets_a_gradient():
    network = build("residual-unet", {"widths": [8, 12], "blocks": [1, 1]})
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    network(torch.rand(1, 3, 16, 16)).square().mean().backward()
    assert all(
        parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters()
    )
