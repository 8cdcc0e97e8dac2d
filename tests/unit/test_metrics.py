"""Metrics against their oracles, and the properties that every size and dtype must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import data

from napari_deartifact import metrics
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.metrics import (
    blocking_effect_factor,
    full_range_luma,
    psnr,
    psnr_b,
    ssim,
    studio_range_luma,
)

SIZES = [(64, 64), (64, 48), (61, 75), (9, 200), (17, 12)]


@pytest.fixture(scope="module")
def camera() -> np.ndarray:
    return data.camera()[100:300, 150:350]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()[:160, 150:300]


def torchmetrics_psnr_b(reference: np.ndarray, image: np.ndarray) -> float:
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio_with_blocked_effect

    tensors = [torch.from_numpy(array.astype(np.float64))[None, None] for array in (image, reference)]
    return float(peak_signal_noise_ratio_with_blocked_effect(*tensors, data_range=255.0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quality", [5, 10, 40, 90])
def test_psnr_b_is_torchmetrics_with_its_pair_count(camera, size, quality, monkeypatch):
    reference = camera[: size[0], : size[1]]
    image = jpeg_round_trip(reference, quality)
    monkeypatch.setattr(
        metrics, "_boundary_pairs", lambda height, width, block: height * width / block * 2 - 2
    )
    assert psnr_b(reference, image) == pytest.approx(torchmetrics_psnr_b(reference, image), abs=1e-4)


@pytest.mark.parametrize("quality", [10, 40])
def test_psnr_b_with_the_true_pair_count_is_close_to_torchmetrics(camera, quality):
    image = jpeg_round_trip(camera, quality)
    difference = torchmetrics_psnr_b(camera, image) - psnr_b(camera, image)
    assert 0 < difference < 0.5


@pytest.mark.parametrize("size", [*SIZES, (8, 8), (1, 1), (1, 100), (7, 3), (16, 1)])
def test_boundary_pairs_are_counted_where_they_are(size):
    height, width = size
    rows = [row for row in range(height - 1) if row % 8 == 7]
    columns = [column for column in range(width - 1) if column % 8 == 7]
    assert metrics._boundary_pairs(*size, 8) == len(rows) * width + len(columns) * height


@pytest.mark.parametrize("shape", [(64, 64), (61, 75), (40, 33, 3)])
def test_psnr_is_scikit_image(shape):
    rng = np.random.default_rng(1)
    from skimage.metrics import peak_signal_noise_ratio

    reference, image = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    assert psnr(reference, image) == pytest.approx(peak_signal_noise_ratio(reference, image, data_range=255))


def test_unsigned_pictures_do_not_wrap_around():
    assert psnr(np.full((8, 8), 0, np.uint8), np.full((8, 8), 255, np.uint8)) == pytest.approx(0)


@pytest.mark.parametrize("color", [False, True])
def test_ssim_is_torchmetrics(camera, astronaut, color):
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    reference = astronaut if color else camera
    image = jpeg_round_trip(reference, 20)
    tensors = [
        torch.from_numpy(np.atleast_3d(array).astype(np.float64).transpose(2, 0, 1))[None]
        for array in (image, reference)
    ]
    _, full = structural_similarity_index_measure(*tensors, data_range=255.0, return_full_image=True)
    inside = full[..., 5:-5, 5:-5]  # torchmetrics counts the windows that hang over the border too
    assert ssim(reference, image) == pytest.approx(float(inside.mean()), abs=1e-6)


def test_color_psnr_b_takes_blocks_from_rounded_studio_luma(astronaut):
    image = jpeg_round_trip(astronaut, 10)
    error = np.mean((astronaut.astype(float) - image) ** 2)
    blocks = blocking_effect_factor(studio_range_luma(image).round())
    assert blocks > 1
    assert psnr_b(astronaut, image) == pytest.approx(10 * math.log10(255**2 / (error + blocks)))


@pytest.mark.parametrize("metric", [psnr, psnr_b, ssim])
@pytest.mark.parametrize("scale", [1 / 255, 257.0])
@pytest.mark.parametrize("color", [False, True])
def test_data_range_scales_with_the_picture(camera, astronaut, metric, scale, color):
    reference = (astronaut if color else camera).astype(np.float64)
    image = jpeg_round_trip(reference.astype(np.uint8), 10).astype(np.float64)
    expected = metric(reference, image)
    assert metric(reference * scale, image * scale, data_range=255 * scale) == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize("metric", [psnr, psnr_b])
def test_equal_pictures_are_infinitely_good(metric):
    flat = np.full((24, 24), 7, np.uint8)
    assert metric(flat, flat) == math.inf


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_pixels_are_infinitely_bad(value):
    assert psnr(np.zeros((24, 24)), np.full((24, 24), value)) == -math.inf


def test_blocks_cost_and_smooth_pictures_do_not():
    rows, columns = np.indices((64, 64))
    blocks = (rows // 8 + columns // 8) * 8
    assert blocking_effect_factor(rows + columns) == 0
    assert blocking_effect_factor(blocks) > 0
    assert blocking_effect_factor(blocks[4:, 4:]) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (8, 8), (3, 9)])
def test_psnr_b_takes_any_size(size):
    rng = np.random.default_rng(0)
    reference, image = rng.integers(0, 256, (2, *size), dtype=np.uint8)
    assert math.isfinite(psnr_b(reference, image))
    assert psnr_b(reference, image) <= psnr(reference, image)


@pytest.mark.parametrize(
    ("color", "full", "studio"),
    [
        ((0, 0, 0), 0, 16),
        ((255, 255, 255), 255, 235),
        ((255, 0, 0), 76.245, 81.481),
        ((0, 255, 0), 149.685, 144.553),
    ],
)
def test_luma(color, full, studio):
    pixel = np.array(color, np.uint8).reshape(1, 1, 3)
    assert full_range_luma(pixel)[0, 0] == pytest.approx(full)
    assert studio_range_luma(pixel)[0, 0] == pytest.approx(studio)


@pytest.mark.parametrize("metric", [psnr, psnr_b, ssim])
@pytest.mark.parametrize(
    ("reference", "image", "data_range", "message"),
    [
        ((8, 8), (8, 9), 255, "must be the same"),
        ((2, 8, 8), (2, 8, 8), 255, "neither"),
        ((8, 8, 4), (8, 8, 4), 255, "neither"),
        ((0, 8), (0, 8), 255, "no pixels"),
        ((8, 8), (8, 8), 0, "data_range is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(metric, reference, image, data_range, message):
    with pytest.raises(ValueError, match=message):
        metric(np.zeros(reference), np.zeros(image), data_range=data_range)


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ValueError, match="11×11"):
        ssim(np.zeros((10, 40)), np.zeros((10, 40)))


@pytest.mark.parametrize("luma", [full_range_luma, studio_range_luma])
def test_luma_needs_three_channels(luma):
    with pytest.raises(ValueError, match="RGB"):
        luma(np.zeros((8, 8)))
