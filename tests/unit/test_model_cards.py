"""The cards of the models say what their headers say, and nothing is told of a picture that is gone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from napari_deartifact.generators import build
from napari_deartifact.models.model_file import ModelCard, read_model, save_model

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from cards.findings import Findings, Row, digest  # noqa: E402
from cards.markdown import arguments  # noqa: E402
from cards.text import Model, card_text, index_text  # noqa: E402
from model_cards import SECTIONS, complaints, read_notes, shipped  # noqa: E402

NOTES = {title: f"Words for: {title}." for title in SECTIONS}
ROW = Row("Text", "letters", 10, 8, 16, 1, jpeg=20.0, restored=19.5, bound=20.25)
FOUND = Findings("", [ROW], {"Text": [-0.5, None, 0.25, 1.0, 2.0]})
PHASE = {"steps": 100, "losses": {"l2": 1.0}, "learning_rate": 0.001}
RUN = {"steps": 1234, "seconds": 300, "pictures": 7, "device": "cpu", "seed": 3, "init": None}
RECIPE = {
    "name": "first",
    "phases": [PHASE],
    "data": {"patch_size": 96, "batch_size": 8, "qualities": [{"low": 5, "high": 95, "weight": 1.0}]},
    "run": RUN,
}
DONE = "1,234 steps of 8 patches of 96×96 pixels, drawn from 7 pictures, in 5 minutes on `cpu`, seed 3"
ROWS = [
    {
        "quality": "clean",
        "jpeg": {"psnr": None, "ssim": 1.0},
        "restored": {"psnr": 47.123, "ssim": 0.9987},
        "worst": {"image": "a.png", "restored": {"psnr": 41.5, "ssim": 0.99}},
    }
]
CARD = ModelCard(
    "tiny",
    "compact-cnn",
    {"widths": [40], "dilations": [1, 1]},
    description="A tiny one.",
    recipe=RECIPE,
    data=[{"name": "Mine | yours", "licence": "CC0"}],
    results=[{"command": "deartifact evaluate --model tiny", "set": "Mine", "table": ROWS}],
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, build(CARD.architecture, CARD.arguments), CARD)
    return path


def text_of(weights, **changes):
    card = replace(CARD, **changes)
    return card_text(Model(weights.stem, card.description, weights, card), NOTES, FOUND)


def test_the_cards_that_ship_are_current():
    assert complaints(shipped()) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "| architecture | `compact-cnn`: widths 40; dilations 1, 1 |"),
        ({}, "| parameters | 2,203 |"),
        ({}, "| work | 0.004 MFLOP a pixel; a multiplication and an addition are two |"),
        ({}, "| licence of the weights | BSD-3-Clause |"),
        ({}, "| clean | ∞ / 1.0 | 47.123 / 0.9987 | a.png: 41.5 / 0.99 |"),
        ({}, "`deartifact evaluate --model tiny`"),
        ({}, "Compute spent: 5 minutes on `cpu`, in one run."),
        ({}, f"{DONE}."),
        ({}, "| 1 | 100 | `l2` | 0.001, constant |"),
        ({}, "| Mine &#124; yours | CC0 |"),
        ({}, "| Text | letters | 8, 16 | 10 | 20.00 | 19.50 (−0.50) | 20.25 (+0.25) |"),
        ({}, "| Text | −0.50 | – | +0.25 | +1.00 | +2.00 |"),
        ({}, "Words for: Do not use it for."),
        ({"color": "luma"}, "| takes | luma; the chroma of a colour picture stays as it is |"),
        ({"color": "any"}, "| takes | RGB, and grey as it is |"),
        (
            {"recipe": {**RECIPE, "phases": [{**PHASE, "colors": "luma", "freeze": ["chroma"]}]}},
            "| 1 | 100 | `l2`, of luma alone; `chroma` frozen | 0.001, constant |",
        ),
        (
            {"recipe": {**RECIPE, "phases": [{**PHASE, "colors": "chroma", "keep_best": "gain_q20"}]}},
            "| 1 | 100 | `l2`, of chroma alone; keeps the weights best in `gain_q20` | 0.001, constant |",
        ),
        ({"results": []}, "The header holds no measurements."),
        ({"data": []}, "The header names none."),
        ({"recipe": {}}, "The header does not say."),
        (
            {"recipe": {**RECIPE, "run": {**RUN, "device": "cuda", "init": "x"}, "before": RECIPE}},
            "Compute spent: 5 minutes on `cpu` and 5 minutes on `cuda`, in 2 runs.",
        ),
        (
            {"recipe": {**RECIPE, "run": {**RUN, "init": "there/general.safetensors"}}},
            f"{DONE}, from `general`.",
        ),
        (
            {"recipe": {**RECIPE, "interpolated": {"share": 0.7, "first": {"steps": 5}, "second": RUN}}},
            "The weights lie 0.7 of the way, from those after 5 to 1,234 steps.",
        ),
        ({"recipe": {**RECIPE, "deviations": "it rained"}}, "Not as the recipe says: it rained."),
    ],
)
def test_a_card_says_what_the_header_says(weights, changes, line):
    assert line in text_of(weights, **changes).splitlines()


def test_what_grey_needs_is_told_where_it_is_less(tmp_path):
    network = build("luma-chroma-unet")
    path = tmp_path / "both.safetensors"
    card = replace(CARD, architecture="luma-chroma-unet", arguments=network.arguments, color=network.color)
    save_model(path, network, card)
    lines = card_text(Model("both", "", path, card), NOTES, FOUND).splitlines()
    work = "0.078 in colour, 0.052 MFLOP a pixel in grey; a multiplication and an addition are two"
    assert f"| work | {work} |" in lines
    assert "| sees | 130 in colour, 67 pixels to each side in grey |" in lines


def test_the_parts_of_a_network_are_told_apart():
    parts = {"luma": {"widths": [8, 12], "blocks": [1, 2]}, "chroma": {"widths": [4]}}
    assert arguments(parts) == "luma (widths 8, 12; blocks 1, 2); chroma (widths 4)"


def test_a_perceptual_model_is_shown_beside_its_faithful_twin(weights):
    found = replace(FOUND, rows=[replace(ROW, faithful=21.0)])
    text = card_text(Model("general-perceptual", "For the eye.", weights, CARD), NOTES, found)
    assert "| bound to the file | `general` |" in text
    assert "| 20.25 (+0.25) | 21.00 (+1.00) |" in text


def test_a_picture_is_of_the_weights_whatever_the_header_says(tmp_path, weights):
    generator, card = read_model(weights)
    paths = [
        tmp_path / name for name in ("tiny.safetensors", "other.safetensors", "tiny-perceptual.safetensors")
    ]
    save_model(paths[0], generator, replace(card, results=[]))
    save_model(paths[1], generator.half(), card)
    save_model(paths[2], generator, card)
    assert digest(weights) == digest(paths[0])
    assert len({digest(path) for path in paths}) == 3, (
        "the picture of a perceptual twin shows the faithful one"
    )


def test_a_method_without_weights_has_a_card():
    text = card_text(Model("spp", "Weightless."), NOTES, FOUND)
    assert "no weights" in text
    assert "trained on" not in text


def test_a_result_of_another_kind_is_refused(weights):
    with pytest.raises(ValueError, match=r"tiny: .*'judge' has no table of qualities"):
        text_of(weights, results=[{"command": "judge", "coverage": {}}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "look at the picture, and write it with '<!-- seen: 1234abcd -->'"),
        ("<!-- seen: 1234abcd -->\n## Use it for\nx\n", "mend Do not use it for, Failure cases"),
        ("{all}## More\nx\n", "mend More"),
        ("Hello\n{all}", "mend what stands before the first heading"),
        ("{all}It gains 3 dB.\n", "holds the figure '3 dB'"),
        ("<!-- seen: 00000000 -->\n{sections}", "describes another picture"),
        ("{sections}", "describes another picture"),
    ],
)
def test_words_that_cannot_be_right_are_refused(tmp_path, text, message):
    path = tmp_path / "tiny.md"
    sections = "".join(f"## {title}\n{body}\n" for title, body in NOTES.items())
    if text is not None:
        path.write_text(text.format(all=f"<!-- seen: 1234abcd -->\n{sections}", sections=sections))
    with pytest.raises((FileNotFoundError, ValueError)) as caught:
        read_notes(path, "1234abcd")
    assert message in str(caught.value)


def test_what_is_missing_stale_or_left_over_is_told(tmp_path, weights):
    models = shipped(weights.parent)
    assert [model.name for model in models] == ["tiny", "spp"]
    (tmp_path / "README.md").write_text(index_text(models))
    (tmp_path / "gone.md").write_text("# gone")
    found = complaints(models, tmp_path)
    assert len(found) == 3
    assert all("tools/model_cards.py" in line for line in found[:2])
    assert "gone.md is of no model that ships; remove it" in found[2]
    (tmp_path / "README.md").write_text("old")
    assert len(complaints(models, tmp_path)) == 4
