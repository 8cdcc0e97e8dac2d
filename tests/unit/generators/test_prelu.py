"""PReLU: PyTorch's own, by another way to its gradient."""

import copy

import pytest
import torch
from torch import nn

from napari_deartifact.generators.prelu import PReLU


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_is_that_of_pytorch(dtype, memory_format):
    draw = torch.Generator().manual_seed(0)
    features, gradient = torch.randn(2, 3, 5, 7, 6, generator=draw, dtype=dtype)
    features[0, 0, 0] = 0.0
    answers = []
    for layer in (PReLU(5, 0.1), nn.PReLU(5, 0.1)):
        layer.to(dtype)
        leaf = features.to(memory_format=memory_format, copy=True).requires_grad_()
        answer = layer(leaf)
        (answer * gradient).sum().backward()
        answers.append((answer.detach(), leaf.grad, layer.weight.grad))
    for mine, torchs in zip(*answers, strict=True):
        torch.testing.assert_close(mine, torchs)


def test_the_gradient_has_a_gradient():
    layer = PReLU(3, 0.1).double()
    features = torch.randn(2, 3, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, features)
    assert torch.autograd.gradgradcheck(layer, features)


def test_features_of_half_precision_keep_it_and_slopes_keep_theirs():
    layer = PReLU(3, 0.1)
    features = torch.randn(2, 3, 4, 4, dtype=torch.bfloat16, requires_grad=True)
    answer = layer(features)
    answer.sum().backward()
    assert answer.dtype == features.grad.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32


def test_weights_go_both_ways_and_copies_are_the_same_layer():
    mine, torchs = PReLU(4, 0.3), nn.PReLU(4)
    torchs.load_state_dict(mine.state_dict())
    features = torch.randn(1, 4, 3, 3)
    with torch.no_grad():
        assert torch.equal(mine(features), torchs(features))
        assert torch.equal(copy.deepcopy(mine)(features), torchs(features))
