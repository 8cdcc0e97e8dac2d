"""The contract of `deartifact`: what comes in comes out, restored."""

import inspect
import warnings
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import skimage.data

from napari_deartifact import JPEGInfo, deartifact, load_model, restoration_steps, restore_with_uncertainty
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.metrics import psnr
from napari_deartifact.models.registry import check_device
from napari_deartifact.request import RestorationOptions

MODEL = "compact-cnn"
DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64]
DTYPES += [np.float16, np.float32, np.float64, np.longdouble]


@pytest.fixture(scope="module")
def original():
    return skimage.data.camera()[100:247, 130:261]


@pytest.fixture(scope="module")
def degraded(original):
    return jpeg_round_trip(original, 10)


@pytest.fixture(scope="module")
def colors():
    return jpeg_round_trip(skimage.data.astronaut()[:90, 150:251], 15)


def restore(image, **options):
    """Restore without regard to the history; that is for tests/unit/test_history.py."""
    options.setdefault("force", True)
    if "jpeg" not in options:
        options.setdefault("consistency", False)
    return deartifact(image, options.pop("model", MODEL), device="cpu", **options)


def test_it_restores(original, degraded):
    assert psnr(original, restore(degraded)) > psnr(original, degraded) + 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_and_range_come_back(degraded, dtype):
    image = (degraded // 2 if dtype == np.int8 else degraded).astype(dtype)
    restored = restore(image, data_range=127 if dtype == np.int8 else 255)
    assert restored.dtype == dtype
    assert restored.shape == image.shape
    expected = restore(degraded.astype(np.float64), data_range=255) / (2 if dtype == np.int8 else 1)
    tolerance = {np.int8: 3, np.float16: 0.2, np.float32: 1e-3, np.float64: 1e-9}.get(dtype, 0.501)
    assert np.abs(restored - expected).max() <= tolerance


def test_intensities_may_be_in_any_unit(degraded):
    expected = restore(degraded.astype(np.float32), data_range=255)
    shifted = restore(degraded * 16.0 - 1000, data_range=(-1000, 15 * 16 * 17 - 1000))
    np.testing.assert_allclose((shifted + 1000) / 16, expected, atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((147, 131), {}),
        ((2, 48, 40), {}),
        ((2, 2, 24, 32), {}),
        ((40, 48, 3), {"channel_axis": -1}),
        ((40, 48, 4), {"channel_axis": -1}),
        ((3, 40, 48), {"channel_axis": 0}),
        ((2, 3, 40, 48), {"channel_axis": 1}),
        ((40, 48, 3), {"channel_axis": -1, "rgb": False}),
        ((40, 48, 5), {"channel_axis": -1}),
        ((7, 5), {}),
        ((1, 1), {}),
        ((1, 77), {}),
    ],
)
def test_any_shape(shape, options):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    before = image.copy()
    restored = restore(image, **options)
    assert restored.shape == shape
    assert not np.shares_memory(restored, image)
    np.testing.assert_array_equal(image, before)
    assert image.size < 50 or (restored != image).any()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 8, 8), (0, 8, 8, 3)])
def test_nothing_in_nothing_out(shape):
    image = np.zeros(shape, np.float32)
    assert restore(image, channel_axis=-1 if len(shape) == 4 else None).shape == shape


def test_planes_are_independent(degraded):
    stack = np.stack([degraded, degraded[::-1]])
    restored = restore(stack)
    np.testing.assert_array_equal(restored[0], restore(degraded))
    np.testing.assert_array_equal(restored[1], restore(degraded[::-1]))


def test_channels_may_be_anywhere(colors):
    expected = restore(colors, channel_axis=-1)
    np.testing.assert_array_equal(
        restore(colors.transpose(2, 0, 1), channel_axis=0), expected.transpose(2, 0, 1)
    )
    alpha = np.arange(colors[..., :1].size, dtype=np.uint8).reshape(colors[..., :1].shape)
    with_alpha = restore(np.concatenate([colors, alpha], axis=-1), channel_axis=-1)
    np.testing.assert_array_equal(with_alpha[..., :3], expected)
    np.testing.assert_array_equal(with_alpha[..., 3:], alpha)


@pytest.mark.parametrize("tile_size", [8, 50, 64])
def test_tiles_do_not_show(degraded, colors, tile_size):
    for image, axis in ((degraded, None), (colors, -1)):
        tiled = restore(image, tile_size=tile_size, channel_axis=axis)
        difference = tiled.astype(int) - restore(image, channel_axis=axis)
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 1e-3


def test_strength_blends(degraded):
    full = restore(degraded.astype(float), data_range=255)
    half = restore(degraded.astype(float), data_range=255, strength=0.5)
    np.testing.assert_array_equal(restore(degraded, strength=0), degraded)
    inside = (full > 0) & (full < 255)
    np.testing.assert_allclose(half[inside], ((full + degraded) / 2)[inside], atol=1e-4)
    assert inside.mean() > 0.9


def gain(original, degraded, restored):
    return psnr(original, restored) - psnr(original, degraded)


@pytest.mark.parametrize("factor", [2, 257, 1 / 255])
def test_another_container_is_restored_as_well(original, degraded, factor):
    stored = (degraded.astype(np.float64) * factor).astype(np.float32 if factor < 1 else np.uint16)
    expected = gain(original, degraded, deartifact(degraded, MODEL, device="cpu"))
    restored = deartifact(stored, MODEL, device="cpu")
    assert gain(original, degraded, restored / factor) > expected - 0.05


def test_dim_channels_are_restored_beside_bright_ones(original, degraded):
    image = np.stack([degraded.astype(np.uint16) * 200, degraded.astype(np.uint16) * 2])
    bright, dim = deartifact(image, MODEL, channel_axis=0, rgb=False, device="cpu")
    alone = deartifact(image[1], MODEL, device="cpu")
    np.testing.assert_array_equal(dim, alone)
    assert gain(original, degraded, dim / 2) > 0.5
    assert gain(original, degraded, bright / 200) > 0.5


@pytest.mark.parametrize("hot", [300, 60_000])
def test_a_hot_pixel_does_no_harm_to_others(original, degraded, hot):
    image = degraded.astype(np.uint16)
    image[60, 60] = hot
    restored = restore(image, data_range=None)
    near = np.zeros(image.shape, bool)
    near[40:81, 40:81] = True
    assert gain(original, *(np.where(near, original, image) for image in (degraded, restored))) > 0.5
    assert abs(int(restored[60, 60]) - hot) <= 255


def test_masked_arrays_are_refused(degraded):
    masked = np.ma.masked_greater(degraded, 200)
    for function in (deartifact, restore_with_uncertainty):
        with pytest.raises(TypeError, match="filled"):
            function(masked, MODEL, device="cpu")
    unmasked = np.ma.masked_greater(degraded, 255)
    np.testing.assert_array_equal(restore(unmasked), restore(degraded))


def test_progress_that_cannot_be_called_is_refused(degraded):
    with pytest.raises(TypeError, match="progress is 3; expected True, False or a function"):
        deartifact(degraded, MODEL, device="cpu", progress=3)


def test_holes_stay_and_do_not_spread(degraded):
    image = degraded.astype(np.float32)
    image[40:60, 30:35] = np.nan
    image[0, 0], image[5, 90] = np.inf, -np.inf
    restored = restore(image, data_range=255)
    np.testing.assert_array_equal(np.isnan(restored), np.isnan(image))
    np.testing.assert_array_equal(np.isinf(restored), np.isinf(image))
    assert restored[0, 0] == np.inf
    assert restored[5, 90] == -np.inf
    whole = restore(degraded.astype(np.float32), data_range=255)
    np.testing.assert_allclose(restored[90:], whole[90:], atol=1e-3)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_constant_images(value):
    np.testing.assert_array_equal(restore(np.full((20, 30), value, np.uint16)), np.full((20, 30), value))


def test_layout_in_memory_does_not_matter(degraded):
    expected = restore(degraded)
    read_only = degraded.copy()
    read_only.flags.writeable = False
    for image in (read_only, np.asfortranarray(degraded), degraded[::-1][::-1]):
        np.testing.assert_array_equal(restore(image), expected)
    np.testing.assert_array_equal(restore(degraded.tolist(), data_range=255), expected)
    np.testing.assert_array_equal(restore(degraded.repeat(2, axis=0)[::2]), expected)
    np.testing.assert_array_equal(restore(degraded.astype(">u2"), data_range=255), expected)


@pytest.mark.parametrize(
    ("image", "axis", "chunks"),
    [("degraded", None, (50, 60)), ("colors", -1, (32, 17, 3)), ("colors", -1, (90, 101, 1))],
)
def test_lazy_arrays_stay_lazy_and_agree(request, image, axis, chunks):
    image = request.getfixturevalue(image)
    expected = restore(image, channel_axis=axis)
    lazy = restore(da.from_array(image, chunks=chunks), channel_axis=axis)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (image.shape, image.dtype)
    difference = lazy.compute().astype(int) - expected
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3


def test_lazy_floats_with_holes_agree(degraded):
    image = degraded.astype(np.float32)
    image[40:80, 30:75] = np.nan
    lazy = restore(da.from_array(image, chunks=(40, 40)), data_range=255).compute()
    np.testing.assert_allclose(lazy, restore(image, data_range=255), atol=1e-2)


def test_lazy_stack(degraded):
    stack = np.stack([degraded[:64, :64], degraded[16:80, 32:96]])
    lazy = restore(da.from_array(stack, chunks=(1, 32, 32)))
    assert lazy.numblocks[0] == 2
    assert np.abs(lazy.compute().astype(int) - restore(stack)).max() <= 1


def test_lazy_errors(degraded):
    lazy = da.from_array(degraded.astype(np.uint16), chunks=(50, 60))
    with pytest.raises(ValueError, match="data_range"):
        restore(lazy)
    with pytest.raises(ValueError, match="jpeg="):
        restore(da.from_array(degraded, chunks=50), model="spp")
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        restore(lazy[lazy[:, 0] > 0], data_range=255)


@pytest.mark.parametrize("model", [MODEL, "spp"])
@pytest.mark.parametrize("subsampling", [None, "4:2:0"])
def test_a_known_jpeg_is_obeyed(original, degraded, model, subsampling):
    image, axis = degraded, None
    info = JPEGInfo.from_quality(10, height=147, width=131)
    if subsampling:
        original = skimage.data.astronaut()[:80, 150:246]
        image, axis = jpeg_round_trip(original, 10, subsampling=subsampling), -1
        info = JPEGInfo.from_quality(10, height=80, width=96, subsampling=subsampling)
    restored = restore(image, model=model, jpeg=info, channel_axis=axis)
    again = jpeg_round_trip(restored, 10, subsampling=subsampling or "4:2:0")
    free = restore(image, model=model, jpeg=info, channel_axis=axis, consistency=False)
    free_again = jpeg_round_trip(free, 10, subsampling=subsampling or "4:2:0")
    assert (again == image).mean() > 0.98
    assert (again == image).mean() >= (free_again == image).mean()
    assert psnr(original, restored) > psnr(original, image) + 0.3


def test_steps_and_cancel(degraded):
    steps = restoration_steps(np.stack([degraded] * 2), MODEL, device="cpu", tile_size=64)
    progress = [tuple(step) for step in steps]
    assert progress == [(done, 18) for done in range(19)]
    steps = restoration_steps(degraded, MODEL, device="cpu", tile_size=64)
    next(steps)
    steps.close()
    assert list(steps) == []


def test_progress_is_reported(degraded, capsys):
    calls = []
    restore(degraded, tile_size=128, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    restore(degraded, tile_size=128, progress=True)
    assert "4/4" in capsys.readouterr().err


def test_models_by_name_path_and_object(degraded, tmp_path):
    model = load_model(MODEL, device="cpu")
    assert load_model(MODEL, device="cpu") is model
    expected = restore(degraded)
    np.testing.assert_array_equal(deartifact(degraded, model, consistency=False), expected)
    from napari_deartifact.models.registry import find_model

    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(find_model(MODEL).read_bytes())
    np.testing.assert_array_equal(restore(degraded, model=copy), expected)


@pytest.mark.parametrize("device", ["nonsense", "cuda", "cuda:0"])
@pytest.mark.parametrize("function", [deartifact, restore_with_uncertainty])
def test_a_loaded_model_stays_on_its_device(degraded, device, function):
    model = load_model("spp", device="cpu")
    with pytest.raises(ValueError, match=f"device is '{device}', and model 'spp' is loaded on 'cpu'"):
        function(degraded, model, device=device)


@pytest.mark.parametrize(
    ("own", "device"),
    [("cpu", "cpu"), ("cuda:1", "cuda:1"), ("cuda:1", "cuda"), ("cuda:1", "auto"), (None, "nonsense")],
)
def test_devices_that_a_loaded_model_may_be_said_to_be_on(own, device):
    attributes = {} if own is None else {"device": own}
    check_device(SimpleNamespace(name="mine", **attributes), device)


def test_unknown_options_are_named(degraded):
    with pytest.raises(TypeError, match=r"unknown option 'strenght' \(did you mean 'strength'\?\)"):
        next(restoration_steps(degraded, MODEL, strenght=0.5))


def test_options_of_the_steps_are_those_of_deartifact():
    known = set(inspect.signature(deartifact).parameters) - {"image", "model", "progress"}
    assert set(RestorationOptions.__annotations__) == known | {"estimates"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "compact-cn"}, ValueError, "did you mean 'compact-cnn'"),
        ({"model": "elsewhere/net.safetensors"}, FileNotFoundError, "no model file at"),
        ({"strength": 1.5}, ValueError, "strength is 1.5; expected a number from 0 to 1"),
        ({"strength": "full"}, ValueError, "strength is 'full'"),
        ({"strength": np.nan}, ValueError, "strength is nan"),
        ({"perceptual": -1}, ValueError, "perceptual is -1"),
        ({"perceptual": np.nan}, ValueError, "perceptual is nan"),
        ({"perceptual": 0.5}, ValueError, "no file .*compact-cnn-perceptual.safetensors"),
        ({"perceptual": 0.5, "model": "spp"}, ValueError, "it has no weights"),
        ({"perceptual": 0.5, "model": None}, TypeError, "model is None"),
        ({"consistency": "yes"}, ValueError, "consistency is 'yes'"),
        ({"consistency": True}, ValueError, "needs the JPEG's tables"),
        ({"tile_size": 0}, ValueError, "tile_size is 0"),
        ({"tile_size": 1.5}, ValueError, "tile_size is 1.5"),
        ({"device": "cuda:77"}, ValueError, "'cuda:77' is not on this machine"),
        ({"jpeg": "missing.jpg"}, FileNotFoundError, "no file at"),
        ({"jpeg": 7}, TypeError, "jpeg is a int"),
        ({"jpeg": JPEGInfo.from_quality(10, height=8, width=8)}, ValueError, r"\.crop\(rows"),
        (
            {"jpeg": JPEGInfo.from_quality(10, height=147, width=131, subsampling="4:2:0")},
            ValueError,
            "3 components",
        ),
        ({"model": None}, TypeError, "model is None"),
        ({"device": None}, TypeError, "device is None"),
        ({"channel_axis": 5}, ValueError, "channel_axis is 5"),
        ({"channel_axis": 1.0}, TypeError, "channel_axis is 1.0"),
        ({"channel_axis": True}, TypeError, "channel_axis is True"),
        ({"data_range": np.array([3])}, TypeError, "white level"),
        ({"data_range": (3, 1)}, ValueError, "data_range"),
    ],
)
def test_clear_errors(degraded, options, error, message):
    options = {"device": "cpu", **options}
    with pytest.raises(error, match=message):
        deartifact(degraded, options.pop("model", MODEL), **options)


@pytest.mark.parametrize("dtype", [bool, complex, object, "U3"])
def test_no_image_dtype(dtype):
    with pytest.raises(TypeError, match="dtype"):
        restore(np.ones((8, 8)).astype(dtype))


def test_unknown_option_is_refused(degraded):
    with pytest.raises(TypeError, match="colour"):
        next(restoration_steps(degraded, MODEL, colour=True))


def test_steps_take_what_the_function_takes():
    from napari_deartifact.request import Request

    function = inspect.signature(deartifact).parameters
    request = inspect.signature(Request).parameters
    shared = set(function) - {"image", "progress"}
    assert shared == set(request) - {"estimates"}
    assert all(function[name].default == request[name].default for name in shared - {"model"})


def test_floats_up_to_one_with_a_jpeg_need_the_range(degraded):
    height, width = degraded.shape
    jpeg = JPEGInfo.from_quality(10, height=height, width=width)
    with pytest.raises(ValueError, match="data_range=1"):
        restore(degraded / 255, jpeg=jpeg)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore(degraded / 255, jpeg=jpeg, data_range=1)
        restore(degraded.astype(float), jpeg=jpeg)
        restore(np.minimum(degraded, 1).astype(float), jpeg=jpeg)


def test_alpha_says_nothing_of_the_range(colors):
    twelve_bits = colors.astype(np.uint16) * 16
    with_alpha = np.dstack([twelve_bits, np.full(colors.shape[:2], 65535, np.uint16)])
    answer = restore(with_alpha, channel_axis=-1, data_range=None)
    np.testing.assert_array_equal(answer[..., :3], restore(twelve_bits, channel_axis=-1, data_range=None))
    np.testing.assert_array_equal(answer[..., 3], 65535)
    jpeg = JPEGInfo.from_quality(15, height=90, width=101, subsampling="4:2:0")
    levels = np.dstack([colors.astype(np.uint16), np.full(colors.shape[:2], 65535, np.uint16)])
    expected = restore(colors, channel_axis=-1, jpeg=jpeg)
    np.testing.assert_array_equal(restore(levels, channel_axis=-1, jpeg=jpeg)[..., :3], expected)


def test_spp_says_when_there_is_nothing_to_do(original):
    with pytest.warns(UserWarning, match="no JPEG history"):
        restored = restore(original, model="spp")
    np.testing.assert_array_equal(restored, original)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_intensities_far_below_black_with_a_jpeg_need_the_range(degraded, dtype):
    height, width = degraded.shape
    jpeg = JPEGInfo.from_quality(10, height=height, width=width)
    below = degraded.astype(dtype) - 200
    with pytest.raises(ValueError, match=r"down to -\d+, .*data_range=\(-\d+, \d+\)"):
        restore(below, jpeg=jpeg)
    answer = restore(below, jpeg=jpeg, data_range=(-200, 55))
    expected = restore(degraded.astype(dtype), jpeg=jpeg)
    np.testing.assert_allclose(answer + 200, expected, atol=1e-3)


def test_progress_ends_beside_a_constant_channel(degraded):
    told = []
    channels = np.stack([degraded.astype(np.uint16), np.full_like(degraded, 7, np.uint16)])
    for image in (channels, channels[::-1]):
        restore(image, channel_axis=0, progress=lambda done, total: told.append((done, total)))
        assert told[-1][0] == told[-1][1]


def test_cmyk_is_no_rgb_with_alpha():
    jpeg = JPEGInfo(16, 16, ((9,) * 64,) * 4, ((1, 1),) * 4, "cmyk")
    with pytest.raises(ValueError, match="CMYK"):
        restore(np.zeros((16, 16, 4), np.uint8), channel_axis=-1, jpeg=jpeg, consistency=False)


def test_a_model_that_needs_tables_says_once_what_it_left_alone(original):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        restore(np.stack([original, original[::-1], original.T[:147, :131]][:2]), model="spp")
    assert len(told) == 1


def test_a_standard_error_of_grey_does_without_a_colour_jpeg(degraded):
    height, width = degraded.shape
    jpeg = JPEGInfo.from_quality(10, height=height, width=width, subsampling="4:2:0")
    options = {"jpeg": jpeg, "consistency": False, "device": "cpu"}
    both = restore_with_uncertainty(degraded, MODEL, **options)
    alone = restore_with_uncertainty(degraded, MODEL, source="network", **options)
    np.testing.assert_array_equal(both.standard_error, alone.standard_error)


def test_rgb_with_fewer_samples_of_some_binds_nothing(colors):
    jpeg = JPEGInfo(90, 101, ((9,) * 64,) * 3, ((2, 2), (1, 1), (1, 1)), "rgb")
    with pytest.raises(ValueError, match="RGB sampled 4:2:0, to whose cells nothing is bound"):
        restore(colors, channel_axis=-1, jpeg=jpeg)
    assert restore(colors, channel_axis=-1, jpeg=jpeg, consistency=False).shape == colors.shape
