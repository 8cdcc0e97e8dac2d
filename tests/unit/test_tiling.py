"""Tiles give the whole picture's answer, for every generator there is."""

import numpy as np
import pytest
import torch
from torch.nn.utils.parametrize import is_parametrized

from napari_deartifact.generators import ARCHITECTURES, build
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.models.model_file import ModelCard
from napari_deartifact.models.network import NetworkRestorer
from napari_deartifact.tiling import ALL, Progress, TileGrid, restore_in_tiles


def random_network(architecture, precision="float32"):
    """A network far from its initialisation, so that every weight takes part."""
    torch.manual_seed(3)
    generator = build(architecture)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.5 / max(parameter[0].numel(), 1) ** 0.5)
    with torch.no_grad():
        for module in generator.modules():
            if is_parametrized(module):
                # The largest singular value, which is known only of the weights before.
                for _ in range(20):
                    module.train()(torch.rand(1, module.in_channels, 8, 8))
    card = ModelCard(architecture, architecture, color=generator.color)
    return NetworkRestorer(generator.eval(), card, "cpu", precision)


def run(steps):
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            return end.value, progress


@pytest.fixture
def picture():
    return np.random.default_rng(0).random((3, 149, 107), np.float32)


def channel_counts(architecture):
    """Name the channels that pictures may have."""
    network = build(architecture)
    return (1, 3) if network.grey_radius else (network.channels,)


SEEN = [(architecture, count) for architecture in ARCHITECTURES for count in channel_counts(architecture)]


@pytest.mark.parametrize(("architecture", "channels"), SEEN)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("shape", "tile_sizes"),
    [((149, 107), [40]), ((128, 128), [64]), ((7, 60), [8, 40]), ((1, 1), [8]), ((200, 3), [8, 40])],
)
def test_every_generator_answers_the_same_in_tiles(
    architecture, channels, precision, shape, tile_sizes, picture
):
    model = random_network(architecture, precision)
    picture = np.resize(picture, (channels, *shape))
    whole, _ = run(restore_in_tiles(picture, model, tile_size=4096))
    assert whole.shape == picture.shape
    correction = np.abs(whole - picture).max()
    assert correction > 0.01
    # bfloat16 has eight bits of a correction; `residual` rounds thirty times on the way to its own.
    rounding = (2 if architecture == "residual" else 1) * max(correction, 1.0) / 255
    for tile_size in tile_sizes:
        tiled, progress = run(restore_in_tiles(picture, model, tile_size=tile_size))
        # With several threads another shape may be summed in another order, and rounded otherwise.
        np.testing.assert_allclose(tiled, whole, atol=2e-5 if precision == "float32" else rounding)
        assert progress[0].done == 0
        counts = [step.done for step in progress]
        assert counts == sorted(set(counts))
        assert progress[-1].done == progress[-1].total >= len(progress) - 1


LOCAL = [architecture for architecture in ARCHITECTURES if build(architecture).fixed_tile is None]


def test_tiles_that_are_seen_as_a_whole_fit_the_grid_and_leave_something_to_answer_for():
    for architecture in ARCHITECTURES.keys() - LOCAL:
        model = random_network(architecture)
        grid = TileGrid.for_model(model, 3)
        assert grid.fixed % grid.multiple == 0
        assert grid.core_size(0) >= grid.fixed / 2


@pytest.mark.parametrize(("architecture", "channels"), [seen for seen in SEEN if seen[0] in LOCAL])
def test_receptive_radius_is_no_larger_than_said(architecture, channels):
    model = random_network(architecture)
    reach = model.halo if channels == 3 else model.grey_halo
    size = -(-(2 * reach + 33) // model.size_multiple) * model.size_multiple
    start = np.zeros((1, channels, size, size), np.float32)
    poked = start.copy()
    row = size // 2
    poked[..., row, row] = 1
    changed = np.abs(model.restore(poked) - model.restore(start)).max(axis=(0, 1)) > 0
    rows, columns = np.nonzero(changed)
    assert max(np.abs(rows - row).max(), np.abs(columns - row).max()) <= reach


class Blur:
    """Averages over its halo; takes only so many pixels at once, as a small GPU does."""

    name = "blur"
    color = "any"
    size_multiple = 4
    halo = 5
    needs_tables = False

    def __init__(self, capacity=10**9, fixed_tile=None):
        self.capacity = capacity
        self.fixed_tile = fixed_tile
        self.seen = []

    def restore(self, tiles, jpeg):
        if tiles[0, 0].size > self.capacity:
            raise MemoryError("full")
        assert tiles.shape[-1] % self.size_multiple == tiles.shape[-2] % self.size_multiple == 0
        self.seen.append((tiles.shape[2:], jpeg))
        padded = np.pad(tiles, ((0, 0), (0, 0), (5, 5), (5, 5)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(2, 3))
        return windows.mean(axis=(4, 5), dtype=np.float32)


def test_memory_that_runs_out_halves_the_tiles(picture):
    whole, _ = run(restore_in_tiles(picture, Blur(), tile_size=256))
    small = Blur(capacity=100 * 100)
    halved, progress = run(restore_in_tiles(picture, small, tile_size=256))
    np.testing.assert_allclose(halved, whole, atol=1e-6)
    assert max(rows * columns for (rows, columns), _ in small.seen) <= 100 * 100
    assert progress[-1].done == progress[-1].total > 1


def test_memory_too_small_for_any_tile(picture):
    with pytest.raises(MemoryError, match="blur"):
        run(restore_in_tiles(picture, Blur(capacity=10), tile_size=256))


class OnDevice(Blur):
    """A GPU's worth of memory for so many pixels, whatever the number of tiles; a CPU may stand by."""

    def __init__(self, capacity, batch=4, cpu=None, fixed_tile=None):
        super().__init__(capacity, fixed_tile)
        self.batch = batch
        self.cpu = cpu
        self.batches = []

    def batch_size(self, height, width):
        return self.batch

    def on_cpu(self):
        return self.cpu

    def restore(self, tiles, jpeg):
        if tiles[:, 0].size > self.capacity:
            raise MemoryError("full")
        assert jpeg is None or len(tiles) == 1
        self.batches.append(len(tiles))
        return super().restore(tiles, jpeg)


@pytest.mark.parametrize(
    ("tile_size", "capacity", "largest_batch"),
    [(32, 10**9, 4), (32, 3 * 48**2, 2), (32, 48**2, 1), (128, 80**2, 1)],
)
def test_batches_of_tiles(tile_size, capacity, largest_batch, picture):
    whole, _ = run(restore_in_tiles(picture, Blur(), tile_size=256))
    model = OnDevice(capacity)
    jpeg = JPEGInfo.from_quality(30, height=149, width=107)
    tiled, progress = run(restore_in_tiles(picture, model, tile_size=tile_size, jpeg=jpeg))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    assert max(model.batches) == largest_batch
    assert progress[-1].done == progress[-1].total == sum(model.batches)


def test_memory_that_never_suffices_calls_for_the_cpu(picture):
    whole, _ = run(restore_in_tiles(picture, Blur(), tile_size=256))
    cpu = Blur()
    with pytest.warns(UserWarning, match=r"blur.*the CPU does the rest") as told:
        tiled, progress = run(restore_in_tiles(picture, OnDevice(10, cpu=cpu), tile_size=256))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    assert len(told) == 1
    assert [size for size, _ in cpu.seen] == [(152, 108)], "tiles as large as they were at first"
    assert progress[-1] == Progress(1, 1)


def test_the_cpu_takes_over_in_the_middle(picture):
    class Shrinking(OnDevice):
        def restore(self, tiles, jpeg):
            answer = super().restore(tiles, jpeg)
            if len(self.batches) == 2:
                self.capacity = 0
            return answer

    whole, _ = run(restore_in_tiles(picture, Blur(), tile_size=256))
    device, cpu = Shrinking(10**9, batch=1, cpu=Blur()), Blur()
    device.cpu = cpu
    with pytest.warns(UserWarning, match="the CPU does the rest"):
        tiled, progress = run(restore_in_tiles(picture, device, tile_size=64))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    assert (len(device.seen), len(cpu.seen)) == (2, 4)
    assert progress[-1] == Progress(6, 6)


def test_a_fixed_tile_is_never_halved(picture):
    cpu = Blur(fixed_tile=48)
    with pytest.warns(UserWarning, match="48×48"):
        run(restore_in_tiles(picture, OnDevice(100, fixed_tile=48, cpu=cpu), tile_size=999))
    assert {size for size, _ in cpu.seen} == {(48, 48)}


def test_fixed_tiles_have_that_size(picture):
    model = Blur(fixed_tile=48)
    run(restore_in_tiles(picture, model, tile_size=999))
    assert {size for size, _ in model.seen} == {(48, 48)}


@pytest.mark.parametrize("begin", [0, 8, 24, 40])
def test_fixed_tiles_have_that_size_wherever_a_region_begins(picture, begin):
    model = Blur(fixed_tile=48)
    region = slice(begin, None), slice(begin, None)
    part, _ = run(restore_in_tiles(picture, model, tile_size=999, region=region))
    assert {size for size, _ in model.seen} == {(48, 48)}
    whole, _ = run(restore_in_tiles(picture, Blur(), tile_size=999))
    inner = np.s_[:, begin : picture.shape[1] - 48, begin : picture.shape[2] - 48]
    np.testing.assert_allclose(part[inner], whole[inner], atol=1e-6)


def test_each_tile_gets_its_part_of_the_jpeg(picture):
    info = JPEGInfo.from_quality(30, height=149, width=107, subsampling="4:2:0").crop(
        slice(3, None), slice(5, None)
    )
    model = Blur()
    run(restore_in_tiles(picture[:, :146, :102], model, tile_size=64, jpeg=info))
    assert all(jpeg.shape == size for size, jpeg in model.seen)
    # The picture is continued to the corner of its coded unit.
    assert {jpeg.offset for _, jpeg in model.seen} == {
        (row, column) for row in (0, 48, 112) for column in (0, 48)
    }


@pytest.mark.parametrize("told", ["by the JPEG", "by the caller"])
@pytest.mark.parametrize("region", [ALL, (slice(16, 64), slice(0, 48))])
def test_a_cut_out_is_laid_on_its_grid(told, region):
    model = random_network("residual-unet")
    picture = np.random.default_rng(1).random((3, 230, 220), np.float32)
    info = JPEGInfo.from_quality(30, height=230, width=220, subsampling="4:2:0")
    whole, _ = run(restore_in_tiles(picture, model, tile_size=4096, jpeg=info))
    rows, columns = slice(19, 219), slice(5, 205)
    cut = info.crop(rows, columns)
    place = {"jpeg": cut} if told == "by the JPEG" else {"offset": (3, 5)}
    part, _ = run(restore_in_tiles(picture[:, rows, columns], model, tile_size=64, region=region, **place))
    inside = np.zeros(part.shape[1:], bool)
    inside[region] = True
    far = np.zeros_like(inside)
    far[model.halo : -model.halo, model.halo : -model.halo] = True
    np.testing.assert_allclose(part[:, inside & far], whole[:, rows, columns][:, inside & far], atol=2e-5)
    assert np.array_equal(part[:, ~inside], picture[:, rows, columns][:, ~inside])


def test_grey_pictures_are_cut_with_the_halo_that_they_need():
    model = random_network("luma-chroma-unet")
    grey, color = (TileGrid.for_model(model, colors) for colors in (1, 3))
    assert grey.halo < color.halo
    assert grey.alignment == color.alignment
    other = random_network("residual-unet")
    assert TileGrid.for_model(other, 1) == TileGrid.for_model(other, 3)


@pytest.mark.parametrize(
    ("multiple", "subsampling", "alignment"),
    [(1, None, 8), (12, None, 24), (1, "4:2:0", 16), (3, "4:2:2", 48)],
)
def test_alignment(multiple, subsampling, alignment):
    model = Blur()
    model.size_multiple = multiple
    info = subsampling and JPEGInfo.from_quality(50, height=9, width=9, subsampling=subsampling)
    grid = TileGrid.for_model(model, 3, info)
    assert (grid.alignment, grid.halo) == (alignment, alignment)
