"""Slides restored in parts are what the whole would be, tile by tile within their JPEGs' cells."""

from __future__ import annotations

import errno
import io
import os
import shutil
import warnings
from itertools import count
from threading import Barrier

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from skimage import data

from napari_deartifact import deartifact, load_model
from napari_deartifact.cli import main
from napari_deartifact.files.ome_zarr import Pyramid
from napari_deartifact.files.slides import restore_slide
from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.slides_open import is_slide, open_slide
from napari_deartifact.jpeg.consistency import consistency_report
from napari_deartifact.jpeg.info import JPEGInfo

COLOR = data.astronaut()[:150, 100:270]
GREY = data.camera()[:150, 100:270]
APERIO = "Aperio Image Library v11.2.1\n170x150 (48x48) JPEG Q=60|AppMag = 20|MPP = 0.4990"


class Smoother:
    """A restorer whose answer depends on its neighbours, and on nothing farther away."""

    name, color, size_multiple, halo, fixed_tile, needs_tables = "smoother", "any", 4, 8, None, False

    def restore(self, tiles, jpeg):
        from scipy.ndimage import uniform_filter

        return uniform_filter(tiles, (1, 1, 5, 5), mode="nearest")


class NearsightedInGrey(Smoother):
    """A restorer that looks farther in colour than in grey, up to the edge of what it asks for."""

    halo, grey_halo = 24, 8

    def restore(self, tiles, jpeg):
        from scipy.ndimage import uniform_filter

        edge = 2 * (self.grey_halo if tiles.shape[1] == 1 else self.halo) + 1
        return uniform_filter(tiles, (1, 1, edge, edge), mode="nearest")


def write(path, pixels=COLOR, *, tile=48, subsampling=(2, 2), level=60, **options):
    """Write a tiled TIFF of JPEGs."""
    rgb = pixels.ndim == 3 and pixels.shape[-1] == 3
    tifffile.imwrite(
        path,
        pixels,
        compression="jpeg",
        compressionargs={"level": level},
        photometric="rgb" if rgb else "minisblack",
        **({"tile": (tile, tile)} if tile else {"rowsperstrip": 16}),
        **({"subsampling": subsampling} if rgb else {}),
        **options,
    )
    return path


def run(source, target, model=None, **options):
    """Restore to the end, and return the answer as (Y, X[, C])."""
    steps = restore_slide(source, target, model or Smoother(), chunk_size=64, **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def pixels_of(target):
    if target.name.endswith(".zarr"):
        array = np.moveaxis(zarr.open_group(target, mode="r")["0"][:], 0, -1)
        return array[..., 0] if array.shape[-1] == 1 else array
    return tifffile.imread(target, series=0, level=0)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.tif"])
@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GREY, {}),
        (COLOR, {"subsampling": (1, 1)}),
        (COLOR, {"subsampling": (2, 2)}),
        (COLOR, {"subsampling": (2, 1), "tile": None}),
        (np.stack([GREY, GREY[::-1]]), {"ome": True, "metadata": {"axes": "CYX"}}),
    ],
    ids=["grey", "444", "420", "strips", "channels"],
)
def test_parts_make_the_whole(tmp_path, name, pixels, options):
    source, target = write(tmp_path / "a.ome.tif", pixels, **options), tmp_path / "out" / name
    target.parent.mkdir()
    decoded = tifffile.imread(source)
    axis = -1 if pixels is COLOR else None
    expected = deartifact(decoded, Smoother(), channel_axis=axis, force=True, consistency=False)
    run(source, target, consistency=False)
    found = pixels_of(target)
    if pixels.shape[0] == 2 and name.endswith("zarr"):
        found = np.moveaxis(found, -1, 0)
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert not np.array_equal(found, decoded)


@pytest.mark.parametrize("pixels", [GREY, COLOR], ids=["grey", "colour"])
def test_parts_see_as_far_as_their_colours_ask(tmp_path, pixels):
    source, model = write(tmp_path / "a.tif", pixels), NearsightedInGrey()
    axis = -1 if pixels is COLOR else None
    expected = deartifact(
        tifffile.imread(source), model, channel_axis=axis, force=True, consistency=False, tile_size=1024
    )
    run(source, tmp_path / "out.ome.zarr", model, consistency=False)
    assert np.abs(pixels_of(tmp_path / "out.ome.zarr").astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GREY, {}),
        (COLOR, {"subsampling": (1, 1)}),
        (COLOR, {"subsampling": (2, 2)}),
        (COLOR, {"subsampling": (2, 2), "tile": None}),
        (COLOR, {"subsampling": (2, 1), "tile": 80}),
    ],
    ids=["grey", "444", "420", "strips", "422"],
)
def test_every_tile_obeys_its_own_tables(tmp_path, pixels, options):
    source, target = write(tmp_path / "a.tif", pixels, **options), tmp_path / "a.ome.zarr"
    run(source, target)
    decoded, restored = tifffile.imread(source), pixels_of(target)
    slide, inside, free = open_slide(source), [], []
    free_answer = deartifact(
        decoded, Smoother(), channel_axis=-1 if pixels is COLOR else None, force=True, consistency=False
    )
    for row, column, place in slide.tiles_in((slice(0, 144), slice(0, 160))):
        place = tuple(
            slice(side.start, min(side.stop, end)) for side, end in zip(place, (144, 160), strict=True)
        )
        record = slide.record(0, row, column).crop(*(slice(0, side.stop - side.start) for side in place))
        inside.append(consistency_report(restored[place], record, decoded[place]).inside)
        free.append(consistency_report(free_answer[place], record, decoded[place]).inside)
    # Rounded to whole levels, a tiny share may lie just outside; without tables far more does.
    assert min(inside) > 0.97
    assert np.mean(inside) > np.mean(free)


@pytest.fixture
def differing(tmp_path):
    """A slide whose tiles were compressed each by itself, as a scanner may that aims at a file size."""
    source, tiles, records = tmp_path / "differing.tif", [], []
    for top in range(0, 96, 48):
        for left in range(0, 96, 48):
            stream = io.BytesIO()
            tile = Image.fromarray(COLOR[top : top + 48, left : left + 48])
            tile.save(stream, "JPEG", quality=30 + left // 2 + top // 4, subsampling="4:4:4")
            tiles.append(stream.getvalue())
            records.append(JPEGInfo.from_bytes(stream.getvalue()))
    tifffile.imwrite(
        source, iter(tiles), shape=(96, 96, 3), dtype=np.uint8, tile=(48, 48), compression="jpeg",
        photometric="ycbcr", subsampling=(1, 1),
    )  # fmt: skip
    return source, records


def places():
    return [(slice(top, top + 48), slice(left, left + 48)) for top in (0, 48) for left in (0, 48)]


def test_differing_tables(tmp_path, differing):
    (source, records), target = differing, tmp_path / "a.ome.zarr"
    run(source, target)
    decoded, restored = tifffile.imread(source), pixels_of(target)
    for number, (record, place) in enumerate(zip(records, places(), strict=True)):
        assert open_slide(source).record(0, number // 2, number % 2).tables == record.tables
        assert consistency_report(restored[place], record, decoded[place]).inside > 0.97


class Teller(Smoother):
    """A restorer that adds the first step of the quantization table that it is told."""

    name, halo, needs_tables = "teller", 0, True

    def restore(self, tiles, jpeg):
        return tiles + np.float32(jpeg.table(0)[0, 0] / 255)


def test_differing_tables_reach_the_model_tile_by_tile(tmp_path, differing):
    (source, records), target = differing, tmp_path / "a.ome.zarr"
    run(source, target, Teller(), consistency=False)
    decoded, restored = tifffile.imread(source).astype(int), pixels_of(target)
    assert len({int(record.table(0)[0, 0]) for record in records}) > 2
    for record, place in zip(records, places(), strict=True):
        expected = np.minimum(decoded[place] + int(record.table(0)[0, 0]), 255)
        np.testing.assert_array_equal(restored[place], expected)


def test_tables_reach_a_model_that_needs_them(tmp_path):
    source, target = write(tmp_path / "a.tif", GREY), tmp_path / "a.ome.zarr"
    run(source, target, "spp", device="cpu", consistency=False)
    decoded = tifffile.imread(source)
    record = JPEGInfo.from_tiff(source)
    expected = deartifact(decoded, "spp", jpeg=record, consistency=False, device="cpu")
    assert np.abs(pixels_of(target).astype(int) - expected).max() <= 1


def test_metadata_of_an_aperio_slide(tmp_path):
    source = write(tmp_path / "a.svs", description=APERIO, metadata=None)
    slide = open_slide(source)
    assert (slide.format, slide.shape, slide.pixel_size) == ("SVS", (150, 170), (0.499, 0.499))
    assert slide.properties["AppMag"] == "20"
    run(source, tmp_path / "a.ome.tif")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert file.is_ome
        assert "AppMag" in file.ome_metadata
        assert 'PhysicalSizeX="0.499"' in file.ome_metadata
        top, bottom = file.pages[0].tags["XResolution"].value
        assert top / bottom == pytest.approx(10000 / 0.499)
    run(source, tmp_path / "a.ome.zarr")
    told = zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs["napari-deartifact"]
    assert told["source"]["properties"]["AppMag"] == "20"
    assert told["quantization_tables"] == "of each tile"


def test_alpha_passes_through(tmp_path):
    source, target = tmp_path / "a.tif", tmp_path / "a.ome.tif"
    pixels = np.dstack([COLOR, GREY])
    tifffile.imwrite(source, pixels, tile=(48, 48), photometric="rgb", extrasamples=["unassalpha"])
    with pytest.warns(UserWarning, match="no quantization tables"):
        run(source, target, force=True)
    np.testing.assert_array_equal(pixels_of(target)[..., 3], GREY)
    expected = deartifact(pixels, Smoother(), channel_axis=-1, force=True, consistency=False)
    assert np.abs(pixels_of(target).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("unit", "per_unit", "size"), [("CENTIMETER", 20000, 0.5), ("INCH", 50800, 0.5), ("INCH", 300, None)]
)
def test_resolution_tags_are_a_pixel_size_unless_a_printers(tmp_path, unit, per_unit, size):
    source = write(tmp_path / "a.tif", resolution=(per_unit, per_unit), resolutionunit=unit)
    found = open_slide(source).pixel_size
    assert found == (None if size is None else pytest.approx((size, size)))


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (GREY, {"tile": (48, 48)}, True),
        (GREY, {}, False),
        (GREY, {"tile": (256, 256)}, False),
    ],
    ids=["tiled", "strips", "one tile"],
)
def test_what_is_a_slide(tmp_path, pixels, options, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, **options)
    assert is_slide(path) is expected
    assert not is_slide(tmp_path / "missing.tif")


def test_clean_slide_is_copied(tmp_path):
    source, target = tmp_path / "a.tif", tmp_path / "a.ome.zarr"
    tifffile.imwrite(source, GREY, tile=(64, 64), compression="zlib")
    with pytest.warns(UserWarning, match="no JPEG history"):
        answer = run(source, target)
    assert not answer.restored
    np.testing.assert_array_equal(pixels_of(target), GREY)


def test_forced_deep_slide(tmp_path):
    source, target = tmp_path / "a.tif", tmp_path / "a.ome.tif"
    deep = GREY.astype(np.uint16) * 16
    tifffile.imwrite(source, deep, tile=(64, 64), compression="zlib")
    with pytest.warns(UserWarning, match="no quantization tables"):
        run(source, target, force=True)
    expected = deartifact(deep, Smoother(), force=True, consistency=False)
    assert np.abs(pixels_of(target).astype(int) - expected).max() <= 1


def damage(source, missing, corrupt):
    """Leave out one tile, and overwrite the middle of another's header."""
    with tifffile.TiffFile(source) as file:
        page = file.pages[0]
        counts, offsets = page.tags["TileByteCounts"], page.dataoffsets
        kept = list(counts.value)
        kept[missing] = 0
        start = offsets[corrupt]
    with tifffile.TiffFile(source, mode="r+b") as file:
        file.pages[0].tags["TileByteCounts"].overwrite(kept)
    with source.open("r+b") as stream:
        stream.seek(start + 2)
        stream.write(b"\xff\xd9" * 10)


@pytest.mark.parametrize("consistency", [True, False])
def test_missing_and_damaged_tiles(tmp_path, consistency):
    source, target = write(tmp_path / "a.tif"), tmp_path / "a.ome.zarr"
    whole = run(source, tmp_path / "whole.ome.zarr", consistency=consistency)
    assert not whole.damaged
    damage(source, missing=1, corrupt=6)
    with pytest.warns(UserWarning, match=r"2 tiles of .*a\.tif are missing .*row 0, column 1: missing"):
        answer = run(source, target, consistency=consistency)
    assert [(one.row, one.column) for one in answer.damaged] == [(0, 1), (1, 2)]
    found, undamaged = pixels_of(target), pixels_of(tmp_path / "whole.ome.zarr")
    assert not found[:48, 48:96].any()
    assert not found[48:96, 96:144].any()
    np.testing.assert_array_equal(found[112:], undamaged[112:])  # farther away than the model sees
    told = zarr.open_group(target, mode="r").attrs["napari-deartifact"]["damaged_tiles"]
    assert [(one["row"], one["column"]) for one in told] == [(0, 1), (1, 2)]


def test_neighbours_are_read_and_written_beside_the_model(tmp_path, monkeypatch):
    """Reading and the model wait for each other, and so do the model and writing: in turns none would end."""
    source, target = write(tmp_path / "a.tif", data.astronaut()[:256, :256]), tmp_path / "a.ome.zarr"
    regions = 4
    reading, writing = Barrier(2, timeout=30), Barrier(2, timeout=30)
    calls = {"decode": count(), "restore": count(), "write": count()}
    decode, save, restore = Slide.decode_ahead, Pyramid.write, Smoother.restore

    def decode_ahead(self, window):
        if next(calls["decode"]):
            reading.wait()
        decode(self, window)

    def restore_meanwhile(self, tiles, jpeg):
        region = next(calls["restore"])
        if region < regions - 1:
            reading.wait()
        if region > 0:
            writing.wait()
        return restore(self, tiles, jpeg)

    def write_meanwhile(self, level, *rest):
        if level == 0 and next(calls["write"]) < regions - 1:
            writing.wait()
        save(self, level, *rest)

    monkeypatch.setattr(Slide, "decode_ahead", decode_ahead)
    monkeypatch.setattr(Smoother, "restore", restore_meanwhile)
    monkeypatch.setattr(Pyramid, "write", write_meanwhile)
    run(source, target)
    assert [next(calls[name]) for name in calls] == [regions, regions, regions]


def test_truncated_file(tmp_path):
    source, target = write(tmp_path / "a.tif"), tmp_path / "a.ome.zarr"
    with tifffile.TiffFile(source) as file:
        end = file.pages[0].dataoffsets[-1]
    content = source.read_bytes()
    start = int.from_bytes(content[4:8], "little")
    assert start < end  # its directory comes first
    source.write_bytes(content[: end + 20])
    with pytest.warns(UserWarning, match="beyond the end"):
        answer = run(source, target)
    assert [(one.row, one.column) for one in answer.damaged] == [(3, 3)]


def test_full_disk_loses_nothing(tmp_path, monkeypatch):
    source, target = write(tmp_path / "a.tif"), tmp_path / "a.ome.zarr"
    run(source, tmp_path / "expected.ome.zarr")
    real, left = Pyramid.write, [2]

    def write_while_there_is_room(self, *arguments):
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        real(self, *arguments)

    monkeypatch.setattr(Pyramid, "write", write_while_there_is_room)
    with pytest.raises(OSError, match="disk is full; make room") as caught:
        run(source, target)
    assert caught.value.errno == errno.ENOSPC
    assert not target.exists()
    monkeypatch.undo()
    done = []
    monkeypatch.setattr(Pyramid, "write", lambda self, *rest: (done.append(rest), real(self, *rest))[1])
    run(source, target)
    assert len(done) == len(list(Pyramid(target, _layout(target)).windows(0, 128))) - 2 + 2
    np.testing.assert_array_equal(pixels_of(target), pixels_of(tmp_path / "expected.ome.zarr"))


def _layout(target):
    from napari_deartifact.files.ome_zarr import PyramidLayout

    return PyramidLayout(zarr.open_group(target, mode="r")["0"].shape, np.dtype("uint8"), 64)


def test_cancelled_and_other_settings(tmp_path):
    source, target = write(tmp_path / "a.tif"), tmp_path / "a.ome.zarr"
    steps = restore_slide(source, target, Smoother(), chunk_size=64)
    assert [next(steps).done for _ in range(4)][-1] >= 1
    with pytest.raises(ValueError, match="another process is at work"):
        run(source, target)
    steps.close()
    assert not target.exists()
    with pytest.raises(ValueError, match=r"strength was 1\.0 and is 0\.5"):
        run(source, target, strength=0.5)
    os.utime(source, ns=(1, 1))
    with pytest.raises(ValueError, match="the source has changed"):
        run(source, target)
    run(source, target, overwrite=True)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        run(source, target)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def begun(source, target, model, **options):
    steps = restore_slide(source, target, model, chunk_size=64, device="cpu", **options)
    next(steps)
    steps.close()


@pytest.mark.parametrize("as_name", [True, False])
def test_an_unfinished_restoration_is_as_perceptual_as_it_was_begun(tmp_path, pair, save_tiny, as_name):
    def chosen(share):
        return (
            ("pair", {"perceptual": share}) if as_name else (load_model("pair", "cpu", perceptual=share), {})
        )

    source, target = write(tmp_path / "a.tif"), tmp_path / "a.ome.zarr"
    model, options = chosen(0.5)
    begun(source, target, model, **options)
    for share in (0, 0.25):
        other, changed = chosen(share)
        with pytest.raises(ValueError, match=rf"perceptual was 0\.5 and is {float(share)}"):
            begun(source, target, other, **changed)
    save_tiny(pair.with_name("pair-perceptual.safetensors"), 2)
    model, options = chosen(0.5)
    with pytest.raises(ValueError, match=r"\(model was 'pair \w+ \w+' and is"):
        begun(source, target, model, **options)
    run(source, target, model, device="cpu", overwrite=True, **options)
    told = zarr.open_group(target, mode="r").attrs["napari-deartifact"]
    assert (told["model"], told["perceptual"]) == ("pair, perceptual 0.5", 0.5)


def test_a_perceptual_slide(tmp_path, pair):
    source = write(tmp_path / "a.tif", GREY)
    run(source, tmp_path / "a.ome.tif", "pair", perceptual=1, device="cpu")
    run(source, tmp_path / "b.ome.tif", "pair-perceptual", device="cpu")
    one, other = (pixels_of(tmp_path / name) for name in ("a.ome.tif", "b.ome.tif"))
    np.testing.assert_array_equal(one, other)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert ", model pair, perceptual 1<" in file.ome_metadata
    run(source, tmp_path / "c.ome.zarr", "pair-perceptual", device="cpu")
    told = zarr.open_group(tmp_path / "c.ome.zarr", mode="r").attrs["napari-deartifact"]
    assert (told["model"], told["perceptual"]) == ("pair-perceptual", 1)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.tif"])
@pytest.mark.parametrize("kept", [True, False])
def test_working_folder_that_outlived_its_work(tmp_path, monkeypatch, name, kept):
    """As after a kill while it was being removed; what is left of it must not be taken for the work."""
    source, target = write(tmp_path / "a.tif"), tmp_path / name
    with monkeypatch.context() as patched:
        patched.setattr("napari_deartifact.files.slides_job.remove_folder", lambda folder: None)
        run(source, target)
    expected, folder = pixels_of(target), tmp_path / f"{name}.part"
    assert folder.is_dir()
    if kept:
        with pytest.raises(FileExistsError):
            run(source, target)
        assert not folder.exists()
        return
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.rmtree(folder / "pyramid" / "0", ignore_errors=True)
    run(source, target)
    np.testing.assert_array_equal(pixels_of(target), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.png", {}, "names no slide"),
        ("a.ome.zarr", {"strength": 2}, "strength is 2"),
        ("a.ome.zarr", {"perceptual": 2}, "perceptual is 2"),
        ("a.ome.zarr", {"perceptual": 0.5}, "'smoother' is loaded already"),
        ("missing/a.ome.zarr", {}, "does not exist; create it"),
    ],
)
def test_refused(tmp_path, name, options, message):
    source = write(tmp_path / "a.tif")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(source, tmp_path / name, **options)


def test_folder_without_permission(tmp_path, monkeypatch):
    source, folder = write(tmp_path / "a.tif"), tmp_path / "closed"
    folder.mkdir(mode=0o500)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="not writable"):
        run(source, folder / "a.ome.zarr")


@pytest.mark.parametrize("package", ["zarr", "imagecodecs"])
def test_missing_extra(tmp_path, monkeypatch, package):
    import importlib.util

    source, find = write(tmp_path / "a.tif"), importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest)
    )
    with pytest.raises(ModuleNotFoundError, match=rf"need {package}.*deartifact\[slides\]"):
        run(source, tmp_path / "a.ome.zarr")


def test_one_huge_strip_is_refused(tmp_path):
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, shape=(40000, 20000), dtype=np.uint8, rowsperstrip=40000)
    with pytest.raises(ValueError, match="each decoded whole"):
        open_slide(source)


def test_command(tmp_path, capsys):
    source, target = write(tmp_path / "a.svs", description=APERIO, metadata=None), tmp_path / "a.ome.zarr"
    command = ["restore", str(source), "-o", str(target), "--model", "compact-cnn", "--device", "cpu"]
    assert main(command) == 0
    assert "a.ome.zarr" in capsys.readouterr().out
    assert main(command) == 0
    assert "skipped" in capsys.readouterr().out
    assert main([*command, "--uncertainty"]) == 2
    assert "--uncertainty is for files" in capsys.readouterr().err
    assert main(["restore", str(source), str(source), "-o", str(target)]) == 2
    assert "names one slide, and there are 2 inputs" in capsys.readouterr().err
    assert main(["restore", str(tmp_path), "-o", str(target)]) == 2
    assert "is a folder; name a folder" in capsys.readouterr().err
    assert pixels_of(target).shape == (150, 170, 3)


def test_the_words_of_an_unfinished_restoration(tmp_path, capsys):
    """Python is told of an argument, the command line of its option, and nobody of nanoseconds."""
    source, target = write(tmp_path / "a.svs"), tmp_path / "a.ome.zarr"
    steps = restore_slide(source, target, "compact-cnn", device="cpu")
    next(steps)
    steps.close()
    os.utime(source, (1, 1))
    with pytest.raises(
        ValueError, match=r"the source has changed, strength was 1\.0 and is 0\.5\).*overwrite=True"
    ):
        next(restore_slide(source, target, "compact-cnn", device="cpu", strength=0.5))
    command = ["restore", str(source), "-o", str(target), "--model", "compact-cnn", "--device", "cpu"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "another one (the source has changed); repeat its command" in told
    assert "begin anew with --overwrite" in told
    assert "=True" not in told


def test_a_plain_tiff_is_no_slide_for_the_command(tmp_path, capsys):
    source = tmp_path / "a.ome.tif"
    tifffile.imwrite(source, GREY[:40, :40])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["restore", str(source), "-o", str(tmp_path / "b.ome.tif"), "--device", "cpu"]) == 0
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as file:
        assert file.is_ome
        assert len(file.pages) == 1
