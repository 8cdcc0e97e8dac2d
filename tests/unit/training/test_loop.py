"""The loop learns, repeats itself, goes on where it stopped, and stops before it spoils anything."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.jpeg.ycbcr import chroma, luma
from napari_deartifact.training import Trainer, TrainingDivergedError, list_recipes, parse_recipe, read_recipe
from napari_deartifact.training.features import load_features
from napari_deartifact.training.losses import l1
from napari_deartifact.training.optimization import memory_format, schedule
from napari_deartifact.training.pairs import PairSource, validation_pairs
from napari_deartifact.training.phase_check import check_phase
from napari_deartifact.training.phase_recipe import ScheduleRecipe
from napari_deartifact.training.start import make_networks


@pytest.fixture
def start(loaded):
    """Make a trainer at step 0."""

    def start(recipe, seed=0, **options):
        torch.manual_seed(seed)
        generator = build(recipe.generator.architecture, recipe.generator.arguments)
        return Trainer(recipe, generator, PairSource(loaded.pictures, recipe.data, 3, seed), **options)

    return start


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_the_loss_falls_and_the_validation_gains(start, make_recipe, loaded):
    trainer = start(make_recipe(steps=150, learning_rate=2e-3, ema_decay=0.9))
    before = weights(trainer.average)
    losses = [record.loss for record in trainer.steps()]
    batches = map(trainer.pairs.batch, range(100, 150))
    assert sum(losses[-50:]) < sum(float(l1(degraded / 255, clean / 255)) for degraded, clean in batches)
    assert not torch.equal(weights(trainer.average), before)
    crops = {quality: validation_pairs(loaded.pictures, quality, 3) for quality in (10, None)}
    measured = trainer.validate(crops)
    assert measured["gain_q10"] > 0
    assert 30 < measured["clean_psnr"] <= 100


def test_an_untrained_residual_network_changes_nothing(start, recipe, loaded):
    crops = {quality: validation_pairs(loaded.pictures, quality, 3) for quality in (10, None)}
    assert start(recipe).validate(crops) == {"gain_q10": 0, "clean_psnr": 100}


def test_the_same_seed_gives_the_same_weights(start, recipe):
    first, second, other = start(recipe), start(recipe), start(recipe, seed=1)
    records = [[record.loss for record in trainer.steps()] for trainer in (first, second, other)]
    assert records[0] == records[1] != records[2]
    assert torch.equal(weights(first.average), weights(second.average))


def check_resuming(start, recipe, stop, path):
    """A run that stops, is saved, and goes on in another trainer must be the one that never stopped."""
    whole, first, resumed = start(recipe), start(recipe), start(recipe)
    expected = [(record.step, record.phase, record.loss, record.learning_rate) for record in whole.steps()]
    running = first.steps()
    for _ in itertools.islice(running, stop):
        pass
    running.close()
    first.save_checkpoint(path)
    resumed.load_checkpoint(path)
    rest = [(record.step, record.phase, record.loss, record.learning_rate) for record in resumed.steps()]
    assert rest == expected[stop:]
    assert torch.equal(weights(resumed.generator), weights(whole.generator))
    assert torch.equal(weights(resumed.average), weights(whole.average))


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_run_equals_an_uninterrupted_one(start, make_recipe, tmp_path, stop):
    phase = {"steps": 3, "losses": {"l1": 1.0}, "ema_decay": 0.5, "precision": "float32"}
    recipe = make_recipe()
    second = replace(recipe.phases[0], steps=3, losses={"l2": 1.0}, learning_rate=1e-4)
    recipe = replace(recipe, phases=(replace(make_recipe(**phase).phases[0]), second))
    check_resuming(start, recipe, stop, tmp_path / "run.checkpoint")


def test_a_checkpoint_of_another_recipe_is_refused(start, recipe, tmp_path):
    path = tmp_path / "run.checkpoint"
    start(recipe).save_checkpoint(path)
    other = replace(recipe, data=replace(recipe.data, batch_size=4))
    with pytest.raises(ValueError, match=r"data\.batch_size is 2 there and 4 here"):
        start(other).load_checkpoint(path)
    with pytest.raises(ValueError, match="seed is 0 there and 1 here"):
        start(recipe, seed=1).load_checkpoint(path)


def test_a_damaged_checkpoint_is_refused(start, recipe, tmp_path):
    path = tmp_path / "run.checkpoint"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"run\.checkpoint is not a checkpoint"):
        start(recipe).load_checkpoint(path)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_weights(start, recipe, monkeypatch):
    trainer = start(recipe)
    running = trainer.steps()
    next(running), next(running)
    monkeypatch.setattr(trainer, "objective", lambda restored, *_: (restored.sum() * math.nan, {}))
    with pytest.raises(TrainingDivergedError, match="at step 3"):
        next(running)
    assert trainer.step == 2
    assert weights(trainer.average).isfinite().all()
    assert weights(trainer.generator).isfinite().all()


def test_steps_and_phases_keep_their_shares(start, make_recipe):
    recipe = make_recipe(steps=10)
    recipe = replace(recipe, phases=(recipe.phases[0], replace(recipe.phases[0], steps=30)))
    phases = [record.phase for record in start(recipe, steps=8).steps()]
    assert phases == [0, 0, 1, 1, 1, 1, 1, 1]


def test_a_run_limited_by_time_ends_its_schedule(start, make_recipe):
    recipe = make_recipe(steps=10**9, schedule={"name": "cosine"})
    rates = [record.learning_rate for record in start(recipe, minutes=1 / 60).steps()]
    assert rates[0] == pytest.approx(1e-3)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 3e-4


@pytest.mark.parametrize(
    ("options", "message"), [({"steps": 0}, "steps is 0"), ({"minutes": -1}, "minutes is -1")]
)
def test_a_run_without_length_is_refused(start, recipe, options, message):
    with pytest.raises(ValueError, match=message):
        start(recipe, **options)


@pytest.mark.parametrize(
    ("how", "local", "steps", "share"),
    [
        (ScheduleRecipe("constant"), 0.9, 90, 1.0),
        (ScheduleRecipe("constant", warmup=10), 0.0, 0, 0.1),
        (ScheduleRecipe("cosine"), 0.0, 0, 1.0),
        (ScheduleRecipe("cosine"), 0.5, 5, 0.5),
        (ScheduleRecipe("cosine", floor=0.2), 1.0, 10, 0.2),
        (ScheduleRecipe("cosine", warmup=20), 0.5, 9, 0.25),
        (ScheduleRecipe("one-cycle"), 0.0, 0, 0.04),
        (ScheduleRecipe("one-cycle"), 0.3, 3, 1.0),
        (ScheduleRecipe("one-cycle"), 0.65, 3, 0.5),
        (ScheduleRecipe("one-cycle", floor=0.1), 1.0, 9, 0.1),
    ],
)
def test_schedules(how, local, steps, share):
    assert schedule(how, local, steps) == pytest.approx(share)


def test_the_average_of_no_decay_is_the_weights(start, make_recipe):
    trainer = start(make_recipe(ema_decay=0.0))
    list(trainer.steps())
    assert torch.equal(weights(trainer.average), weights(trainer.generator))


def test_gradients_are_clipped(start, make_recipe):
    trainer = start(make_recipe(gradient_clip=1e-4))
    next(trainer.steps())
    norm = torch.cat([parameter.grad.flatten() for parameter in trainer.generator.parameters()]).norm()
    assert norm <= 1e-4 * 1.001


def test_gradients_of_an_earlier_phase_have_no_part_in_clipping(start, luma_then_chroma):
    trainer = start(luma_then_chroma)
    for record in trainer.steps():
        gradients = [parameter.grad for parameter in trainer.generator.luma.parameters()]
        assert all((gradient is None) == (record.phase == 1) for gradient in gradients)


@pytest.mark.parametrize(
    ("dilations", "expected"), [([1, 1], torch.channels_last), ([1, 2], torch.contiguous_format)]
)
def test_dilated_networks_are_not_trained_channels_last(dilations, expected):
    generator = build("compact-cnn", {"widths": [8], "dilations": dilations})
    assert memory_format(generator, torch.device("cpu")) == expected


def test_bfloat16_trains_too(start, make_recipe):
    assert all(math.isfinite(record.loss) for record in start(make_recipe(precision="bfloat16")).steps())


def test_a_key_that_an_earlier_version_lacked_has_its_default(start, recipe, tmp_path):
    path = tmp_path / "run.checkpoint"
    trainer = start(recipe)
    trainer.save_checkpoint(path)
    state = torch.load(path, weights_only=True)
    (phase,) = state["identity"]["recipe"]["phases"]
    del phase["colors"]
    torch.save(state, path)
    trainer.load_checkpoint(path)
    phase |= {"colors": "all", "retired": 1}
    torch.save(state, path)
    with pytest.raises(ValueError, match="retired is 1 there and None here"):
        trainer.load_checkpoint(path)


LUMA_CHROMA = {"luma": {"widths": [8], "blocks": [1]}, "chroma": {"widths": [8], "blocks": [1]}}


def test_a_checkpoint_may_have_any_name(start, recipe, tmp_path):
    trainer = start(recipe)
    trainer.save_checkpoint(tmp_path / "run")
    trainer.load_checkpoint(tmp_path / "run")


@pytest.fixture
def luma_then_chroma(make_recipe):
    """A recipe of two phases, in which each half of the network learns in its turn."""
    entries = make_recipe(steps=4, learning_rate=1e-2, ema_decay=0.0).to_dict()
    (phase,) = entries["phases"]
    return parse_recipe(
        {
            **entries,
            "generator": {"architecture": "luma-chroma-unet", "arguments": LUMA_CHROMA},
            "phases": [
                {**phase, "colors": "luma", "freeze": ["chroma"]},
                {**phase, "colors": "chroma", "freeze": ["luma"]},
            ],
        }
    )


def test_luma_learns_first_and_then_chroma(start, luma_then_chroma):
    trainer = start(luma_then_chroma)
    seen, halves = [], []
    trainer.generator.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    for record in trainer.steps():
        halves.append((weights(trainer.generator.luma), weights(trainer.generator.chroma)))
        assert record.phase == (record.step > 4)
    assert seen == [1] * 4 + [3] * 4
    (early_luma, early_chroma), (late_luma, late_chroma) = halves[0], halves[3]
    assert not torch.equal(early_luma, late_luma)
    assert torch.equal(early_chroma, late_chroma)
    assert torch.equal(halves[-1][0], late_luma)
    assert not torch.equal(halves[-1][1], late_chroma)


@pytest.mark.parametrize(("phase", "planes"), [(0, luma), (1, chroma)])
def test_the_loss_is_that_of_the_planes_that_a_phase_compares(start, luma_then_chroma, phase, planes):
    trainer = start(replace(luma_then_chroma, phases=luma_then_chroma.phases[phase:]))
    degraded, clean = trainer.pairs.batch(0)
    loss, _ = trainer.descend(degraded, clean)
    assert loss == pytest.approx(float(l1(planes(degraded / 255), planes(clean / 255))), rel=1e-4)


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        ({"freeze": []}, r"colors is 'luma', which says nothing of chroma; add freeze = \['chroma'\]"),
        ({"colors": "chroma"}, r"colors is 'chroma', which says nothing of luma; add freeze = \['luma'\]"),
        ({"losses": {"feature": 1.0}}, "colors is 'luma', and the loss 'feature' takes RGB"),
        ({"colors": "hue"}, "phases.colors is 'hue'; expected one of all, luma, chroma"),
    ],
)
def test_colours_that_do_not_go_with_a_phase_are_refused(start, luma_then_chroma, phase, message, features):
    with pytest.raises(ValueError, match=message):
        first = replace(luma_then_chroma.phases[0], **phase)
        start(replace(luma_then_chroma, phases=(first,)), features=load_features(str(features)))


@pytest.mark.parametrize("colors", ["luma", "chroma"])
def test_a_network_that_restores_all_colours_together_compares_all(start, make_recipe, colors):
    with pytest.raises(ValueError, match=f"colors is '{colors}', and a 'compact-cnn' does not restore"):
        start(make_recipe(colors=colors))


def test_chroma_is_refused_where_a_network_has_none(loaded, make_recipe):
    recipe = make_recipe(colors="chroma")
    grey = build("compact-cnn", {"widths": [8], "dilations": [1, 1], "channels": 1})
    with pytest.raises(ValueError, match="colors is 'chroma', and the generator has no colours"):
        Trainer(recipe, grey, PairSource(loaded.pictures, recipe.data, 1, 0))


def test_chroma_learns_beside_the_luma_that_is_saved(start, luma_then_chroma):
    phases = [replace(phase, ema_decay=0.9) for phase in luma_then_chroma.phases]
    trainer = start(replace(luma_then_chroma, phases=tuple(phases)))
    for record in trainer.steps():
        if record.step == 5:
            settled = weights(trainer.average.luma)
            assert torch.equal(weights(trainer.generator.luma), settled)
    assert torch.equal(weights(trainer.average.luma), settled)


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_halves_resume_where_they_stopped(start, luma_then_chroma, tmp_path, stop):
    phases = [replace(phase, ema_decay=0.5, precision="float32") for phase in luma_then_chroma.phases]
    recipe = replace(luma_then_chroma, phases=tuple(phases))
    check_resuming(start, recipe, stop, tmp_path / "run.checkpoint")


def test_all_of_it_learns_where_all_colours_are_compared(start, luma_then_chroma):
    whole = replace(luma_then_chroma.phases[0], colors="all", freeze=())
    trainer = start(replace(luma_then_chroma, phases=(whole,)))
    before = {name: value.clone() for name, value in trainer.generator.named_parameters()}
    list(trainer.steps())
    assert all(not torch.equal(before[name], value) for name, value in trainer.generator.named_parameters())


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_that_ships_can_be_begun(name, features):
    recipe = read_recipe(name)
    generator, discriminator = make_networks(recipe, None, None, 0)
    for phase in recipe.phases:
        check_phase(phase, recipe.data.patch_size, generator, discriminator, load_features(str(features)))
