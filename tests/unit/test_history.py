"""The gate before the model: clean pictures are left alone, and what may have been a JPEG is not."""

import io
import warnings

import dask.array as da
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera, coffee

from napari_deartifact import JPEGInfo, consistency_report, deartifact
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.tables import quality_table
from napari_deartifact.metrics import psnr

ORIGINAL = camera()[100:292, 100:292]
DEGRADED = jpeg_round_trip(ORIGINAL, 20)


def restore(image, **options):
    return deartifact(image, "compact-cnn", device="cpu", **options)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (ORIGINAL, {}),
        (ORIGINAL.astype(np.uint16) * 16, {}),
        (ORIGINAL / np.float32(255), {"data_range": 1}),
        (np.stack([ORIGINAL, ORIGINAL.T, ORIGINAL[::-1]]), {}),
        (coffee()[100:356, 200:456], {"channel_axis": -1}),
    ],
    ids=["uint8", "12 bits", "float", "stack", "RGB"],
)
def test_a_clean_picture_is_left_alone_and_the_user_told(image, options):
    with pytest.warns(UserWarning, match="no JPEG history"):
        answer = restore(image, **options)
    assert answer is not image
    np.testing.assert_array_equal(answer, image)
    forced = restore(image, force=True, **options)
    assert not np.array_equal(forced, image)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (DEGRADED, {}),
        (DEGRADED[3:, 5:], {}),
        (DEGRADED.astype(np.uint16) * 257, {}),
        (DEGRADED.astype(np.uint16) * 16, {"data_range": 4080}),
        (DEGRADED * 3.0 + 100, {"data_range": (100, 865)}),
        (DEGRADED / 255, {"data_range": 1}),
        (jpeg_round_trip(astronaut()[:256, 100:356], 30), {"channel_axis": -1}),
    ],
    ids=["uint8", "cut off the grid", "16 bits", "12 bits", "offset", "float", "RGB"],
)
def test_a_jpeg_is_restored(image, options):
    """Without a warning: there is no doubt about its history."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        answer = restore(image, **options)
    assert not np.array_equal(answer, image)


def test_one_frame_speaks_for_all():
    frames = np.stack([ORIGINAL, ORIGINAL[::-1], DEGRADED])
    assert all(not np.array_equal(a, b) for a, b in zip(restore(frames), frames, strict=True))


@pytest.mark.parametrize("times", [10, 11, 15])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_channel_speaks_for_all(times, channel):
    series = np.stack([np.stack([ORIGINAL[:96, :96]] * 3)] * times)
    series[:, channel] = DEGRADED[:96, :96]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        answer = restore(series, channel_axis=1, rgb=False)
    assert not np.array_equal(answer[:, channel], series[:, channel])


def test_what_is_known_is_not_asked():
    info = JPEGInfo.from_quality(90, height=192, width=192)
    assert not np.array_equal(restore(ORIGINAL, jpeg=info, consistency=False), ORIGINAL)


def test_lazy_arrays_are_not_looked_at():
    lazy = da.from_array(ORIGINAL, chunks=96)
    assert not np.array_equal(np.asarray(restore(lazy)), ORIGINAL)


@pytest.mark.parametrize("quality", [10, 20, 40, 75, 90, 93, 95])
@pytest.mark.parametrize("axis", [None, -1], ids=["grey", "RGB"])
def test_what_was_restored_is_not_restored_again(quality, axis):
    original = ORIGINAL if axis is None else astronaut()[:200, 100:300]
    once = restore(jpeg_round_trip(original, quality)[3:, 5:], channel_axis=axis)
    assert psnr(original[3:, 5:], once) > psnr(original[3:, 5:], jpeg_round_trip(original, quality)[3:, 5:])
    with pytest.warns(UserWarning, match="restored already"):
        np.testing.assert_array_equal(restore(once, channel_axis=axis), once)


@pytest.mark.parametrize("quality", [96, 97, 98, 99, 100])
@pytest.mark.parametrize("axis", [None, -1], ids=["grey", "RGB"])
def test_four_passes_cost_little_where_an_answer_looks_like_a_jpeg(quality, axis):
    original = ORIGINAL if axis is None else astronaut()[:200, 100:300]
    passes = [jpeg_round_trip(original, quality)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(4):
            passes.append(restore(passes[-1], channel_axis=axis))
    assert psnr(original, passes[-1]) > psnr(original, passes[1]) - 0.3


def test_an_estimate_beyond_doubt_binds_the_answer():
    info, degraded = JPEGInfo.from_quality(90, height=192, width=192), jpeg_round_trip(ORIGINAL, 90)
    free, bound = restore(degraded, consistency=False), restore(degraded)
    assert consistency_report(free, info, degraded).inside < 0.98
    assert consistency_report(bound, info, degraded).inside > 0.999


def test_doubt_is_told():
    from skimage.transform import rescale

    smaller = rescale(jpeg_round_trip(camera(), 10), 0.8, anti_aliasing=True, preserve_range=True)
    with pytest.warns(UserWarning, match="probably compressed"):
        answer = restore(np.rint(smaller).astype(np.uint8))
    assert not np.array_equal(answer, smaller)


@pytest.mark.parametrize(
    "image", [np.eye(64, dtype=np.uint8) * 255, np.kron(np.eye(8), np.full((9, 9), 4.0))]
)
def test_what_shows_too_little_is_left_alone(image):
    with pytest.warns(UserWarning, match="no JPEG history"):
        np.testing.assert_array_equal(restore(image), image)


def test_force_is_no_advice_for_a_model_that_needs_tables():
    with pytest.warns(
        UserWarning, match=r"no JPEG history and model 'spp' needs .*choose a network$"
    ) as told:
        deartifact(np.full((64, 64), 7, np.uint8), "spp", force=True, device="cpu")
    assert "force" not in str(told[0].message)


def test_grey_in_colour_stays_grey():
    decoded = jpeg_round_trip(np.dstack([ORIGINAL] * 3), 30)
    assert (decoded == decoded[..., :1]).all()
    answer = restore(decoded, channel_axis=-1)
    assert (answer == answer[..., :1]).all()
    assert psnr(ORIGINAL, answer[..., 0]) > psnr(ORIGINAL, decoded[..., 0])


@pytest.mark.parametrize("factor", [16, 257])
def test_another_scale_than_the_jpegs_is_refused(factor):
    info = JPEGInfo.from_quality(20, height=192, width=192)
    scaled = DEGRADED.astype(np.uint16) * factor
    with pytest.raises(ValueError, match="data_range"):
        restore(scaled, jpeg=info)
    answer = restore(scaled, jpeg=info, data_range=255 * factor)
    assert psnr(ORIGINAL, np.rint(answer / factor).astype(np.uint8)) > psnr(ORIGINAL, DEGRADED)


@pytest.mark.parametrize("coefficients", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns"), [((8, 100), (4, 60)), ((40, 72), (33, 65)), ((101, 165), (96, 160))]
)
def test_a_small_cut_out_is_not_taken_for_another_picture(rows, columns, coefficients):
    stream = io.BytesIO()
    Image.fromarray(coffee()[:192, :192]).save(stream, "JPEG", quality=30, subsampling="4:2:0")
    window = slice(*rows), slice(*columns)
    info = JPEGInfo.from_bytes(stream.getvalue(), coefficients=coefficients).crop(*window)
    restore(np.asarray(Image.open(stream))[window], jpeg=info, channel_axis=-1)  # warnings are errors


def test_a_range_may_be_any_pair():
    expected = restore(DEGRADED, data_range=(0, 255))
    for pair in ([0, 255], np.array([0, 255]), 255):
        np.testing.assert_array_equal(restore(DEGRADED, data_range=pair), expected)
    with pytest.raises(TypeError, match="as a pair"):
        restore(DEGRADED, data_range=[0, 1, 255])


def test_a_picture_that_was_turned_after_decoding_is_told_as_such():
    info = JPEGInfo.from_quality(20, height=192, width=96)
    with pytest.raises(ValueError, match="it was turned, perhaps as EXIF asks"):
        restore(DEGRADED[:96], jpeg=info)


def test_the_jpeg_of_another_strip_is_noticed_by_its_coefficients():
    def strip(top):
        stream = io.BytesIO()
        Image.fromarray(camera()[top : top + 16]).save(stream, "JPEG", quality=30)
        return stream

    decoded = np.asarray(Image.open(strip(200)))
    restore(decoded, jpeg=JPEGInfo.from_bytes(strip(200).getvalue(), coefficients=True))
    with pytest.warns(UserWarning, match="blocks decode to these pixels"):
        restore(decoded, jpeg=JPEGInfo.from_bytes(strip(300).getvalue(), coefficients=True))


def test_the_jpeg_of_another_picture_is_noticed():
    other = JPEGInfo.from_quality(20, height=192, width=192).crop(slice(3, 100), slice(5, 100))
    cut = DEGRADED[:97, :95]
    with pytest.warns(UserWarning, match="blocks decode to these pixels"):
        restore(cut, jpeg=other)
    report = consistency_report(cut, other, np.flipud(cut) // 2)
    assert report.unknown > 0.9


@pytest.mark.parametrize(("first", "second"), [(10, 30), (30, 50)])
def test_what_was_cut_out_and_compressed_again_is_laid_on_both_grids(first, second):
    original, once = (picture[4:224, 3:224] for picture in (camera(), jpeg_round_trip(camera(), first)))
    twice = jpeg_round_trip(once, second)
    last_grid = JPEGInfo.from_quality(second, height=twice.shape[0], width=twice.shape[1])
    progress = []
    options = {"device": "cpu", "progress": lambda *step: progress.append(step)}
    both = deartifact(twice, "general", tile_size=128, **options)
    one = deartifact(twice, "general", device="cpu", jpeg=last_grid, consistency=False)
    assert psnr(original, both) > psnr(original, one) + 0.05
    done, totals = zip(*progress, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]}


def test_a_channel_of_a_colour_jpeg_is_no_reason_to_blame_a_file_nobody_gave():
    degraded = jpeg_round_trip(astronaut()[:256, :256], 20)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*decode to these pixels")
        restored = restore(degraded, channel_axis=-1, rgb=False)
    assert psnr(astronaut()[:256, :256], restored) > psnr(astronaut()[:256, :256], degraded)


def test_chroma_that_is_not_known_binds_nothing():
    pixels = np.ascontiguousarray(coffee()[40:168, 120:248])
    tables = [quality_table(75).ravel().tolist(), [40] * 64]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", qtables=tables, subsampling=0)
    degraded = np.asarray(Image.open(stream))
    options = {"model": "compact-cnn", "device": "cpu", "channel_axis": -1}
    free = psnr(pixels, deartifact(degraded, consistency=False, **options))
    assert psnr(pixels, deartifact(degraded, **options)) > free - 0.01  # -0.1 where the guess bound chroma


def test_each_line_that_asks_is_told_once():
    clean = camera()
    with warnings.catch_warnings(record=True) as told:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        deartifact(clean[:96, :96], "compact-cnn", device="cpu")
        deartifact(clean[96:192, :96], "compact-cnn", device="cpu")
    assert [warning.filename for warning in told] == [__file__] * 2
    assert told[0].lineno + 1 == told[1].lineno
