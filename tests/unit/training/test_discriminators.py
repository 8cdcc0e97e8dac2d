"""Discriminators: their sizes, what each logit depends on, and that a generator can learn from them."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_deartifact.training.discriminators import DISCRIMINATORS, build_discriminator

SMALL = {
    "argan": {"widths": [4, 8, 8, 16]},
    "full-patch": {"width": 4},
    "nogan-critic": {"width": 8},
    "sub-patch": {"width": 4},
    "unet-gan": {"widths": [4, 8, 16]},
}
CONDITIONAL = {"full-patch", "sub-patch", "unet-gan"}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def small(architecture, **arguments):
    return build_discriminator(architecture, SMALL[architecture] | arguments)


def pair(channels=3, height=64, width=64):
    return torch.rand(2, channels, height, width), torch.rand(2, channels, height, width)


def test_all_are_tested():
    assert SMALL.keys() == DISCRIMINATORS.keys()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("architecture", "height", "width", "shape"),
    [
        ("argan", 64, 64, (2, 1)),
        ("argan", 128, 80, (2, 1)),
        ("full-patch", 61, 61, (2, 1)),
        ("full-patch", 128, 90, (2, 1)),
        ("nogan-critic", 64, 64, (2, 1, 1, 1)),
        ("nogan-critic", 96, 128, (2, 1, 3, 5)),
        ("sub-patch", 16, 16, (2, 1, 1, 1)),
        ("sub-patch", 128, 96, (2, 1, 8, 6)),
        ("unet-gan", 8, 8, (2, 1)),
        ("unet-gan", 50, 36, (2, 1)),
    ],
)
def test_shapes(architecture, channels, height, width, shape):
    network = small(architecture, channels=channels)
    candidate, degraded = pair(channels, height, width)
    logits = network(candidate, degraded)
    assert logits.shape == shape
    again = build_discriminator(architecture, network.arguments)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.eval()(candidate, degraded), network.eval()(candidate, degraded))


@pytest.mark.parametrize(
    ("architecture", "channels", "parameters"),
    [
        # Weights and biases of 6·64, 64·64, 64·128, 128·128, 128·256, 256·256 and 256·512 3×3 filters,
        # and of one of 2×2.
        ("sub-patch", 3, 2_329_345),
        # 4×4 filters: 16·(1·64 + 64·128 + 128·256 + 256·512 + 512), two for each map but the last 1.
        ("argan", 1, 2_763_585),
        ("unet-gan", 3, 2_761_025),
        # The published width of 256, doubled three times.
        ("nogan-critic", 3, 94_555_649),
    ],
)
def test_parameters(architecture, channels, parameters):
    with torch.device("meta"):
        network = build_discriminator(architecture, {"channels": channels})
    assert network.parameter_count == parameters


def test_the_full_patch_is_judged_at_the_cost_of_its_sub_patches():
    def work(architecture):
        patch = torch.zeros(1, 3, 128, 128)
        with FlopCounterMode(display=False) as counter:
            build_discriminator(architecture)(patch, patch)
        return counter.get_total_flops()

    assert work("full-patch") == pytest.approx(work("sub-patch"), rel=0.03)


def test_a_sub_patch_is_judged_by_its_own_pixels_and_by_all_of_them():
    network = small("sub-patch")
    candidate, degraded = (batch.requires_grad_() for batch in pair(3, 48, 64))
    logits = network(candidate, degraded)
    logits[1, 0, 1, 2].backward()
    for batch in (candidate, degraded):
        influence = batch.grad.abs().sum(dim=1)
        assert (influence[1, 16:32, 32:48] > 0).all()
        influence[1, 16:32, 32:48] = 0
        assert (influence == 0).all()


def test_a_sub_patch_is_judged_as_if_it_were_alone():
    network = small("sub-patch")
    candidate, degraded = pair(3, 32, 48)
    alone = network(candidate[..., 16:, 16:32], degraded[..., 16:, 16:32])
    torch.testing.assert_close(network(candidate, degraded)[..., 1:, 1:2], alone)


@pytest.mark.parametrize("architecture", DISCRIMINATORS)
def test_what_is_seen(architecture):
    network = small(architecture).eval()
    candidate, degraded = pair()
    other = torch.rand_like(degraded)
    with torch.no_grad():
        assert not torch.equal(network(candidate, degraded), network(other, degraded))
        reacts = not torch.equal(network(candidate, degraded), network(candidate, other))
    assert reacts == network.conditional == (architecture in CONDITIONAL)


@pytest.mark.parametrize("architecture", DISCRIMINATORS)
def test_gradients_reach_the_candidate_and_every_weight(architecture):
    network = small(architecture).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("gain"):
            torch.nn.init.ones_(parameter)  # Attention adds nothing at first.
    candidate, degraded = pair(height=80, width=64)
    candidate.requires_grad_()
    network(candidate, degraded).square().mean().backward()
    assert (candidate.grad != 0).float().mean() > 0.7
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("architecture", DISCRIMINATORS)
def test_it_learns_to_tell_noise_from_none(architecture):
    network = small(architecture, **({"dropout": 0.0} if architecture == "nogan-critic" else {}))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3, betas=(0.5, 0.9))
    degraded = torch.full((4, 3, 64, 64), 0.5)
    for _ in range(15):
        noisy = degraded + 0.2 * torch.randn_like(degraded)
        real, fake = network(degraded, degraded), network(noisy, degraded)
        loss = torch.nn.functional.softplus(-real).mean() + torch.nn.functional.softplus(fake).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert real.min() > fake.max()


def test_spectral_norm_bounds_every_layer_of_the_critic():
    network = small("nogan-critic", dropout=0.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 30
        for _ in range(30):
            network(*pair())
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(layers) == 12
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(
            1, abs=0.02
        )


@pytest.mark.parametrize("architecture", DISCRIMINATORS)
def test_a_patch_of_a_wrong_size_is_refused(architecture):
    network = small(architecture)
    size = network.minimum_size - 1
    with pytest.raises(ValueError, match=rf"64×{size} pixels.*'{architecture}'.*at least {size + 1}"):
        network(*pair(3, 64, size))


@pytest.mark.parametrize(
    ("architecture", "arguments", "match"),
    [
        ("subpatch", {}, "unknown discriminator 'subpatch'.*did you mean 'sub-patch'"),
        ("argan", {"widht": 3}, "discriminator 'argan' cannot be built.*widht"),
        ("argan", {"widths": []}, r"widths is \[\]"),
        ("unet-gan", {"widths": [8, 0]}, "1 map or more"),
        ("full-patch", {"levels": 0}, "levels is 0"),
        ("nogan-critic", {"blocks": 0}, "blocks is 0"),
        ("nogan-critic", {"dropout": 1.0}, "dropout 1.0"),
    ],
)
def test_bad_arguments_are_refused(architecture, arguments, match):
    with pytest.raises(ValueError, match=match):
        build_discriminator(architecture, arguments)
