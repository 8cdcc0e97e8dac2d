"""Losses against values that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.data import astronaut

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.metrics import ssim
from napari_deartifact.training.losses import PIXEL_LOSSES, adversarial_loss, discriminator_loss, psnr
from napari_deartifact.training.objective import Objective


@pytest.mark.parametrize(
    ("name", "value"), [("l1", 0.5), ("l2", 0.25), ("charbonnier", math.hypot(0.5, 0.001))]
)
def test_a_constant_error(name, value):
    clean = torch.full((2, 3, 4, 4), 0.25)
    assert float(PIXEL_LOSSES[name](clean + 0.5, clean)) == pytest.approx(value)


@pytest.mark.parametrize("name", ["l1", "l2", "charbonnier", "psnr"])
def test_the_gradient_points_away_from_the_clean_picture(name):
    clean = torch.zeros(1, 1, 2, 2)
    restored = torch.tensor([[[[0.5, -0.5], [0.25, -0.25]]]], requires_grad=True)
    PIXEL_LOSSES[name](restored, clean).backward()
    assert torch.equal(restored.grad.sign(), restored.detach().sign())


def test_the_psnr_loss_is_the_mean_of_each_pictures_psnr():
    clean = torch.zeros(2, 3, 8, 8)
    restored = torch.stack([torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.05)])
    assert float(psnr(restored, clean)) == pytest.approx(-(6.02 + 26.02) / 2, abs=0.05)
    assert float(psnr(clean, clean)) == pytest.approx(-55, abs=0.01)


@pytest.mark.parametrize("quality", [10, 50])
def test_the_ssim_loss_is_the_measure(quality):
    original = astronaut()[:96, :120]
    degraded = jpeg_round_trip(original, quality)
    pair = (torch.from_numpy(picture / 255).permute(2, 0, 1)[None] for picture in (degraded, original))
    assert float(-PIXEL_LOSSES["ssim"](*pair)) == pytest.approx(ssim(original, degraded), abs=1e-6)


def test_the_dct_loss_counts_coefficients():
    clean = torch.zeros(1, 1, 8, 16)
    restored = clean.clone()
    restored[..., :8] = 0.5  # one coefficient of 4 among 128
    assert float(PIXEL_LOSSES["dct"](restored, clean)) == pytest.approx(4 / 128)


@pytest.mark.parametrize("name", PIXEL_LOSSES)
def test_a_step_along_the_gradient_helps(name):
    torch.manual_seed(0)
    clean = torch.rand(2, 3, 32, 32)
    restored = (clean + 0.1 * torch.randn(clean.shape)).requires_grad_()
    before = PIXEL_LOSSES[name](restored, clean)
    before.backward()
    after = PIXEL_LOSSES[name](restored.detach() - 1e-2 * restored.grad / restored.grad.norm(), clean)
    assert float(after) < float(before.detach())


def test_weights_add_up():
    clean, restored = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    total, parts = Objective({"l1": 2.0, "l2": 4.0})(restored, clean, restored)
    assert float(total.detach()) == pytest.approx(2.0)
    assert parts == {"l1": 0.5, "l2": 0.25}
    total.backward()
    assert (restored.grad > 0).all()


def test_the_adversarial_part_asks_the_judge_about_the_pair():
    clean, restored = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    asked = []

    def judge(candidate, degraded):
        asked.append((candidate, degraded))
        return torch.zeros(3, 1)

    total, parts = Objective({"adversarial": 2.0}, discriminator=judge)(restored, clean, clean + 1)
    assert parts["adversarial"] == pytest.approx(math.log(2))
    assert float(total) == pytest.approx(2 * math.log(2))
    assert torch.equal(asked[0][0], restored)
    assert torch.equal(asked[0][1], clean + 1)


@pytest.mark.parametrize(
    ("original", "restored", "label", "value"),
    [
        (0.0, 0.0, 1.0, math.log(2)),
        (50.0, -50.0, 1.0, 0.0),
        (50.0, -50.0, 0.9, 2.5),
        (-4.0, 4.0, 1.0, 4.0181),
    ],
)
def test_a_judge_that_is_too_sure_pays_for_it(original, restored, label, value):
    logits = torch.full((2, 1), original), torch.full((2, 1), restored)
    assert float(discriminator_loss(*logits, label)) == pytest.approx(value, abs=1e-3)


def test_doubt_falls_where_the_judge_is_fooled():
    assert float(adversarial_loss(torch.tensor([[4.0]]))) < float(adversarial_loss(torch.tensor([[-4.0]])))
