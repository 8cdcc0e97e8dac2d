"""The harness measures what it says: the JPEG row is libjpeg's, the restored row is the model's."""

from __future__ import annotations

import json
import math
import sys
import warnings
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_deartifact import JPEGInfo, deartifact, load_model
from napari_deartifact.degradation import CODECS, encode_to_size, jpeg_encode, jpeg_round_trip
from napari_deartifact.evaluation import (
    Record,
    Scores,
    evaluate,
    format_table,
    parse_quality,
    quality_label,
    to_json,
)
from napari_deartifact.evaluation.originals import read_original
from napari_deartifact.metrics import full_range_luma, psnr, psnr_b, ssim, studio_range_luma


class Recorder:
    """A restorer that returns its input and remembers what it was told."""

    name = "identity"
    color = "any"
    size_multiple = 1
    halo = 0
    fixed_tile = None
    needs_tables = False

    def __init__(self):
        self.told = []

    def restore(self, tiles, jpeg):
        self.told.append((tiles.shape[1:], jpeg))
        return tiles


class Darkener(Recorder):
    """A restorer whose every pass does more, and more to the left than to the right of a tile."""

    name = "darkener"

    def restore(self, tiles, jpeg):
        super().restore(tiles, jpeg)
        answer = tiles.copy()
        answer[..., ::4] *= 0.9
        return answer


@pytest.fixture
def model() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return data.camera()[100:161, 150:221]


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return data.astronaut()[:50, 150:213]


@pytest.fixture
def folder(tmp_path, grey, rgb):
    root = tmp_path / "originals"
    root.mkdir()
    Image.fromarray(grey).save(root / "grey.bmp")
    Image.fromarray(rgb).save(root / "color.png")
    return root


@pytest.mark.parametrize("quality", [1, 10, 75, 100])
@pytest.mark.parametrize("luma", ["full", "studio"])
def test_jpeg_row(folder, grey, rgb, model, quality, luma):
    evaluation = evaluate(model, folder, [quality], luma=luma)
    to_luma = {"full": full_range_luma, "studio": studio_range_luma}[luma]
    originals = {"color.png": to_luma(rgb).round().astype(np.uint8), "grey.bmp": grey}
    assert [record.image for record in evaluation.records] == list(originals)
    for record in evaluation.records:
        original = originals[record.image]
        degraded = jpeg_round_trip(original, quality)
        expected = Scores(psnr(original, degraded), psnr_b(original, degraded), ssim(original, degraded))
        assert record.degraded == expected
        assert record.restored == expected  # the model does nothing
        assert (record.height, record.width) == original.shape


def test_color_row(folder, rgb, model):
    with_color = evaluate(model, [folder / "color.png"], [20], color=True, subsampling="4:4:4")
    degraded = jpeg_round_trip(rgb, 20, subsampling="4:4:4")
    assert with_color.records[0].degraded.psnr == psnr(rgb, degraded)
    assert with_color.records[0].degraded.psnr_b == psnr_b(rgb, degraded)


def test_clean_pictures_are_compared_with_themselves(folder, model):
    evaluation = evaluate(model, folder, [10, "clean"])
    clean = evaluation.at("clean")
    assert len(clean) == 2
    assert all(record.degraded.psnr == math.inf for record in clean)
    assert all(record.degraded.ssim == pytest.approx(1) for record in clean)


@pytest.mark.parametrize("jpeg_info", [False, True])
def test_the_model_is_told_the_tables_only_when_asked(folder, model, jpeg_info):
    evaluate(model, [folder / "color.png"], [30, "clean"], color=True, jpeg_info=jpeg_info)
    qualities = [jpeg and jpeg.quality for _, jpeg in model.told]
    assert qualities == ([30, None] if jpeg_info else [None, None])


def test_means(folder, model):
    evaluation = evaluate(model, folder, [10, 40])
    degraded, restored, seconds = evaluation.mean(40)
    assert degraded.psnr == pytest.approx(np.mean([record.degraded.psnr for record in evaluation.at(40)]))
    assert degraded == restored
    assert seconds > 0


def test_mean_leaves_out_what_could_not_be_measured():
    assert Scores.mean([Scores(1, 2, math.nan), Scores(3, 4, 0.5)]) == Scores(2, 3, 0.5)
    assert math.isnan(Scores.mean([Scores(1, 2, math.nan)]).ssim)


def test_tiny_pictures_have_no_ssim(tmp_path, grey, model):
    Image.fromarray(grey[:9, :30]).save(tmp_path / "tiny.png")
    (record,) = evaluate(model, tmp_path, [10]).records
    assert math.isnan(record.degraded.ssim)
    assert math.isfinite(record.degraded.psnr)


@pytest.mark.parametrize("shift", [(3, 5), (0, 1), (15, 15)])
def test_a_shifted_picture_and_the_aligned_one_are_compared_on_the_same_pixels(folder, grey, shift):
    model = Darkener()
    (record,) = evaluate(model, [folder / "grey.bmp"], [20], shift=shift, jpeg_info=True).records
    y, x = shift
    whole = jpeg_round_trip(grey, 20)
    original, cut = grey[y:, x:], whole[y:, x:]
    assert record.degraded.psnr == psnr(original, cut)
    info = JPEGInfo.from_quality(20, height=grey.shape[0], width=grey.shape[1])
    part = info.crop(slice(y, None), slice(x, None))
    told = deartifact(cut, Darkener(), force=True, consistency=False, jpeg=part)
    assert record.restored.psnr == psnr(original, told)
    # What knows its place on the grid is restored there.
    aligned = deartifact(whole, Darkener(), force=True, consistency=False, jpeg=info)[y:, x:]
    assert record.aligned.psnr == psnr(original, aligned) == record.restored.psnr
    grid_y, grid_x = -y % 8, -x % 8
    assert record.degraded.psnr_b == psnr_b(original[grid_y:, grid_x:], cut[grid_y:, grid_x:])
    infos = [jpeg for _, jpeg in model.told]
    assert infos[0].grid == infos[-1].grid == (0, 0)
    assert infos[0].shape == (cut.shape[0] + y % 8, cut.shape[1] + x % 8)
    assert infos[-1].shape == whole.shape


def test_without_a_shift_nothing_is_compared_with_the_aligned_picture(folder, model):
    evaluation = evaluate(model, folder, [20, "clean"], shift=(0, 0))
    assert [record.aligned for record in evaluation.records] == [None] * 4
    (record,) = evaluate(model, [folder / "grey.bmp"], ["clean"], shift=(3, 5)).records
    assert (record.degraded.psnr, record.aligned) == (math.inf, None)


@pytest.mark.parametrize(("shift", "cut"), [(None, (4, 4)), ((0, 0), (0, 0)), ((3, 7), (3, 7))])
def test_double_jpeg_is_one_of_a_cut_out_of_another(folder, rgb, model, shift, cut):
    options = {"color": True, "shift": shift, "jpeg_info": True}
    (record,) = evaluate(model, [folder / "color.png"], [(10, 30)], **options).records
    y, x = cut
    degraded = jpeg_round_trip(jpeg_round_trip(rgb, 10)[y:, x:], 30)
    assert record.quality == (10, 30)
    assert record.degraded == Scores.of(rgb[y:, x:], degraded)
    assert record.aligned is None
    ((_, jpeg),) = model.told
    assert (jpeg.quality, jpeg.grid, jpeg.shape) == (30, (0, 0), degraded.shape[:2])


@pytest.mark.parametrize("quality", [20, "clean"])
def test_passes_feed_each_answer_back(folder, grey, quality):
    (record,) = evaluate(Darkener(), [folder / "grey.bmp"], [quality], passes=3).records
    once = deartifact(
        grey if quality == "clean" else jpeg_round_trip(grey, quality),
        Darkener(),
        force=True,
        consistency=False,
    )
    thrice = deartifact(
        deartifact(once, Darkener(), force=True, consistency=False), Darkener(), force=True, consistency=False
    )
    assert record.one_pass == Scores.of(grey, once)
    assert record.restored == Scores.of(grey, thrice)
    assert record.restored.psnr < record.one_pass.psnr - 3


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("codec", [name for name in CODECS if name != "jpeg"])
def test_other_codecs_meet_the_bitrate_of_jpeg(tmp_path, model, codec, color):
    pixels = data.astronaut()[:200, 100:300]
    Image.fromarray(pixels if color else pixels[..., 1]).save(tmp_path / "a.png")
    original = pixels if color else pixels[..., 1]
    (record,) = evaluate(model, tmp_path, [20], codec=codec, color=color).records
    size = len(jpeg_encode(original, 20))
    _, file = encode_to_size(original, codec, size)
    assert record.degraded == Scores.of(original, CODECS[codec].decode(file, grey=not color))
    assert record.jpeg_bits_per_pixel == 8 * size / 200**2
    assert record.bits_per_pixel == pytest.approx(record.jpeg_bits_per_pixel, rel=0.05)


@pytest.mark.parametrize(("quality", "codec"), [("clean", "jpeg"), (10, "jpeg2000")])
def test_what_is_known_of_the_history_is_no_warning(tmp_path, model, quality, codec):
    Image.fromarray(data.camera()[100:228, 150:278]).save(tmp_path / "a.png")
    evaluate(model, tmp_path, [quality], codec=codec, defaults=True)  # warnings are errors
    assert bool(model.told) == (codec == "jpeg2000")


def test_other_warnings_are_told(folder):
    class Slow(Recorder):
        def restore(self, tiles, jpeg):
            warnings.warn("out of memory; the CPU does the rest", UserWarning, stacklevel=1)
            return tiles

    with pytest.warns(UserWarning, match="the CPU does the rest"):
        evaluate(Slow(), folder, [20])


@pytest.mark.parametrize(("quality", "passes"), [(60, False), (97, True)])
def test_a_jpeg_is_no_original(tmp_path, model, quality, passes):
    Image.fromarray(data.camera()[100:228, 150:278]).save(tmp_path / "a.jpg", quality=quality)
    expected = nullcontext() if passes else pytest.warns(UserWarning, match="a JPEG of quality 60 itself")
    with expected:
        evaluate(model, tmp_path, [20])


def test_the_worst_picture_is_the_one_that_lost_most(folder):
    evaluation = evaluate(Darkener(), folder, [20, "clean"])
    for quality in (20, "clean"):
        scores = {record.image: record for record in evaluation.at(quality)}
        worst = evaluation.worst(quality)
        assert worst.restored.psnr - worst.degraded.psnr == min(record.gain for record in scores.values())
    assert worst.restored.psnr == min(record.restored.psnr for record in scores.values())


def test_qualities_are_read_as_they_are_written():
    for text in ("10", "clean", "10:30"):
        assert quality_label(parse_quality(text)) == text
    assert parse_quality(" 10:30 ") == (10, 30)
    for text in ("", "10:", "10:20:30", "best", "1.5"):
        with pytest.raises(ValueError, match="invalid literal"):
            parse_quality(text)


def test_progress(folder, model):
    seen = []
    evaluate(model, folder, [10, 20], progress=lambda *step: seen.append(step))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_evaluated_is_skipped_and_named(folder, model):
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(folder / "deep.png")
    (folder / "text.jpg").write_text("hello")
    evaluation = evaluate(model, folder, [10], color=True)
    assert set(evaluation.skipped) == {"deep.png", "text.jpg", "grey.bmp"}
    assert "8 bits" in evaluation.skipped["deep.png"]
    assert "is grey" in evaluation.skipped["grey.bmp"]
    assert [record.image for record in evaluation.records] == ["color.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"qualities": [0]}, "quality is 0"),
        ({"qualities": [101]}, "quality is 101"),
        ({"qualities": []}, "no qualities"),
        ({"luma": "video"}, "luma is 'video'"),
        ({"subsampling": "4:1:0", "color": True}, "4:1:0"),
        ({"model": "compact-cm"}, "unknown model"),
        ({"codec": "wepb"}, "did you mean 'webp'"),
        ({"codec": "webp", "qualities": [(10, 30)]}, "quality is 10:30; only JPEG goes twice"),
        ({"codec": "webp", "jpeg_info": True}, "codec is 'webp', which has no JPEG tables"),
        ({"codec": "webp", "consistency": True}, "codec is 'webp', which has no JPEG tables"),
        ({"qualities": [(10, 0)]}, "quality is 10:0"),
        ({"qualities": [(10,)]}, "quality is 10;"),
        ({"shift": (16, 0)}, r"shift is \(16, 0\); expected two numbers from 0 to 15"),
        ({"shift": (-1, 0)}, r"shift is \(-1, 0\)"),
        ({"shift": (1, 2, 3)}, r"shift is \(1, 2, 3\)"),
        ({"passes": 0}, "passes is 0"),
        ({"perceptual": 2}, "perceptual is 2"),
        ({"perceptual": 0.5}, "model 'identity' is loaded already"),
        ({"perceptual": 0.5, "model": "spp"}, "'spp' has no perceptual twin"),
    ],
)
def test_bad_arguments(folder, model, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(**({"model": model, "images": folder} | options))


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_model_is_as_perceptual_as_asked(folder, pair, share):
    expected = load_model("pair", "cpu", perceptual=share)
    evaluations = [
        evaluate(model, folder, (10,), device="cpu", **options)
        for model, options in (("pair", {"perceptual": share}), (expected, {}))
    ]
    scores = [[record.restored for record in evaluation.records] for evaluation in evaluations]
    assert scores[0] == scores[1]
    assert {evaluation.model for evaluation in evaluations} == {expected.name}


def test_no_pictures(tmp_path, model):
    with pytest.raises(ValueError, match="holds no pictures"):
        evaluate(model, tmp_path)
    with pytest.raises(FileNotFoundError, match="check the name"):
        evaluate(model, tmp_path / "missing")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ValueError, match=r"nothing could be evaluated: .*text\.jpg"):
        evaluate(model, tmp_path)


@pytest.mark.parametrize(("mode", "color", "shape"), [("LA", False, (50, 63)), ("RGBA", True, (50, 63, 3))])
def test_alpha_is_left_out_of_originals(tmp_path, rgb, mode, color, shape):
    Image.fromarray(rgb).convert(mode).save(tmp_path / "a.png")
    assert read_original(tmp_path / "a.png", color=color).shape == shape


def test_json_is_valid_with_a_line_an_image(folder, model):
    evaluation = evaluate(model, folder, [10, "clean"])
    text = to_json(evaluation, version="1.2", command="deartifact evaluate …")
    content = json.loads(text)
    assert content["model"] == "identity"
    assert content["version"] == "1.2"
    assert content["command"] == "deartifact evaluate …"
    assert content["qualities"] == [10, "clean"]
    assert [row["quality"] for row in content["mean"]] == [10, "clean"]
    assert content["mean"][1]["jpeg"]["psnr"] is None  # infinite
    assert [image["image"] for image in content["images"]] == ["color.png", "grey.bmp"]
    assert len(content["images"][0]["measures"]) == 2
    lines = [line for line in text.splitlines() if '"measures"' in line]
    assert len(lines) == 2
    assert json.loads(lines[0].rstrip(","))["image"] == "color.png"


def test_json_has_what_was_compared(folder):
    content = json.loads(
        to_json(
            evaluate(Darkener(), folder, [(10, 30), 20, "clean"], shift=(3, 5), passes=2),
            version="1",
            command="",
        )
    )
    assert content["qualities"] == ["10:30", 20, "clean"]
    assert (content["codec"], content["shift"], content["passes"]) == ("jpeg", [3, 5], 2)
    double, shifted, clean = content["images"][0]["measures"]
    assert double["quality"] == "10:30"
    assert [("aligned" in row, "one_pass" in row) for row in (double, shifted, clean)] == [
        (False, True),
        (True, True),
        (False, True),
    ]
    assert shifted["bits_per_pixel"] > 0
    assert [row["worst"]["image"] in ("grey.bmp", "color.png") for row in content["mean"]] == [True] * 3


def test_tables_of_comparisons_follow(folder):
    title, *lines = format_table(
        evaluate(Darkener(), folder, [(10, 30), 20, "clean"], shift=(3, 5), passes=2)
    ).splitlines()
    assert title.endswith("no header, shifted by 3,5, 2 passes")
    passes = lines.index("2 passes against one")
    shifted = lines.index("shifted against aligned, same pixels")
    assert [line.split()[0] for line in lines[1:4]] == ["10:30", "20", "clean"]
    assert [line.split()[0] for line in lines[passes + 2 : passes + 5]] == ["10:30", "20", "clean"]
    assert [line.split()[0] for line in lines[shifted + 2 :]] == ["20"]
    assert all(line.endswith((".png", ".bmp", "dB")) for line in [*lines[1:4], lines[-1]])
    assert " at " in lines[3]


def test_the_bitrates_are_shown(folder, model):
    table = format_table(evaluate(model, folder, [20], codec="webp")).splitlines()
    assert table[0].endswith("WebP at the bitrate of JPEG")
    assert table[-3] == "bits per pixel of JPEG and of WebP"
    assert table[-1].endswith("%")


def test_pictures_too_small_for_a_shift_are_skipped(folder, model):
    Image.fromarray(np.zeros((5, 20), np.uint8)).save(folder / "flat.png")
    evaluation = evaluate(model, folder, [20], shift=(5, 5))
    assert "5×20 pixels are too few for a shift of 5,5" in evaluation.skipped["flat.png"]
    assert "flat.png" in evaluation.skipped["flat.png"]
    assert not evaluate(model, folder, [20]).skipped


@pytest.mark.parametrize("quality", [20, "clean"])
def test_a_shift_leaves_whole_blocks_or_nothing(folder, model, quality):
    Image.fromarray(np.zeros((6, 20), np.uint8)).save(folder / "flat.png")
    assert "flat.png" in evaluate(model, folder, [quality], shift=(1, 1)).skipped


def test_pictures_of_one_name_are_told_apart(tmp_path, grey, model):
    for name, picture in (("a", grey), ("b", grey[:40])):
        (tmp_path / name).mkdir()
        Image.fromarray(picture).save(tmp_path / name / "x.png")
        (tmp_path / name / "y.png").write_bytes(b"no picture")
    paths = [tmp_path / folder / name for folder in "ab" for name in ("x.png", "y.png")]
    evaluation = evaluate(model, paths, [10])
    assert [record.image for record in evaluation.records] == [paths[0].as_posix(), paths[2].as_posix()]
    assert len(evaluation.skipped) == 2
    assert "2 pictures" in format_table(evaluation)
    assert [row["height"] for row in json.loads(to_json(evaluation, version="", command=""))["images"]] == [
        61,
        40,
    ]


def test_a_reader_that_is_missing_skips_its_pictures(folder, model, monkeypatch):
    def read(path, **options):
        if path.suffix == ".bmp":
            raise ModuleNotFoundError("needs pydicom")
        return read_original(path, **options)

    monkeypatch.setattr(sys.modules[evaluate.__module__], "read_original", read)
    assert "needs pydicom" in evaluate(model, folder, [10]).skipped["grey.bmp"]


def test_table_has_a_line_a_quality(folder, model):
    lines = format_table(evaluate(model, folder, [10, "clean"])).splitlines()
    assert lines[0] == "identity: 2 pictures, grey as it is, colour to full-range luma, no header"
    assert [line.split()[0] for line in lines[2:]] == ["10", "clean"]
    assert "+0.00" in lines[2]
    assert "nan" not in lines[3]


class Brightness:
    """A distance that can be worked out by hand; it does not know small pictures."""

    key = "perceptual"
    name = "perceptual distance by brightness"
    needs_original = True

    def __call__(self, original, picture):
        return math.nan if original.shape[0] < 55 else abs(float(original.mean()) - float(picture.mean()))


class Darkness:
    """A measure that asks no original."""

    key = "niqe"
    name = "darkness"
    needs_original = False

    def __call__(self, original, picture):
        return 255 - float(picture.mean())


def test_a_perceptual_distance_is_one_more_column(folder, grey):
    evaluation = evaluate(Darkener(), folder, [10], measures=[Brightness()])
    color, found = evaluation.records
    degraded = jpeg_round_trip(grey, 10)
    assert found.degraded.others["perceptual"] == pytest.approx(abs(grey.mean() - degraded.mean()))
    assert found.restored.others["perceptual"] > found.degraded.others["perceptual"]
    assert math.isnan(color.degraded.others["perceptual"])
    before, after, _ = evaluation.mean(10)
    assert (before.others, after.others) == (found.degraded.others, found.restored.others)
    title, header, line, *below = format_table(evaluation).splitlines()
    assert title.endswith("perceptual distance by brightness")
    assert "feature distance in → out  " in header
    assert below == [
        "less is better: feature distance",
        "feature distance: 1 of 2 pictures; the others are too small or too flat for it",
    ]
    assert f"{before.others['perceptual']:.4f} → {after.others['perceptual']:.4f}  " in line
    written = json.loads(to_json(evaluation, version="0", command=""))
    assert written["measured_by"] == {"perceptual": "perceptual distance by brightness"}
    assert written["mean"][0]["restored"]["perceptual"] == round(after.others["perceptual"], 5)
    assert written["images"][0]["measures"][0]["jpeg"]["perceptual"] is None
    assert "original" not in written["mean"][0]
    assert "original" not in written["images"][0]["measures"][0]


def test_what_needs_no_original_is_measured_of_originals_too(folder, grey):
    evaluation = evaluate(
        Darkener(), folder, [10], measures=[Brightness(), Darkness()], shift=(3, 5), passes=2
    )
    _, found = evaluation.records
    assert found.original == {"niqe": pytest.approx(255 - grey[3:, 5:].mean())}
    assert found.restored.others["niqe"] > found.one_pass.others["niqe"] > found.degraded.others["niqe"]
    assert found.aligned.others["niqe"] > found.degraded.others["niqe"]
    mean = evaluation.originals(10)["niqe"]
    assert mean == pytest.approx(np.mean([record.original["niqe"] for record in evaluation.records]))
    title, header, line, *_ = format_table(evaluation).splitlines()
    assert title.endswith("perceptual distance by brightness, darkness")
    assert "feature distance in → out    niqe in → out (original)  " in header
    assert f" ({mean:.4f})  " in line
    written = json.loads(to_json(evaluation, version="0", command=""))
    assert list(written["measured_by"]) == ["perceptual", "niqe"]
    assert written["mean"][0]["original"] == {"niqe": round(mean, 5)}
    assert written["images"][1]["measures"][0]["original"] == {"niqe": round(found.original["niqe"], 5)}
    assert set(written["mean"][0]["aligned"]) == {"psnr", "psnr_b", "ssim", "perceptual", "niqe"}


class Known:
    """A measure that knows the means of some pictures alone."""

    name = "a table"
    needs_original = True

    def __init__(self, key, known):
        self.key, self.known = key, known

    def __call__(self, original, picture):
        return 1.0 if self.known(picture) else math.nan


@pytest.mark.parametrize(
    ("key", "known", "below"),
    [
        ("own", lambda picture: True, []),
        ("niqe", lambda picture: True, ["less is better: niqe"]),
        (
            "own",
            lambda picture: picture.shape[0] > 55,
            ["own: 1 of 2 pictures; the others are too small or too flat for it"],
        ),
        ("own", lambda picture: False, ["own: no mean; every picture (2) is too small or too flat for it"]),
        (
            "own",
            lambda picture: len(np.unique(picture)) > 150,
            ["own at 1: 1 of 2 pictures; the others are too small or too flat for it"],
        ),
    ],
)
def test_below_the_table_stands_what_a_mean_is_of(folder, model, key, known, below):
    evaluation = evaluate(model, folder, [1, "clean"], measures=[Known(key, known)])
    assert format_table(evaluation).splitlines()[4:] == below


def test_where_ssim_has_no_place_the_table_says_so(tmp_path, model):
    Image.fromarray(np.full((10, 10), 9, np.uint8)).save(tmp_path / "small.png")
    told = format_table(evaluate(model, tmp_path, [10])).splitlines()
    assert told[3:] == ["SSIM: no mean; every picture (1) is too small or too flat for it"]


def test_means_before_and_after_are_of_the_same_pictures(folder):
    def record(name, before, after, original):
        sides = [Scores(30, 30, 1, {"niqe": figure}) for figure in (before, after)]
        return Record(name, 8, 8, 10, *sides, 1.0, original={"niqe": original})

    rows = [("a", 5.0, 4.0, 3.0), ("b", math.nan, 8.0, 9.0), ("c", 9.0, 9.0, math.nan)]
    empty = evaluate(Darkener(), folder, [10])
    found = replace(empty, records=tuple(record(*row) for row in rows), measured_by={"niqe": "NIQE"})
    before, after, _ = found.mean(10)
    figures = [before.others, after.others, found.originals(10)]
    assert figures == [{"niqe": 5.0}, {"niqe": 4.0}, {"niqe": 3.0}]
    assert "niqe: 1 of 3 pictures; the others" in format_table(found)


def test_measures_are_told_apart_by_their_keys(folder, model):
    with pytest.raises(ValueError, match="the measures are niqe, niqe; expected a key of its own for each"):
        evaluate(model, folder, [10], measures=[Darkness(), Darkness()])


def test_without_measures_there_are_no_such_columns(folder, model):
    evaluation = evaluate(model, folder, [10])
    assert "perceptual" not in format_table(evaluation)
    written = json.loads(to_json(evaluation, version="0", command=""))
    assert written["measured_by"] == {}
    assert set(written["mean"][0]["restored"]) == {"psnr", "psnr_b", "ssim"}


def test_what_compression_did_not_change_is_no_part_of_the_decibels(folder, tmp_path):
    blank = Record("blank", 8, 8, 10, *[Scores(math.inf, math.inf, math.nan)] * 2, 1.0)
    other = Record("other", 8, 8, 10, Scores(30, 29, 0.8), Scores(31.5, 31, 0.9), 1.0)
    empty = evaluate(Darkener(), folder, [10])
    before, after, _ = replace(empty, records=(blank, other)).mean(10)
    assert (before, after) == (other.degraded, other.restored)
    told = format_table(replace(empty, records=(blank, other)))
    assert "decibels at 10: 1 of 2 pictures; compression did not change the others" in told
    only, _, _ = replace(empty, records=(blank,)).mean(10)
    assert only.psnr == math.inf
