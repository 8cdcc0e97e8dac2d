"""Lazy arrays: the same answer as numpy's, chunk by chunk, and only where it is looked at."""

from __future__ import annotations

import pickle
import threading
import tracemalloc
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pytest
import skimage.data
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from napari_deartifact import JPEGInfo, deartifact, estimate_jpeg, list_models
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.lazy import ChunkedAxis, snapped_chunks, turnstile
from napari_deartifact.models.reference import ModelReference
from napari_deartifact.models.registry import find_model

CAMERA = skimage.data.camera()
ASTRONAUT = skimage.data.astronaut()


class Mean:
    """A restorer that costs next to nothing, and counts."""

    name = "mean"
    color = "any"
    size_multiple = 4
    halo = 3
    fixed_tile = None
    needs_tables = False

    def __init__(self):
        self.tiles = []

    def restore(self, tiles, jpeg=None):
        assert tiles.shape[-2] % 4 == tiles.shape[-1] % 4 == 0
        self.tiles.append(tiles.shape[-2:])
        return uniform_filter(tiles, (1, 1, 7, 7), mode="nearest")

    def __dask_tokenize__(self):
        return "mean"


class Half(Mean):
    def restore(self, tiles, jpeg=None):
        return tiles / 2


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def both_ways(image, chunks, **options):
    """The lazy answer, computed, and numpy's."""
    options = {"model": Mean(), "force": True, "device": "cpu", **options}
    consistency = {} if "jpeg" in options else {"consistency": False}
    lazy = deartifact(da.from_array(image, chunks=chunks), **options)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (image.shape, image.dtype)
    return lazy, lazy.compute(), deartifact(image, **options, **consistency)


def with_holes(image):
    image = image.astype(np.float32)
    image[..., 30:70, 55:75] = np.nan
    image[..., 5, 5] = np.inf
    return image


STACK = np.stack([np.stack([CAMERA[y : y + 70, x : x + 130] for x in (0, 90)]) for y in (0, 100, 200)])
WHOLE = {"t": 3, "z": 2}
CASES = {
    "2-D": (CAMERA[:201, :150], (50, 60), None),
    "one odd chunk": (CAMERA[:201, :150], (201, 149), None),
    "crumbs": (CAMERA[:130, :141], (7, 13), None),
    "rows": (CAMERA[:130, :141], (1, 141), None),
    "smaller than the halo": (CAMERA[:5, :9], (2, 4), None),
    "irregular": (CAMERA[:201, :150], ((3, 100, 1, 97), (75, 75)), None),
    "empty chunks": (CAMERA[:201, :150], ((0, 100, 0, 101), (150,)), None),
    "uint16": (CAMERA[:150, :150].astype(np.uint16) * 9, (64, 64), None),
    "holes": (with_holes(CAMERA[:150, :150]), (64, 64), None),
    "RGB": (ASTRONAUT[:150, :140], (64, 50, 3), -1),
    "RGB cut by colour": (ASTRONAUT[:150, :140], (64, 50, 1), -1),
    "RGB first": (ASTRONAUT[:150, :140].transpose(2, 0, 1), (2, 64, 50), 0),
    "RGBA": (np.dstack([ASTRONAUT[:150, :140], CAMERA[:150, :140]]), (80, 80, 2), -1),
    "holes in RGB": (with_holes(ASTRONAUT[:150, :140].transpose(2, 0, 1)), (3, 64, 64), 0),
    "t, z, y, x": (STACK, (2, 1, 40, 64), None),
    "t, z, y, x in one": (STACK, STACK.shape, None),
    "t, c, y, x": (np.stack([STACK[:, 0]] * 5, axis=1), (1, 2, 35, 64), 1),
    "big-endian": (CAMERA[:150, :150].astype(">u2"), (64, 64), None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_that_of_numpy(case):
    image, chunks, axis = CASES[case]
    lazy, answer, expected = both_ways(image, chunks, channel_axis=axis, data_range=255 * 9)
    np.testing.assert_array_equal(answer, expected)
    assert image.size < 50 or not np.array_equal(answer, image, equal_nan=True)
    assert isinstance(lazy._meta, np.ndarray)


@pytest.mark.parametrize("model", [model.name for model in list_models()])
@pytest.mark.parametrize("axis", [None, -1], ids=["grey", "RGB"])
def test_every_model_that_ships_answers_the_same(model, axis):
    picture = np.tile(
        (CAMERA if axis is None else ASTRONAUT)[:, 200:224], (3, 1) if axis is None else (3, 1, 1)
    )
    degraded = jpeg_round_trip(picture[10:1450], 15)
    jpeg = JPEGInfo.from_quality(15, height=1440, width=24, subsampling=axis and "4:2:0")
    lazy, answer, expected = both_ways(
        degraded, (720, 24, 3)[: degraded.ndim], model=model, channel_axis=axis, jpeg=jpeg, consistency=False
    )
    assert lazy.numblocks[0] > 1
    np.testing.assert_allclose(answer.astype(int), expected, atol=1)
    assert (answer != expected).mean() < 1e-3


@pytest.mark.parametrize(
    ("quality", "subsampling", "cut"),
    [
        (50, None, (0, 0)),
        (90, None, (3, 5)),
        (50, "4:4:4", (0, 0)),  # here one chunk is done after fewer rounds than another
        (50, "4:2:0", (0, 0)),
        (10, "4:2:0", (3, 5)),
    ],
)
def test_a_known_jpeg_binds_chunks_as_it_binds_the_whole(quality, subsampling, cut):
    picture = CAMERA[40:340, 100:420] if subsampling is None else ASTRONAUT[20:320, 100:420]
    degraded = jpeg_round_trip(picture, quality, subsampling=subsampling or "4:2:0")
    info = JPEGInfo.from_quality(quality, height=300, width=320, subsampling=subsampling)
    window = tuple(slice(start, None) for start in cut)
    lazy, answer, expected = both_ways(
        degraded[window],
        (100, 130, 3)[: degraded.ndim],
        jpeg=info.crop(*window),
        channel_axis=None if subsampling is None else -1,
    )
    assert max(lazy.numblocks) > 1
    np.testing.assert_array_equal(answer, expected)


def test_a_known_jpeg_with_its_coefficients():
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(ASTRONAUT[:300, :320]).save(stream, "JPEG", quality=30)
    info = JPEGInfo.from_bytes(stream.getvalue(), coefficients=True)
    degraded = np.asarray(Image.open(stream))
    lazy, answer, expected = both_ways(degraded, (100, 130, 3), jpeg=info, channel_axis=-1)
    np.testing.assert_array_equal(answer, expected)
    sent = [len(pickle.dumps(task)) for key, task in dict(lazy.dask).items() if key[0] == lazy.name]
    assert len(sent) > 1
    assert max(sent) < 5000 < len(pickle.dumps(info))


def test_grey_parts_of_a_colour_picture_do_not_depend_on_chunks():
    picture = ASTRONAUT[:200, :200].copy()
    picture[60:] = picture[60:, :, :1]
    degraded = jpeg_round_trip(picture, 20, subsampling="4:4:4")
    degraded[64:] = degraded[64:, :, :1]
    _, answer, expected = both_ways(degraded, (40, 64, 3), model="compact-cnn", channel_axis=-1)
    np.testing.assert_allclose(answer.astype(int), expected, atol=1)
    assert (np.ptp(expected[90:], axis=-1) == 0).all()
    assert np.ptp(expected[:50], axis=-1).max() > 50


def test_what_a_part_tells_gives_the_answer_of_numpy():
    degraded = jpeg_round_trip(CAMERA, 40)
    told = estimate_jpeg(degraded[:256, :256])
    assert told.is_jpeg
    image = da.from_array(degraded, chunks=200)
    lazy = deartifact(image, "compact-cnn", device="cpu", jpeg=told.to_jpeg_info(*image.shape))
    np.testing.assert_array_equal(lazy, deartifact(degraded, "compact-cnn", device="cpu"))


@pytest.mark.parametrize(
    ("chunks", "alignment", "halo", "expected"),
    [
        ((100, 100, 100, 4), 8, 8, (104, 104, 96)),
        ((100, 100, 100, 9), 8, 8, (104, 104, 101)),
        ((64, 64, 64, 3), 8, 8, (72, 72, 51)),  # three pixels are less than a halo
        ((60, 60, 60, 60, 60), 8, 16, (120, 120, 60)),
        ((4, 4, 4, 4), 8, 8, (16,)),
        ((240, 240, 240), 16, 16, (240, 240, 240)),
        ((1,) * 3000, 8, 112, (448,) * 6 + (312,)),
        ((3, 100, 1, 97, 100), 8, 8, (104, 96, 101)),
        ((7,), 8, 100, (7,)),
        ((0, 64, 0, 64, 0), 8, 16, (64, 64)),
        ((0,), 8, 16, (0,)),
    ],
)
def test_chunks_are_snapped(chunks, alignment, halo, expected):
    assert snapped_chunks(chunks, alignment, halo) == expected


@given(
    st.lists(st.integers(0, 90), min_size=1, max_size=12),
    st.sampled_from([8, 16, 24]),
    st.integers(0, 5),
)
def test_snapped_chunks_are_long_enough_for_their_halos(chunks, alignment, halos):
    halo = alignment * halos
    snapped = snapped_chunks(tuple(chunks), alignment, halo)
    assert sum(snapped) == sum(chunks)
    assert len(snapped) == 1 or min(snapped) >= max(halo, 1)
    assert not any(edge % alignment for edge in np.cumsum(snapped)[:-1])


def test_parts_of_an_axis():
    axis = ChunkedAxis(0, (100, 60, 40), 16)
    assert [axis.seen(index) for index in range(3)] == [slice(0, 116), slice(84, 176), slice(144, 200)]
    assert [axis.own(index) for index in range(3)] == [slice(0, 100), slice(16, 76), slice(16, 56)]
    assert [axis.own(index, 8) for index in range(3)] == [slice(0, 108), slice(8, 84), slice(8, 56)]


def test_looking_at_a_corner_computes_that_chunk_and_reads_its_neighbours():
    read = set()

    def source(block_id):
        read.add(block_id)
        return CAMERA[:64, :64]

    image = da.map_blocks(
        source, chunks=((64,) * 20, (64,) * 20), dtype=np.uint8, meta=np.empty((0, 0), "u1")
    )
    model = Mean()
    lazy = deartifact(image, model, device="cpu")
    assert (read, model.tiles) == (set(), [])
    lazy[64 * 7 + 3 : 64 * 8, 64 * 7 : 64 * 7 + 9].compute()
    assert read == {(y, x) for y in (6, 7, 8) for x in (6, 7, 8)}
    # One tile, with the halo of the model and no more.
    assert model.tiles == [(64 + 2 * 8, 64 + 2 * 8)]


def camera_frames(count):
    return np.repeat(CAMERA[np.newaxis, :128, :128], count, axis=0)


def test_a_long_series_takes_no_more_memory_than_a_few_frames():
    def peak(frames, at_once):
        chunks = ((at_once,) * (frames // at_once), (128,), (128,))
        image = da.map_blocks(
            camera_frames, at_once, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0, 0), "u1")
        )
        lazy = deartifact(image, Half(), device="cpu")
        assert lazy.chunks == image.chunks

        class Sink:
            shape, dtype = lazy.shape, lazy.dtype

            def __setitem__(self, index, value): ...

        with dask.config.set(scheduler="threads", num_workers=2):
            tracemalloc.start()
            lazy.store(Sink(), lock=False)
            largest = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return largest

    peak(20, 10)  # what is loaded once
    # 800 more frames are 13 MB; a frame is 16 kB, and the graph of its chunk about 6 kB.
    assert peak(1000, 10) - peak(200, 10) < 2e6
    assert peak(200, 1) - peak(40, 1) < 160 * 10e3


def zarr_array():
    image = zarr.create_array(zarr.storage.MemoryStore(), shape=(200, 150), dtype="u1", chunks=(50, 40))
    image[:] = CAMERA[:200, :150]
    return image


def tiff_store(tmp_path):
    tifffile.imwrite(tmp_path / "tiled.tif", CAMERA[:200, :150], tile=(64, 48))
    return tifffile.imread(tmp_path / "tiled.tif", aszarr=True)


class HDF5:
    """What of an h5py data set matters."""

    shape, dtype, ndim, chunks = (200, 150), np.dtype("u1"), 2, (50, 40)

    def __getitem__(self, index):
        return CAMERA[:200, :150][index]


SOURCES = {
    "zarr": lambda _: zarr_array(),
    "tifffile's store": tiff_store,
    "HDF5": lambda _: HDF5(),
    "xarray": lambda path: SimpleNamespace(dims=("y", "x"), coords={}, data=zarr_array()),
    "xarray of dask": lambda path: SimpleNamespace(
        dims=("y", "x"), coords={}, data=da.from_array(CAMERA[:200, :150], chunks=64)
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("strength", [0, 1])
def test_what_is_stored_in_chunks_stays_there(kind, strength, tmp_path, request):
    source = SOURCES[kind](tmp_path)
    request.addfinalizer(getattr(source, "close", int))
    lazy = deartifact(source, Mean(), device="cpu", strength=strength)
    assert isinstance(lazy, da.Array)
    expected = deartifact(CAMERA[:200, :150], Mean(), device="cpu", force=True, consistency=False)
    np.testing.assert_array_equal(lazy, expected if strength else CAMERA[:200, :150])


def test_small_stored_chunks_are_read_several_at_once():
    image = zarr.create_array(zarr.storage.MemoryStore(), shape=(200, 150), dtype="u1", chunks=(10, 10))
    lazy = deartifact(image, Mean(), device="cpu")
    assert lazy.numblocks == (3, 2)
    assert len(dict(lazy.dask)) < 80


def test_a_stored_array_can_be_stored_again(tmp_path):
    lazy = deartifact(zarr_array(), Mean(), device="cpu")
    lazy.to_zarr(tmp_path / "restored.zarr")
    np.testing.assert_array_equal(zarr.open(tmp_path / "restored.zarr", mode="r")[:], lazy)


def test_stored_in_memory_stays_in_memory():
    class InMemory:
        """What of an xarray of a numpy array matters."""

        dims, coords, data = ("y", "x"), {}, CAMERA[:64, :64]

        def __array__(self, dtype=None, copy=None):
            return np.array(self.data, dtype)

        def __dask_graph__(self):
            return None

    answer = deartifact(InMemory(), Mean(), force=True)
    assert type(answer) is np.ndarray
    np.testing.assert_array_equal(answer, deartifact(CAMERA[:64, :64], Mean(), force=True))


def pieces(rows):
    if rows == "bad":
        raise OSError("the disk is gone")
    return CAMERA[:64, :64]


UNKNOWN = da.from_array(CAMERA.astype(np.uint16), chunks=64)
BAD = {
    "unknown chunk sizes": (
        lambda: UNKNOWN[UNKNOWN[:, 0] > 9],
        {"data_range": 255},
        ValueError,
        "compute_chunk",
    ),
    "unknown range": (lambda: UNKNOWN, {}, ValueError, "data_range"),
    "object": (lambda: da.from_array(CAMERA.astype(object), chunks=64), {}, TypeError, "dtype object"),
    "booleans": (lambda: UNKNOWN > 9, {}, TypeError, "dtype bool"),
    "one axis": (lambda: UNKNOWN[0], {}, ValueError, "at least the two axes"),
    "unexplained colours": (lambda: da.from_array(ASTRONAUT, chunks=64), {}, ValueError, "channel_axis=-1"),
    "no tables": (lambda: da.from_array(CAMERA, chunks=64), {"model": "spp"}, ValueError, "jpeg=JPEGInfo"),
    "consistency alone": (
        lambda: da.from_array(CAMERA, chunks=64),
        {"consistency": True},
        ValueError,
        "tables",
    ),
    "another JPEG": (
        lambda: da.from_array(CAMERA, chunks=64),
        {"jpeg": JPEGInfo.from_quality(50, height=64, width=64)},
        ValueError,
        r"\.crop\(rows",
    ),
    "a delayed value": (lambda: dask.delayed(CAMERA), {}, TypeError, "from_delayed"),
    "a group": (lambda: zarr.open_group(zarr.storage.MemoryStore(), mode="w"), {}, TypeError, "zarr group"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_before_anything_is_computed(case):
    make, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        deartifact(make(), **{"model": Mean(), "device": "cpu", **options})


@pytest.mark.parametrize("shape", [(0, 50), (50, 0), (0, 50, 50), (3, 0, 50)])
def test_nothing_in_nothing_out(shape):
    lazy = deartifact(da.zeros(shape, np.float32, chunks=20), Mean(), data_range=1)
    assert lazy.compute().shape == shape


def test_floats_with_a_jpeg_need_the_range():
    jpeg = JPEGInfo.from_quality(20, height=64, width=64)
    floats = da.zeros((64, 64), dtype=np.float32)
    with pytest.raises(ValueError, match="whether white is 1 or 255; give data_range="):
        deartifact(floats, "compact-cnn", jpeg=jpeg, device="cpu")
    assert deartifact(floats, "compact-cnn", jpeg=jpeg, data_range=1, device="cpu").dtype == np.float32


def test_what_is_masked_is_refused_when_it_is_computed():
    masked = da.ma.masked_equal(da.from_array(np.arange(4096, dtype=np.uint8).reshape(64, 64)), 3)
    with pytest.raises(TypeError, match="masked pixels"):
        deartifact(masked, "compact-cnn", device="cpu").compute()


def test_what_fails_midway_fails_by_its_own_name_and_keeps_what_is_done():
    def source(block_id):
        if block_id == (2, 0):
            raise OSError("the disk is gone")
        return CAMERA[:64, :64]

    image = da.map_blocks(source, chunks=((64,) * 3, (64,)), dtype=np.uint8, meta=np.empty((0, 0), "u1"))
    lazy = deartifact(image, Mean(), device="cpu")
    target = np.zeros(lazy.shape, np.uint8)
    with pytest.raises(OSError, match="the disk is gone"):
        lazy.store(target)
    assert lazy[:64].compute().any()


def test_the_graph_holds_the_name_of_a_model_and_not_its_weights():
    image = da.from_array(CAMERA, chunks=64)
    lazy = deartifact(image, "general", device="cpu")
    layer = pickle.dumps(lazy.dask.layers[lazy.name])
    assert len(layer) < 20_000
    again = deartifact(image, "general", device="cpu")
    assert lazy.name == again.name != deartifact(image, "general", device="cpu", strength=0.5).name


def test_a_loaded_model_is_sent_by_its_file():
    from napari_deartifact import load_model

    image = da.from_array(CAMERA[:64, :64], chunks=64)
    named = deartifact(image, "compact-cnn", device="cpu")
    loaded = deartifact(image, load_model("compact-cnn", device="cpu"))
    assert len(pickle.dumps(loaded.dask.layers[loaded.name])) < 20_000
    np.testing.assert_array_equal(named, loaded)


def test_another_version_of_the_model_is_noticed(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(find_model("compact-cnn").read_bytes())
    reference = pickle.loads(pickle.dumps(ModelReference.of(path, "cpu")))  # noqa: S301
    assert reference.model == str(path)
    assert reference.load() is reference.load()
    stale = ModelReference("compact-cnn", "cpu", "0" * 64)
    with pytest.raises(ValueError, match="not the same here"):
        stale.load()
    image = da.from_array(CAMERA, chunks=64)
    before = deartifact(image, path, device="cpu").name
    path.write_bytes(find_model("general").read_bytes())
    assert deartifact(image, path, device="cpu").name != before


def test_no_more_chunks_are_computed_at_once_than_there_are_cores(monkeypatch):
    monkeypatch.setattr("dask.system.CPU_COUNT", 3)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    from napari_deartifact.lazy import _turnstile

    _turnstile.cache_clear()
    together, most, lock = 0, 0, threading.Lock()

    class Slow(Mean):
        def restore(self, tiles, jpeg=None):
            nonlocal together, most
            with lock:
                together += 1
                most = max(most, together)
            threading.Event().wait(0.02)
            with lock:
                together -= 1
            return tiles

    image = da.from_array(np.tile(CAMERA, (1, 2)), chunks=64)
    with dask.config.set(scheduler="threads", num_workers=8):
        deartifact(image[:128], Slow(), device="cpu").compute()
    assert most == 3
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    _turnstile.cache_clear()
    assert turnstile("cpu")._value == 1
    _turnstile.cache_clear()


@pytest.mark.parametrize("together", [3, 4, 7])
def test_channels_in_a_chunk_are_no_colours(together):
    frames = np.stack([jpeg_round_trip(np.roll(CAMERA[:64, :64], 9 * turn), 20) for turn in range(7)])
    _, answer, expected = both_ways(frames, (together, 64, 64), channel_axis=0, model="compact-cnn")
    np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize(("dtype", "fits"), [(np.uint8, True), (np.uint16, False), (np.int32, False)])
def test_integers_that_may_be_on_another_scale_than_their_jpeg_need_the_range(dtype, fits):
    jpeg = JPEGInfo.from_quality(20, height=64, width=64)
    levels = da.zeros((64, 64), dtype=dtype)
    if not fits:
        with pytest.raises(ValueError, match=r"give data_range=\(0, 255\) if they were not"):
            deartifact(levels, "compact-cnn", jpeg=jpeg, device="cpu")
    range_ = None if fits else (0, 255)
    assert deartifact(levels, "compact-cnn", jpeg=jpeg, data_range=range_, device="cpu").dtype == dtype
