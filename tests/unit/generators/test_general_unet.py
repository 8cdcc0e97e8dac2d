"""The residual U-Net: its shape, and what it does before it has learnt anything."""

import pytest
import torch

from napari_deartifact.generators import build


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
