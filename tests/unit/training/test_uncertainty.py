"""The head's training: pairs that fit, a loss that asks for coverage, and the same weights each time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_deartifact import load_model
from napari_deartifact.generators.error_head import ErrorHead, calibration_terms
from napari_deartifact.models.error_network import read_error_head
from napari_deartifact.models.model_file import read_card
from napari_deartifact.training.error_coverage import calibrate, coverage, coverage_loss, fit_calibration
from napari_deartifact.training.error_examples import HeadRecipe, make_example
from napari_deartifact.training.uncertainty import (
    fit_head,
    held_out_examples,
    part_pictures,
    train_head,
    with_calibrations,
)

SMALL = HeadRecipe(examples=4, example_size=64, steps=25, batch_size=2, patch_size=48)


@pytest.fixture(scope="module")
def restorers():
    return [load_model("compact-cnn", "cpu"), load_model("spp", "cpu")]


@pytest.mark.parametrize("law", ["normal", "laplace", "logistic"])
def test_loss_is_least_at_the_coverage_asked_for(law):
    errors = torch.from_numpy(np.abs(getattr(np.random.default_rng(0), law)(size=50_000)))
    log_error = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([log_error], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        coverage_loss(log_error.expand(len(errors)), errors.abs()).backward()
        optimizer.step()
    sigma = float(log_error.detach().exp())
    within = [float((errors.abs() <= count * sigma).double().mean()) for count in (1, 2)]
    assert 0.63 < within[0] < 0.73
    assert 0.92 < within[1] < 0.98


def test_ties_do_not_break_the_loss():
    log_error = torch.zeros(10, requires_grad=True)
    loss = coverage_loss(log_error, torch.zeros(10))
    loss.backward()
    assert torch.isfinite(loss)
    assert (log_error.grad > 0).all()


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_examples_fit(loaded, restorers, grey):
    rng = np.random.default_rng(1)
    pictures = [picture for picture in loaded.pictures if picture.pixels.ndim == 3]
    recipe = HeadRecipe(example_size=64, grey=grey, partial=0, rounded=0, noisy=0, qualities=(20, 20))
    example = make_example(pictures, restorers, recipe, rng)
    channels = 1 if grey else 3
    for part in (example.clean, example.degraded, example.restored, example.quantization):
        assert part.shape == (channels, 64, 64)
    assert example.even.shape == (channels,)
    before, after = (
        np.square(part.astype(float) - example.clean).mean() for part in (example.degraded, example.restored)
    )
    assert after < before


def test_same_recipe_same_weights_and_they_learn(loaded, restorers):
    rng = np.random.default_rng(0)
    examples = [make_example(loaded.pictures, restorers, SMALL, rng) for _ in range(4)]
    first, second = fit_head(examples, SMALL), fit_head(examples, SMALL)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)

    def loss(head: ErrorHead) -> float:
        total = 0.0
        for example in examples:
            degraded, restored, quantization, even = (
                torch.from_numpy(np.resize(part, (3, *part.shape[1:])).astype(np.float32))[None]
                for part in (example.degraded, example.restored, example.quantization, example.even)
            )
            answer = head(restored / 255, degraded / 255, quantization, even)[0, : len(example.clean)]
            error = torch.from_numpy(np.abs(example.restored - example.clean))
            total += float(coverage_loss(answer, error).detach())
        return total

    assert loss(first) < loss(ErrorHead()) - 0.01


def test_calibrated_head_holds_what_was_asked_for(loaded, restorers):
    rng = np.random.default_rng(0)
    examples = [make_example(loaded.pictures, restorers, SMALL, rng) for _ in range(4)]
    head = fit_head(examples, SMALL)
    calibrate(head, examples, examples)
    right = coverage(head, examples)
    assert 63 < right["one"] < 78
    assert 90 < right["two"] < 98
    with torch.no_grad():
        head.last.bias += np.log(1.5)
    too_wide = coverage(head, examples)
    assert too_wide["one"] > right["one"] + 5
    assert too_wide["one_least"] < too_wide["one"] < too_wide["one_most"]
    calibrate(head, examples, examples)
    assert coverage(head, examples)["one"] == pytest.approx(right["one"], abs=1)


def test_calibration_mends_what_is_too_sure_of_large_and_small():
    torch.manual_seed(0)
    true, coarseness = 2 + 0.6 * torch.randn(100_000), 1 + 4 * torch.rand(100_000)
    magnitude = true.exp() * torch.randn(true.shape).abs()
    bent = 0.3 * (coarseness - 3) - 0.1 * (coarseness - 3) ** 2
    told = true + 0.5 * (true - 2) + bent  # too far from the mean, and out by the tables

    def shares(log_error):
        within = (magnitude <= log_error.exp())[log_error.argsort()]
        return [float(part.double().mean()) for part in within.tensor_split(10)]

    mended = told + fit_calibration(told, magnitude, coarseness) @ torch.stack(
        calibration_terms(told, coarseness)
    )
    assert min(shares(told)) < 0.5
    assert max(shares(told)) > 0.8
    assert 0.63 < min(shares(mended)) <= max(shares(mended)) < 0.73


def test_each_model_has_a_calibration_of_its_own(pictures, restorers):
    recipe = replace(SMALL, held_out=4)
    _, judging = part_pictures([pictures], recipe)
    head, shares = with_calibrations(ErrorHead(), judging, restorers, recipe)
    assert set(shares) == {"compact-cnn", "spp", "any"}
    for model in restorers:
        examples = held_out_examples(judging, [model], recipe)
        assert coverage(head, examples, model=model.name) == shares[model.name]
        assert coverage(head, examples) != shares[model.name]
    calibrations = [head.calibration_of(name) for name in ("compact-cnn", "spp", "of my own")]
    assert not torch.equal(calibrations[0], calibrations[1])
    assert torch.equal(calibrations[2], head.calibration[0])


def test_without_examples_nothing_is_calibrated():
    head = ErrorHead()
    head.calibration.fill_(0.5)
    calibrate(head, [], [])
    assert not head.calibration.any()


def test_faded_originals_have_less_contrast(loaded, restorers):
    contrasts = []
    for share in (0.0, 1.0):
        recipe = replace(SMALL, faded=share, halved=0, noisy=0, grey=1)
        examples = [
            make_example(loaded.pictures, restorers, recipe, np.random.default_rng(seed)) for seed in range(5)
        ]
        contrasts.append(np.mean([np.ptp(example.clean) for example in examples]))
    assert contrasts[1] < 0.8 * contrasts[0]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_originals_are_halved_and_noisy_as_asked(loaded, restorers, share):
    large = [replace(picture, pixels=np.full((300, 300), 128, np.uint8)) for picture in loaded.pictures[:1]]
    large[0].pixels[::2] = 130
    recipe = HeadRecipe(example_size=64, halved=1.0, faded=0.0, noisy=share)
    example = make_example(large, restorers, recipe, np.random.default_rng(0))
    assert abs(float(example.clean.mean()) - 129) < 0.5
    assert (example.clean.std() > 0) == bool(share)


def test_card_names_models_and_sources(pictures, restorers, tmp_path):
    path = tmp_path / "head.safetensors"
    told = []
    train_head(
        [pictures],
        path,
        restorers,
        HeadRecipe(examples=1, example_size=48, steps=1, batch_size=1, patch_size=40, held_out=1),
        sources=[{"name": "made", "licence": "CC0"}],
        progress=lambda what, *_: told.append(what),
    )
    card = read_card(path)
    assert card.recipe["restorers"] == ["compact-cnn", "spp"]
    assert card.data == [{"name": "made", "licence": "CC0"}]
    assert set(told) == {"examples", "steps"}
    assert set(card.results[0]["coverage"]) == {"compact-cnn", "spp", "any"}
    assert set(card.results[0]["coverage"]["spp"]) >= {"one", "two"}
    assert card.arguments["models"] == ["compact-cnn", "spp"]
    assert read_error_head(path).calibration.any()
    assert len(card.results[0]["files"]) == 1


def test_files_in_a_card_are_held_out_again_when_the_folder_has_grown(pictures, restorers, tmp_path):
    grown = tmp_path / "grown"
    shutil.copytree(pictures, grown)
    recipe = replace(SMALL, held_out=2)
    training, judging = part_pictures([pictures], recipe)
    held_out = {Path(picture.file).name for picture in judging[0]}
    for number in range(5):
        shutil.copy(Path(training[0][0].file), grown / f"0{number}.png")
    first, second = part_pictures([grown, grown], recipe, held_out)[1]
    assert {Path(picture.file).name for picture in first} == held_out
    assert second is first
    one, other = (held_out_examples(groups, restorers, recipe) for groups in (judging, [first]))
    for expected, example in zip(one, other, strict=True):
        np.testing.assert_array_equal(example.restored, expected.restored)
