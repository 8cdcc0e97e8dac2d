"""Losses against values that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from napari_deartifact.training.losses import LOSSES, psnr, weighted_sum


@pytest.mark.parametrize(
    ("name", "value"), [("l1", 0.5), ("l2", 0.25), ("charbonnier", math.hypot(0.5, 0.001))]
)
def test_a_constant_error(name, value):
    clean = torch.full((2, 3, 4, 4), 0.25)
    assert float(LOSSES[name](clean + 0.5, clean)) == pytest.approx(value)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_points_away_from_the_clean_picture(name):
    clean = torch.zeros(1, 1, 2, 2)
    restored = torch.tensor([[[[0.5, -0.5], [0.25, -0.25]]]], requires_grad=True)
    LOSSES[name](restored, clean).backward()
    assert torch.equal(restored.grad.sign(), restored.detach().sign())


def test_the_psnr_loss_is_the_mean_of_each_pictures_psnr():
    clean = torch.zeros(2, 3, 8, 8)
    restored = torch.stack([torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.05)])
    assert float(psnr(restored, clean)) == pytest.approx(-(6.02 + 26.02) / 2, abs=0.05)
    assert float(psnr(clean, clean)) == pytest.approx(-45.23, abs=0.01)


def test_weights_add_up():
    clean, restored = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    assert float(weighted_sum(restored, clean, {"l1": 2.0, "l2": 4.0})) == pytest.approx(2.0)
