"""A restoration is believed as far as its own changes make it credible."""

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from napari_deartifact.jpeg.weighing import weighed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0, 12.0])
def test_it_is_the_mean_of_a_gaussian_truncated_to_the_cell(dtype, scale):
    rng = np.random.default_rng(0)
    step = rng.integers(1, 12, (8, 8)).astype(float)
    middle = step * rng.integers(-3, 4, (5, 8, 8))
    restored = middle + scale * rng.standard_normal(middle.shape)
    spread = np.sqrt(1 + 0.36 * ((restored - middle) ** 2).mean((1, 2), keepdims=True))
    ends = [(middle + side * step / 2 - restored) / spread for side in (-1, 1)]
    expected = truncnorm.mean(*ends, loc=restored, scale=spread)
    answer = weighed(*(torch.tensor(part, dtype=dtype) for part in (restored, middle, step)))
    assert answer.dtype == dtype
    np.testing.assert_allclose(answer, expected, atol=2e-3 if dtype == torch.float32 else 1e-8)


def test_small_changes_are_believed_and_large_ones_are_not():
    middle, step = torch.zeros(1, 8, 8), torch.full((8, 8), 40.0)
    pattern = torch.where(torch.arange(64).reshape(1, 8, 8) % 2 == 0, 1.0, -1.0)
    small, large = weighed(0.2 * pattern, middle, step), weighed(200 * pattern, middle, step)
    torch.testing.assert_close(small, 0.2 * pattern, atol=1e-4, rtol=0)
    assert (large.abs() < 11).all()
    assert (large * pattern > 0).all()


@pytest.mark.parametrize("change", [0.0, 1e-6, 1e4, 1e8])
def test_it_stays_in_the_cell_whatever_the_change(change):
    restored = torch.full((2, 8, 8), change)
    restored[1, 3, 4] *= -1
    answer = weighed(restored, torch.zeros(8, 8), torch.arange(1.0, 65).reshape(8, 8))
    assert answer.isfinite().all()
    assert (answer.abs() <= torch.arange(1.0, 65).reshape(8, 8) / 2).all()


def test_it_is_finite_where_the_processor_knows_no_subnormal_numbers():
    restored = torch.zeros(8, 8)
    restored[2, 3] = 700.0
    torch.set_flush_denormal(True)
    try:
        answer = weighed(restored[None, None], torch.zeros(1, 1, 8, 8), torch.full((8, 8), 11.0))
    finally:
        torch.set_flush_denormal(False)
    assert answer.isfinite().all()
    assert 0 < answer[0, 0, 2, 3] <= 5.5
