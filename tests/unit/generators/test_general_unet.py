"""The residual U-Net: its shape, and what it does before it has learnt anything."""

import pytest
import torch

from napari_deartifact.generators import build


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize(("widths", "blocks"), [([8], [1]), ([8, 12], [1, 2]), ([8, 12, 16], [1, 1, 1])])
def test_an_untrained_network_returns_its_input(channels, activation, widths, blocks):
    arguments = {"widths": widths, "blocks": blocks, "channels": channels, "activation": activation}
    network = build("residual-unet", arguments)
    size = 3 * network.size_multiple
    image = torch.rand(2, channels, size, 2 * size)
    assert torch.equal(network(image), image)
    stated = {"activation": "relu", **network.arguments}  # files from before there was a choice say nothing
    assert stated == arguments


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


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation is 'gelu'; expected one of prelu, relu"):
        build("residual-unet", {"activation": "gelu"})


def test_a_unit_that_a_relu_would_silence_still_learns():
    network = build("residual-unet", {"widths": [8], "blocks": [1], "activation": "prelu"})
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    torch.nn.init.constant_(network.encoder[0][0].first.bias, -100.0)
    network(torch.rand(1, 3, 16, 16)).square().mean().backward()
    assert network.encoder[0][0].first.weight.grad.abs().sum() > 0
