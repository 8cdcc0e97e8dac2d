"""The closed form, against numbers drawn at random and against real pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.data import astronaut, camera

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.posterior import (
    laplacian_decay,
    middle_cell_variance,
    outer_cell_variance,
    pixel_variance,
    quantization_standard_error,
)

GREY = camera()[:256, :256]
COLOR = astronaut()[:256, 100:356]


@pytest.mark.parametrize("decay", [0.05, 0.5, 2.0, 6.0])
def test_variances_and_fit_are_those_of_a_sample(decay):
    rng = np.random.default_rng(0)
    steps = rng.laplace(scale=0.5 / decay, size=1_000_000)
    indices = np.rint(steps)
    middle, outer = steps[indices == 0], np.abs(steps[indices != 0]) - np.abs(indices[indices != 0])
    fit = laplacian_decay(
        *(torch.tensor(float(part)) for part in (len(middle), len(outer), np.abs(indices).sum()))
    )
    expected = torch.tensor(decay, dtype=torch.float64)
    assert float(fit) == pytest.approx(decay, rel=0.02)
    assert float(middle_cell_variance(expected)) == pytest.approx(middle.var(), rel=0.01)
    assert float(outer_cell_variance(expected)) == pytest.approx(outer.var(), rel=0.05)


@pytest.mark.parametrize("variance", [middle_cell_variance, outer_cell_variance])
def test_variance_of_flat_prior_is_that_of_an_even_cell(variance):
    decay = torch.tensor([1e-9, 1e-3, 3.0, 1e4], dtype=torch.float64)
    answer = variance(decay)
    assert answer[:2].tolist() == pytest.approx([1 / 12] * 2, rel=1e-2)
    assert 0 < answer[3] < answer[2] < 1 / 12


def test_pixels_get_all_of_the_variance():
    rng = torch.Generator().manual_seed(0)
    coefficients = torch.rand((2, 3, 8, 8), generator=rng, dtype=torch.float64)
    pixels = pixel_variance(coefficients)
    assert pixels.shape == (16, 24)
    np.testing.assert_allclose(
        pixels.reshape(2, 8, 3, 8).sum(dim=(1, 3)), coefficients.sum(dim=(2, 3)), rtol=1e-12
    )


def info_of(image, quality, subsampling=None):
    return JPEGInfo.from_quality(
        quality, height=image.shape[0], width=image.shape[1], subsampling=subsampling
    )


@pytest.mark.parametrize("quality", [10, 40, 90])
@pytest.mark.parametrize(("image", "subsampling"), [(GREY, None), (COLOR, "4:4:4"), (COLOR, "4:2:0")])
def test_error_has_the_size_that_is_foretold(image, subsampling, quality):
    decoded = jpeg_round_trip(image, quality, subsampling=subsampling or "4:2:0")
    foretold = quantization_standard_error(decoded, info_of(image, quality, subsampling))
    error = np.abs(decoded.astype(float) - image)
    assert foretold.shape == image.shape
    assert 0.75 < np.sqrt((error**2).mean() / (foretold**2).mean()) < 1.2
    assert spearmanr(foretold.ravel(), error.ravel()).statistic > 0.25


def test_cut_out_keeps_its_blocks():
    decoded = jpeg_round_trip(COLOR, 30, subsampling="4:2:0")
    info = info_of(COLOR, 30, "4:2:0")
    whole = quantization_standard_error(decoded, info)
    part = quantization_standard_error(decoded[19:, 35:], info.crop(slice(19, None), slice(35, None)))
    assert part.shape == whole[19:, 35:].shape
    inside = part[13:-16, 13:-16] / whole[32:-16, 48:-16]
    assert np.median(np.abs(np.log(inside))) < 0.1


def test_standard_error_is_in_levels_of_the_jpeg():
    info = JPEGInfo(64, 64, info_of(GREY, 20).tables, precision=12)
    decoded = GREY[:64, :64] * 16.0
    assert quantization_standard_error(decoded, info).mean() < 20


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (8, 8)])
def test_small_pictures(shape):
    answer = quantization_standard_error(np.full(shape, 50.0), info_of(np.empty(shape), 50))
    assert answer.shape == shape
    assert np.isfinite(answer).all()
    assert (answer > 0).all()
