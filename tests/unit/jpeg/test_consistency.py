"""Projection onto the quantization cells: it holds, it survives libjpeg, it does no harm."""

import io
from dataclasses import replace

import jpeglib
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut, camera, coffee

from napari_deartifact.jpeg.consistency import consistency_report, project
from napari_deartifact.jpeg.finding import with_cells
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.simulation import simulate_jpeg


def encoded(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    return stream.getvalue()


def decoded(data):
    return np.array(Image.open(io.BytesIO(data)))


def coded_as_rgb(image, quality):
    """Write a JPEG of red, green and blue with the tables of luma and chroma, as libjpeg does not."""
    stream = io.BytesIO()
    components = Image.frombytes("YCbCr", image.shape[1::-1], image.tobytes())
    components.save(stream, "JPEG", quality=quality, subsampling="4:4:4")
    data = bytearray(stream.getvalue())
    start = data.index(b"\xff\xe0")
    del data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")]
    for marker, place, step in ((b"\xff\xc0", 10, 3), (b"\xff\xda", 5, 2)):
        start = data.index(marker)
        for index, name in enumerate(b"RGB"):
            data[start + place + step * index] = name
    return bytes(data)


@pytest.mark.parametrize("coefficients", [True, False])
def test_components_of_rgb_have_tables_of_their_own(coefficients):
    image = np.ascontiguousarray(astronaut()[100:164, 100:164])
    data = coded_as_rgb(image, 60)
    info, shown = JPEGInfo.from_bytes(data, coefficients=coefficients), decoded(data)
    assert info.color_space == "rgb"
    assert info.tables[0] != info.tables[1]
    assert consistency_report(shown, info, shown).inside > 0.999
    assert consistency_report(image, info, shown).inside > 0.999
    # The original is in its cells, and no component is pulled into those of another.
    assert np.abs(project(image, shown, info) - image).mean() < 0.4


def smoothed(image):
    return gaussian_filter(image.astype(float), (0.8, 0.8, 0)[: image.ndim])


def as_uint8(image):
    return np.rint(image).clip(0, 255).astype(np.uint8)


def psnr(image, restored):
    return 10 * np.log10(255**2 / np.mean((image.astype(float) - restored) ** 2))


from_pixels_or_file = pytest.mark.parametrize("read", [False, True], ids=["from pixels", "from the file"])


@from_pixels_or_file
@pytest.mark.parametrize("quality", [10, 40, 75, 90])
@pytest.mark.parametrize("shape", [(128, 128), (123, 101)], ids=["whole blocks", "odd"])
def test_grey_is_inside(quality, shape, read):
    clean = camera()[100 : 100 + shape[0], 180 : 180 + shape[1]]
    data = encoded(clean, quality=quality)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=read)
    restored = smoothed(degraded)
    before, after = (
        consistency_report(image, info, degraded) for image in (restored, project(restored, degraded, info))
    )
    assert before.inside < 0.999
    assert after.inside > 0.9995
    # From pixels the last blocks of a picture that ends within them are not known.
    assert after.unknown < (0.1 if read or shape == (128, 128) else 0.2)


def test_a_report_by_the_files_name(tmp_path):
    data = encoded(camera()[100:164, 100:164], quality=60)
    (tmp_path / "a.jpg").write_bytes(data)
    report = consistency_report(decoded(data), tmp_path / "a.jpg", decoded(data))
    assert report == consistency_report(decoded(data), JPEGInfo.from_bytes(data), decoded(data))
    with pytest.raises(FileNotFoundError, match=r"b\.jpg"):
        consistency_report(decoded(data), str(tmp_path / "b.jpg"), decoded(data))


def test_inside_by_scipys_dct():
    data = encoded(camera()[:64, :64], quality=30)
    degraded, table = decoded(data).astype(float), JPEGInfo.from_bytes(data).table(0)
    answer = project(smoothed(degraded), degraded, JPEGInfo.from_bytes(data))
    for y, x in np.ndindex(8, 8):
        block = np.s_[8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
        wanted, got = (dctn(image[block] - 128, norm="ortho") / table for image in (degraded, answer))
        assert np.abs(got - np.rint(wanted)).max() <= 0.5 + 1e-6


def quantized(data, tmp_path):
    """All coefficients of a JPEG, read by libjpeg itself, one after the other."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    picture = jpeglib.read_dct(str(path))
    parts = [picture.Y, picture.Cb, picture.Cr]
    return np.concatenate([part.ravel() for part in parts if part is not None])


@pytest.mark.parametrize("quality", [10, 40, 75, 90, 95])
@pytest.mark.parametrize("clean", [camera()[:320, :320], astronaut()[:192, :256]], ids=["grey", "4:2:0"])
@from_pixels_or_file
def test_compressed_again_it_is_the_same_jpeg(clean, quality, read, tmp_path):
    data = encoded(clean, quality=quality)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=read)
    answer = project(smoothed(degraded), degraded, info, whole=True)
    assert np.array_equal(answer, np.clip(np.rint(answer), 0, 255))
    wanted = quantized(data, tmp_path)
    again, untouched = (
        (quantized(encoded(image.astype(np.uint8), quality=quality), tmp_path) == wanted).mean()
        for image in (answer, degraded)
    )
    assert again >= (0.999 if quality < 90 else untouched - 0.002)
    if read and quality <= 90:
        assert again >= 0.999
    assert np.abs(answer - degraded).mean() > 0.05


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_the_files_own_indices_are_what_is_found(subsampling):
    data = encoded(coffee()[:203, :299], quality=60, subsampling=subsampling)
    degraded = decoded(data)
    read, found = (
        with_cells(torch.from_numpy(np.moveaxis(degraded.astype(float), -1, 0).copy()), info)
        for info in (JPEGInfo.from_bytes(data, coefficients=read) for read in (True, False))
    )
    for theirs, ours in zip(read.components, found.components, strict=True):
        assert theirs.known.double().mean() > 0.99
        assert ours.known.double().mean() > 0.85
        both = theirs.known & ours.known
        assert (theirs.indices[both] == ours.indices[both]).double().mean() > 0.999


@pytest.mark.parametrize("shape", [(152, 200), (131, 218), (137, 139)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_borders_within_a_unit_gain_too(shape, subsampling):
    clean = coffee()[100 : 100 + shape[0], 200 : 200 + shape[1]]
    data = encoded(clean, quality=75, subsampling=subsampling)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=True)
    border = np.ones(shape, bool)
    border[:-16, :-16] = False
    answer = project(smoothed(degraded), degraded, info)
    assert psnr(clean[border], answer[border]) > psnr(clean[border], degraded[border])


def test_clipped_pixels_hide_few_indices():
    bright = np.clip(astronaut().astype(int) * 2, 0, 255).astype(np.uint8)
    data = encoded(bright[:320, :320], quality=50)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=True)
    assert ((degraded == 0) | (degraded == 255)).mean() > 0.2
    picture = with_cells(
        torch.from_numpy(np.moveaxis(degraded.astype(float), -1, 0).copy()),
        JPEGInfo.from_bytes(data, coefficients=False),
    )
    for part, truth in zip(picture.components, info.indices, strict=True):
        rows, columns = truth.shape[:2]
        same = part.indices[:rows, :columns].numpy() == truth
        assert same.mean() > 0.99
        assert same[part.known[:rows, :columns].numpy()].mean() > 0.997


def test_indices_of_changed_blocks_do_not_count():
    data = encoded(camera(), quality=20)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=True)
    degraded[100:140, 60:90] = 255 - degraded[100:140, 60:90]
    answer = project(degraded, degraded, info)
    assert np.abs(answer - degraded)[104:136, 64:88].max() == 0
    assert consistency_report(answer, info, degraded).unknown > 0.003


@from_pixels_or_file
@pytest.mark.parametrize("quality", [10, 75])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("shape", [(160, 144), (131, 115)], ids=["whole units", "odd"])
def test_colour_is_inside(quality, subsampling, shape, read):
    clean = coffee()[200 : 200 + shape[0], 100 : 100 + shape[1]]
    data = encoded(clean, quality=quality, subsampling=subsampling)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=read)
    restored = smoothed(degraded)
    answer = project(restored, degraded, info)
    assert answer.shape == clean.shape
    assert consistency_report(restored, info, degraded).inside < 0.9995
    report = consistency_report(answer, info, degraded)
    assert report.inside > 0.999
    assert report.unknown < (0.1 if read or shape == (160, 144) else 0.25)
    assert report.coefficients > 0.8 * clean.size / 3


@from_pixels_or_file
@pytest.mark.parametrize("crop", [(0, 0), (3, 5), (8, 1)])
@pytest.mark.parametrize("color", [False, True], ids=["grey", "4:2:0"])
def test_a_cut_out_obeys_its_whole_blocks(crop, color, read):
    clean = astronaut()[:200, 150:350] if color else camera()[100:300, 150:350]
    data = encoded(clean, quality=20)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=read)
    y, x = (slice(start, 171) for start in crop)
    whole = project(smoothed(degraded), degraded, info)
    part = project(smoothed(degraded)[y, x], degraded[y, x], info.crop(y, x))
    inner = np.s_[16:-32, 16:-32]
    np.testing.assert_allclose(part[inner], whole[y, x][inner], atol=1.0)
    assert consistency_report(part, info.crop(y, x), degraded[y, x]).inside > 0.99


@from_pixels_or_file
@pytest.mark.parametrize("color", [False, True], ids=["grey", "4:2:0"])
@pytest.mark.parametrize("y", [slice(7, None), slice(None, 97), slice(None)])
@pytest.mark.parametrize("x", [slice(3, None), slice(None, 97), slice(None)])
def test_the_original_is_left_where_it_is_at_every_border(y, x, color, read):
    clean = (coffee() if color else camera())[100:196, 200:300]
    data = encoded(clean, quality=75)
    info, degraded = JPEGInfo.from_bytes(data, coefficients=read).crop(y, x), decoded(data)[y, x]
    clean = clean[y, x]
    assert consistency_report(clean, info, degraded).worst_excess < (0.5 if color else 0.05)
    moved = np.abs(project(clean, degraded, info, margin=0) - clean)
    assert moved.max() < (1.5 if color else 0.1)


@pytest.mark.parametrize("color", [False, True], ids=["grey", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 75])
def test_coded_units_do_not_depend_on_each_other_in_saturated_pictures(quality, color):
    clean = astronaut()[:192, 150:342] if color else camera()[100:292, 150:342]
    clean = as_uint8((clean.astype(float) - 128) * 2.2 + 128)
    data = encoded(clean, quality=quality)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=True)
    restored = smoothed(degraded)
    whole = project(restored, degraded, info)
    y, x = slice(16, 176), slice(32, 192)
    part = project(restored[y, x], degraded[y, x], info.crop(y, x))
    inner = np.s_[32:-32, 32:-32]  # where the cut hides nothing of what chroma was interpolated from
    np.testing.assert_allclose(part[inner], whole[y, x][inner], atol=1e-9)


@from_pixels_or_file
@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("clean", [camera()[:256, :256], astronaut()[:256, 100:356]], ids=["grey", "4:2:0"])
def test_no_nearer_picture_is_lost(clean, quality, read):
    data = encoded(clean, quality=quality)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data, coefficients=read)
    restored = smoothed(degraded)
    assert psnr(clean, project(restored, degraded, info)) > psnr(clean, restored) - 0.01
    nearly_clean = project(clean, degraded, info)
    assert psnr(clean, nearly_clean) > psnr(clean, degraded) + 0.5


def test_the_decoded_picture_is_consistent():
    data = encoded(camera(), quality=25)
    degraded, info = decoded(data), JPEGInfo.from_bytes(data)
    report = consistency_report(degraded, info, degraded)
    assert report.inside > 0.9999  # clipping to black and white moves a few
    assert np.abs(project(degraded, degraded, info) - degraded).mean() < 0.02


def test_a_picture_changed_after_decoding_is_left_alone():
    data = encoded(camera(), quality=20)
    changed, info = np.roll(decoded(data), 3, axis=1), JPEGInfo.from_bytes(data)
    report = consistency_report(changed, info, changed)
    assert report.unknown > 0.5


def test_levels_of_12_bits():
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(0, 4000, (64, 64)), 3) + 2048
    info = JPEGInfo(64, 64, (tuple([80] * 64),), precision=12)
    blocks = smooth.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3) - 2048
    indices = np.rint(dctn(blocks, axes=(2, 3), norm="ortho") / 80)
    from scipy.fft import idctn

    degraded = idctn(indices * 80, axes=(2, 3), norm="ortho").transpose(0, 2, 1, 3).reshape(64, 64) + 2048
    report = consistency_report(project(smooth, np.rint(degraded), info), info, np.rint(degraded))
    assert report.inside == 1.0
    assert report.unknown == 0.0


@pytest.mark.parametrize(
    ("shape", "value", "match"), [((8, 9), 0.0, "8×8"), ((8, 8), np.nan, "NaN"), ((8, 8, 2), 0.0, "RGB")]
)
def test_what_does_not_fit(shape, value, match):
    info = JPEGInfo.from_quality(50, height=8, width=8)
    with pytest.raises(ValueError, match=match):
        project(np.full(shape, value), np.full(shape, value), info)


@pytest.mark.parametrize("margin", [0.0, 0.25, 0.5])
def test_distance_kept_from_the_walls(margin):
    info = JPEGInfo.from_quality(50, height=16, width=16)
    flat = np.full((16, 16), 96.0)
    # A step of 16 between coefficients is one of 2 between means.
    mean = project(flat + 3, flat, info, margin=margin).mean()
    assert mean == pytest.approx(96 + 1 - min(2 * margin, 4 / 8), abs=1e-3)


@pytest.mark.parametrize("margin", [-0.1, 0.6])
def test_margin_out_of_its_range(margin):
    info = JPEGInfo.from_quality(50, height=8, width=8)
    with pytest.raises(ValueError, match="margin"):
        project(np.zeros((8, 8)), np.zeros((8, 8)), info, margin=margin)


@pytest.mark.parametrize("whole", [False, True])
def test_little_of_large_changes_is_believed_where_steps_are_fine(whole):
    stream = io.BytesIO()
    Image.fromarray(camera()[100:260, 100:260]).save(stream, "JPEG", quality=92)
    decoded, info = np.asarray(Image.open(stream)), JPEGInfo.from_bytes(stream.getvalue())
    restored = gaussian_filter(decoded.astype(float), 2)
    plain, weighed = (project(restored, decoded, info, whole=whole, weigh=weigh) for weigh in (False, True))
    assert np.abs(weighed - decoded).mean() < 0.9 * np.abs(plain - decoded).mean()
    assert consistency_report(weighed, info, decoded).inside > (0.99 if whole else 0.9999)


def test_no_rounds_at_all():
    info = JPEGInfo.from_quality(50, height=8, width=8)
    with pytest.raises(ValueError, match="iterations is 0; expected 1 or more"):
        project(np.zeros((8, 8)), np.zeros((8, 8)), info, iterations=0)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shape", [(0, 16), (16, 0), (0, 0)])
def test_nothing_is_projected_to_nothing(shape, whole):
    info = JPEGInfo.from_quality(50, height=shape[0], width=shape[1])
    assert project(np.zeros(shape), np.zeros(shape), info, whole=whole).shape == shape


def test_chroma_of_a_quarter_is_repeated_as_libjpeg_does():
    image = np.ascontiguousarray(astronaut()[100:164, 100:196])
    info = replace(
        JPEGInfo.from_quality(60, height=64, width=96, subsampling="4:2:0"), sampling=((4, 2), (1, 1), (1, 1))
    )
    batch = torch.from_numpy(np.moveaxis(image.astype(float), -1, 0)[None].copy())
    tables = [torch.from_numpy(info.table(index)) for index in range(3)]
    picture = with_cells(simulate_jpeg(batch, tables, info.sampling)[0], info)
    assert all(part.known.double().mean() > 0.95 for part in picture.components)


@pytest.mark.parametrize("shape", [(6, 30), (30, 6), (3, 3)])
def test_a_picture_without_a_whole_block_is_nobodys_and_anybodys(shape):
    clean = camera()[100 : 100 + shape[0], 200 : 200 + shape[1]]
    data = encoded(clean, quality=50)
    info = JPEGInfo.from_bytes(data, coefficients=False)
    answer = project(clean, decoded(data), info)  # without a warning that it is of another picture
    np.testing.assert_array_equal(answer, clean)
