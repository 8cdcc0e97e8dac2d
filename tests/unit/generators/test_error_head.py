"""The error head: what it takes, how far it sees, and that it starts from the closed form."""

from __future__ import annotations

import pytest
import torch

from napari_deartifact.generators.error_head import ErrorHead
from napari_deartifact.models.error_network import HALO, SIZE_MULTIPLE


@pytest.fixture
def head() -> ErrorHead:
    torch.manual_seed(0)
    network = ErrorHead()
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network.eval().requires_grad_(False)


@pytest.fixture
def pictures() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    degraded = torch.rand((2, 3, 48, 64), generator=rng)
    restored = degraded + 0.02 * torch.randn(degraded.shape, generator=rng)
    even = 1 + 3 * torch.rand((2, 3), generator=rng)
    return [restored, degraded, torch.rand(degraded.shape, generator=rng), even]


def test_it_is_small():
    head = ErrorHead()
    operations = 2 * sum(layer.weight.numel() for layer in (head.first, *head.middle, head.last)) / 4
    assert sum(parameter.numel() for parameter in head.parameters()) < 100_000
    assert operations < 0.05e6
    assert ErrorHead(**head.arguments).arguments == head.arguments


def test_untrained_head_says_what_quantization_implies(pictures):
    restored, degraded, quantization, even = pictures
    with torch.no_grad():
        torch.testing.assert_close(ErrorHead()(restored, degraded, quantization, even), quantization)
        assert (ErrorHead()(restored, degraded) == 0).all()


def test_calibration_turns_with_the_tables(head, pictures):
    restored, degraded, quantization, even = pictures
    head.last.weight *= 0.1  # nothing is clamped
    raw, without = head(restored, degraded, quantization, even), head(restored, degraded)
    head.calibration[0, 0, 1] = torch.tensor([0.1, 0.3, -0.02, -0.2, 0.05, 0.01])
    about = even[:, :, None, None] - 3
    expected = raw + 0.1 + 0.3 * about - 0.02 * about**2 + (-0.2 + 0.05 * about + 0.01 * about**2) * raw
    torch.testing.assert_close(head(restored, degraded, quantization, even), expected)
    torch.testing.assert_close(head(restored, degraded), without)


def test_grey_has_a_calibration_of_its_own(head, pictures):
    restored, degraded, quantization, even = pictures
    head.last.weight *= 0.1  # nothing is clamped
    raw = head(restored, degraded, quantization, even)
    head.calibration[0, 1, 1, 0] = 0.3
    torch.testing.assert_close(head(restored, degraded, quantization, even), raw)
    torch.testing.assert_close(head(restored, degraded, quantization, even, grey=True), raw + 0.3)


def test_beyond_the_tables_that_it_knows_a_calibration_stays_as_it_is(head, pictures):
    restored, degraded, quantization, even = pictures
    head.last.weight *= 0.1  # nothing is clamped
    tables = [torch.full_like(even, coarseness) for coarseness in (0.5, -1.2)]
    raw = [head(restored, degraded, quantization, each) for each in tables]
    head.calibration[0, 0, 1] = torch.tensor([0.0, 0.3, 0.1, 0.0, 0.0, 0.0])
    calibrated = [head(restored, degraded, quantization, each) for each in tables]
    added = [after - before for before, after in zip(raw, calibrated, strict=True)]
    torch.testing.assert_close(*added)


def test_unknown_tables_of_one_picture_leave_the_other_alone(head, pictures):
    restored, degraded, quantization, even = pictures
    whole = head(restored, degraded, quantization, even)
    quantization = quantization.clone()
    quantization[1] = torch.nan
    mixed = head(restored, degraded, quantization, even)
    torch.testing.assert_close(mixed[0], whole[0])
    torch.testing.assert_close(mixed[1], head(restored[1:], degraded[1:])[0])
    assert not torch.allclose(mixed[1], whole[1])


def test_nothing_beyond_the_radius_matters(head, pictures):
    restored, degraded, quantization, even = pictures
    near, far = restored.clone(), restored.clone()
    row = 24 + head.receptive_radius
    near[..., 30, :] += 0.3
    far[..., row + 1 :, :] += 0.3
    before = head(restored, degraded, quantization, even)[..., 24, :]
    torch.testing.assert_close(head(far, degraded, quantization, even)[..., 24, :], before)
    assert not torch.allclose(head(near, degraded, quantization, even)[..., 24, :], before)
    assert head.receptive_radius <= HALO
    assert head.size_multiple == SIZE_MULTIPLE


def test_extreme_input_stays_finite(head):
    wild = torch.tensor([0.0, 1.0, -30.0, 30.0]).repeat(1, 3, 4, 4)
    assert head(wild, -wild, wild, wild[:, :, 0, 0]).isfinite().all()
