"""The DCT, colour and chroma arithmetic against definitions and against libjpeg itself."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from skimage.data import astronaut, camera, moon

from napari_deartifact.degradation import jpeg_decode, jpeg_encode
from napari_deartifact.jpeg.dct import block_dct, block_idct, extend_edges, pad_to_multiple, quantize
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.resampling import downsample, upsample
from napari_deartifact.jpeg.sampling import sampling_ratios
from napari_deartifact.jpeg.simulation import simulate_jpeg
from napari_deartifact.jpeg.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb


def libjpeg(image, quality, subsampling="4:2:0"):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stream)).astype(float)


def simulated(image, quality, subsampling=None, **options):
    height, width = image.shape[:2]
    info = JPEGInfo.from_quality(quality, height=height, width=width, subsampling=subsampling)
    tables = [torch.from_numpy(info.table(index)) for index in range(len(info.tables))]
    batch = torch.from_numpy(np.atleast_3d(image).astype(float)).movedim(-1, 0)[None]
    return simulate_jpeg(batch, tables, info.sampling, **options)[0].movedim(0, -1).numpy().squeeze()


def psnr(first, second):
    return 10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2))


@pytest.mark.parametrize(
    ("subsampling", "equal"),
    [("4:4:4", 0.76), ("4:2:0", 0.76), ("4:2:2", 0.76), ("4:4:0", 0.76), ("4:1:1", 0.77)],
)
def test_a_simulated_round_trip_has_libjpegs_mean(subsampling, equal):
    image = astronaut()[100:228, 100:228]
    real = jpeg_decode(jpeg_encode(image, 90, subsampling=subsampling)).astype(float)
    answer = simulated(image, 90, subsampling)
    assert (answer == real).mean() > equal
    assert abs((answer - real).mean()) < 0.02


def test_block_dct_is_scipys():
    samples = torch.randn(2, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coefficients = block_dct(samples)
    assert coefficients.shape == (2, 2, 3, 8, 8)
    np.testing.assert_allclose(
        coefficients[1, 1, 2], dctn(samples[1, 8:, 16:].numpy(), norm="ortho"), atol=1e-12
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-3)])
def test_inverse_undoes_the_dct(dtype, tolerance):
    samples = torch.rand(3, 2, 40, 16, generator=torch.Generator().manual_seed(1)).to(dtype) * 255
    back = block_idct(block_dct(samples))
    assert back.dtype == dtype
    assert (back - samples).abs().max() < tolerance


def test_partial_blocks_are_refused():
    with pytest.raises(ValueError, match="12×16"):
        block_dct(torch.zeros(12, 16))


@pytest.mark.parametrize(
    ("coefficient", "step", "index"),
    [(15.9, 16, 1), (7.9, 16, 0), (8.0, 16, 1), (-8.0, 16, -1), (-41, 16, -3)],
)
def test_quantize_rounds_as_libjpeg(coefficient, step, index):
    assert quantize(torch.tensor([coefficient]), torch.tensor([step])).item() == index


def test_colour_conversion_is_jfifs():
    primaries = torch.tensor([[255.0, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]).T[:, :, None]
    ycbcr = rgb_to_ycbcr(primaries)
    expected = [[76.245, 149.685, 29.07, 255], [84.97, 43.53, 255.5, 128], [255.5, 21.23, 107.27, 128]]
    np.testing.assert_allclose(ycbcr[:, :, 0], expected, atol=0.01)
    np.testing.assert_allclose(ycbcr_to_rgb(ycbcr), primaries, atol=1e-3)


def test_colour_conversion_at_12_bits_keeps_grey_neutral():
    assert rgb_to_ycbcr(torch.full((3, 1, 1), 1000.0), white=4095)[:, 0, 0].tolist() == pytest.approx(
        [1000, 2048, 2048], abs=1e-3
    )


def test_extension_repeats_the_border():
    samples = torch.arange(6.0).reshape(2, 3)
    assert extend_edges(samples, top=1, left=2)[0].tolist() == [0, 0, 0, 1, 2]
    padded = pad_to_multiple(samples, 4, 8)
    assert padded.shape == (4, 8)
    assert padded[3].tolist() == [3, 4, 5, 5, 5, 5, 5, 5]


def test_chroma_is_averaged_down_and_interpolated_up():
    plane = torch.tensor([[0.0, 4, 8, 8], [4, 8, 8, 8]])
    small = downsample(plane, 2, 2)
    assert small.tolist() == [[4, 8]]
    assert upsample(small, 2, 2).tolist() == [[4, 5, 7, 8]] * 2
    assert upsample(small, 1, 4).tolist() == [[4] * 4 + [8] * 4]


def test_sampling_ratios():
    assert sampling_ratios([(2, 1), (1, 1), (1, 1)]) == [(1, 1), (1, 2), (1, 2)]


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90])
@pytest.mark.parametrize("image", [camera(), camera()[:477, :331], moon()], ids=["camera", "odd", "moon"])
def test_grey_round_trip_is_libjpegs(image, quality):
    theirs, ours = libjpeg(image, quality), simulated(image, quality)
    assert (np.abs(ours - theirs) <= 1).mean() >= 0.95
    assert abs((ours - theirs).mean()) < 0.02
    assert psnr(ours, image) == pytest.approx(psnr(theirs, image), abs=0.02)


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_colour_round_trip_is_libjpegs(quality, subsampling):
    image = astronaut()[:303, :405]
    theirs, ours = libjpeg(image, quality, subsampling), simulated(image, quality, subsampling)
    assert (np.abs(ours - theirs) <= 1).mean() >= 0.9
    assert abs((ours - theirs).mean()) < 0.02
    assert psnr(ours, image) == pytest.approx(psnr(theirs, image), abs=0.02)


def test_unrounded_round_trip_leaves_the_scale_free():
    image = camera()[:64, :64] / 255 - 3
    coded = simulated(image, 100, rounded=False)
    assert coded.min() < -2
    assert np.abs(coded - image).max() < 3
    assert not np.array_equal(coded, coded.round())


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 33])
def test_a_block_gives_the_same_bits_whatever_it_is_among(count):
    samples = 100 * torch.randn(8, 8 * 50, generator=torch.Generator().manual_seed(3))
    coefficients = block_dct(samples)
    assert torch.equal(block_dct(samples[:, : 8 * count]), coefficients[:, :count])
    assert torch.equal(block_idct(coefficients[:, :count]), block_idct(coefficients)[:, : 8 * count])
