"""The harness measures what it says: the JPEG row is libjpeg's, the restored row is the model's."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.evaluation import Scores, evaluate, format_table, to_json
from napari_deartifact.evaluation.evaluate import read_original
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
    ],
)
def test_bad_arguments(folder, model, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(**({"model": model, "images": folder} | options))


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


def test_table_has_a_line_a_quality(folder, model):
    lines = format_table(evaluate(model, folder, [10, "clean"])).splitlines()
    assert lines[0] == "identity: 2 pictures, grey as it is, colour to full-range luma, no header"
    assert [line.split()[0] for line in lines[2:]] == ["10", "clean"]
    assert "+0.00" in lines[2]
    assert "nan" not in lines[3]
