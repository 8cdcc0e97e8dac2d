"""Phases in which two networks take turns, parts stay frozen, and the best weights are kept."""

from __future__ import annotations

import itertools

import pytest
import torch

from napari_deartifact.generators import build
from napari_deartifact.training import RecipeError, Trainer, parse_recipe
from napari_deartifact.training.discriminators import build_discriminator
from napari_deartifact.training.pairs import PairSource, validation_pairs

GAN = {"losses": {"l1": 1.0, "adversarial": 0.01}, "turns": {"discriminator": 1, "generator": 1}}


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.fixture
def start(loaded):
    def start(recipe, **options):
        torch.manual_seed(0)
        generator = build(recipe.generator.architecture, recipe.generator.arguments)
        judge = recipe.discriminator
        discriminator = build_discriminator(judge.architecture, {**judge.arguments, "channels": 3})
        pairs = PairSource(loaded.pictures, recipe.data, 3, 0)
        return Trainer(recipe, generator, pairs, discriminator=discriminator, **options)

    return start


@pytest.mark.parametrize("turns", [(1, 1), (5, 2), (1, 0), (0, 1)])
def test_networks_take_turns_and_only_one_learns(make_gan, start, turns):
    recipe = make_gan(
        {**GAN, "steps": 10, "turns": dict(zip(("discriminator", "generator"), turns, strict=True))}
    )
    trainer = start(recipe)
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    before = {name: weights(network) for name, network in networks.items()}
    expected = itertools.cycle(["discriminator"] * turns[0] + ["generator"] * turns[1])
    for record, player in zip(trainer.steps(), expected, strict=False):
        after = {name: weights(network) for name, network in networks.items()}
        assert record.player == player
        assert [name for name in networks if not torch.equal(before[name], after[name])] == [player]
        assert set(record.losses) == (
            {"l1", "adversarial"} if player == "generator" else {"original", "restored"}
        )
        before = after


def test_a_judge_learns_to_tell_jpegs_from_originals(make_gan, start):
    critic = {"learning_rate": 2e-3, "optimizer": {"name": "adam", "betas": [0.5, 0.9]}}
    phase = {**GAN, "steps": 60, "turns": {"discriminator": 1, "generator": 0}, "critic": critic}
    told = [
        record.losses
        for record in start(make_gan(phase, discriminator="sub-patch", arguments={"width": 8})).steps()
    ]
    late = told[-10:]
    assert sum(step["original"] - step["restored"] for step in late) > 2


def test_labels_are_smoothed_on_one_side(make_gan, start):
    losses = []
    for label in (1.0, 0.7):
        record = next(start(make_gan(label=label)).steps())
        losses.append(record.loss)
        assert record.losses["original"] == pytest.approx(0.5, abs=0.2)
    assert losses[0] != losses[1]


def test_what_is_frozen_stays(make_gan, start):
    trainer = start(make_gan({**GAN, "freeze": ["layers.0"], "turns": {"generator": 1}}))
    first, second = (layer.weight.detach().clone() for layer in trainer.generator.layers)
    list(trainer.steps())
    assert torch.equal(trainer.generator.layers[0].weight, first)
    assert not torch.equal(trainer.generator.layers[1].weight, second)


def test_a_part_that_does_not_exist_cannot_be_frozen(make_gan, start):
    with pytest.raises(ValueError, match=r"freeze names encoder, and no parameter begins so.*layers"):
        start(make_gan({**GAN, "freeze": ["encoder"]}))


def test_frozen_parts_learn_in_the_next_phase(make_gan, start):
    pixels = {"losses": {"l1": 1.0}}
    trainer = start(make_gan({**pixels, "freeze": ["layers.0"]}, pixels))
    before = trainer.generator.layers[0].weight.detach().clone()
    changed = [
        (record.phase, not torch.equal(trainer.generator.layers[0].weight, before))
        for record in trainer.steps()
    ]
    assert changed == [(0, False)] * 4 + [(1, True)] * 4


def test_something_must_be_left_to_learn(make_gan, start):
    with pytest.raises(ValueError, match="freeze is layers, which leaves nothing to learn"):
        start(make_gan({**GAN, "freeze": ["layers"]}))


@pytest.mark.parametrize("stop", [1, 2, 5, 7])
def test_a_resumed_gan_equals_an_uninterrupted_one(make_gan, start, tmp_path, stop):
    recipe = make_gan(
        {"losses": {"l2": 1.0}, "steps": 3}, {**GAN, "turns": {"discriminator": 2, "generator": 1}}
    )
    whole, first, resumed = start(recipe), start(recipe), start(recipe)
    expected = [(record.player, record.loss) for record in whole.steps()]
    list(itertools.islice(first.steps(), stop))
    first.save_checkpoint(tmp_path / "gan.checkpoint")
    resumed.load_checkpoint(tmp_path / "gan.checkpoint")
    assert [(record.player, record.loss) for record in resumed.steps()] == expected[stop:]
    assert torch.equal(weights(resumed.average), weights(whole.average))
    assert torch.equal(weights(resumed.discriminator), weights(whole.discriminator))


def test_the_best_weights_of_a_phase_are_taken_back(make_gan, start):
    trainer = start(make_gan({"losses": {"l1": 1.0}, "steps": 6, "keep_best": "gain_q20", "ema_decay": 0.0}))
    gains = {2: 1.0, 4: 0.5, 6: 0.9}
    best = None
    for record in trainer.steps():
        if record.step in gains:
            trainer.judge({"gain_q20": gains[record.step]})
        if record.step == 2:
            best = weights(trainer.average)
    assert torch.equal(weights(trainer.average), best)


def test_a_phase_that_got_worse_ends_and_the_next_starts_from_its_best(make_gan, start):
    phase = {"losses": {"l1": 1.0}, "steps": 50, "keep_best": "gain_q20", "patience": 2}
    trainer = start(make_gan(phase, {"losses": {"l1": 1.0}, "steps": 50}))
    phases = []
    for record in trainer.steps():
        phases.append(record.phase)
        if record.phase == 0:
            trainer.judge({"gain_q20": -float(record.step)})
    assert phases == [0, 0, 0] + [1] * 50


def test_a_measure_that_was_not_taken_is_named(make_gan, start):
    trainer = start(make_gan({"losses": {"l1": 1.0}, "keep_best": "gain_q75"}))
    with pytest.raises(ValueError, match=r"keep_best is 'gain_q75', but measured were gain_q20"):
        trainer.judge({"gain_q20": 1.0})


def test_an_early_end_survives_a_checkpoint(make_gan, start, tmp_path):
    phase = {"losses": {"l1": 1.0}, "steps": 50, "keep_best": "gain_q20", "patience": 1}
    recipe = make_gan(phase, {"losses": {"l1": 1.0}, "steps": 50})
    first, second = start(recipe), start(recipe)
    for record in first.steps():
        first.judge({"gain_q20": -float(record.step)})
        if record.step == 2:
            break
    first.save_checkpoint(tmp_path / "run.checkpoint")
    second.load_checkpoint(tmp_path / "run.checkpoint")
    assert next(second.steps()).phase == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({**GAN, "freeze": ["encoder"]}, "freeze names encoder"),
        ({"losses": {"feature": 1.0}}, "'feature' needs"),
        ({"losses": {"l1": 1.0}, "keep_best": "perceptual_q20"}, "keep_best is 'perceptual_q20'.*--features"),
    ],
)
def test_what_a_later_phase_lacks_is_told_before_the_first_step(make_gan, start, second, message):
    with pytest.raises(ValueError, match=message):
        start(make_gan({"losses": {"l1": 1.0}}, second))


def test_patches_too_small_for_the_judge_of_a_later_phase_are_refused_at_once(make_gan, start):
    with pytest.raises(ValueError, match=r"patches are 32×32.*at least 64: set the recipe's patch_size"):
        start(make_gan({"losses": {"l1": 1.0}}, GAN, discriminator="nogan-critic", arguments={"width": 4}))


def test_a_judge_that_pauses_survives_a_checkpoint(make_gan, start, tmp_path):
    recipe = make_gan(GAN, {"losses": {"l1": 1.0}}, GAN)
    first, second = start(recipe), start(recipe)
    list(itertools.islice(first.steps(), 6))
    assert first.phase_index == 1
    first.save_checkpoint(tmp_path / "gan.checkpoint")
    second.load_checkpoint(tmp_path / "gan.checkpoint")
    assert torch.equal(weights(second.discriminator), weights(first.discriminator))


def test_dropout_follows_from_the_seed_and_the_step(make_gan, start, tmp_path):
    judge = {"discriminator": "nogan-critic", "arguments": {"width": 4, "blocks": 1, "dropout": 0.5}}
    recipe = make_gan({**GAN, "steps": 6}, **judge)
    told = []
    for _ in range(2):
        trainer = start(recipe)
        torch.manual_seed(len(told))  # what the caller draws changes nothing, nor is it changed
        expected = torch.get_rng_state()
        told.append([record.loss for record in trainer.steps()])
        assert torch.equal(torch.get_rng_state(), expected)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": [GAN | {"steps": 1, "learning_rate": float("inf")}]}, "learning_rate is inf"),
        ({"phases": [GAN | {"steps": 1, "optimizer": {"betas": [0.9, 1.0]}}]}, r"betas is 1\.0"),
        ({"phases": [GAN | {"steps": 1}], "discriminator": None}, "discriminator is missing"),
        ({"discriminator": {"architecture": "patch"}}, "architecture is 'patch'.*sub-patch"),
        ({"discriminator": {"architecture": "argan", "label": 0.2}}, r"label is 0\.2.*at least 0\.5"),
        ({"phases": [{"steps": 1}]}, "losses is empty"),
        ({"phases": [GAN | {"steps": 1, "turns": {"generator": 0}}]}, "turns is 0; expected more than 0"),
        ({"phases": [GAN | {"steps": 1, "turns": {"critic": 1}}]}, "unknown key.*turns.critic"),
        ({"phases": [GAN | {"steps": 1, "keep_best": "ssim"}]}, "keep_best is 'ssim'.*gain_q10"),
        ({"phases": [GAN | {"steps": 1, "patience": 3}]}, "patience is 3; it needs phases.keep_best"),
    ],
)
def test_bad_recipes_are_refused(make_gan, change, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe({**make_gan().to_dict(), **change})


def test_a_recipe_survives_its_own_dictionary(make_gan, recipe):
    for one in (make_gan(), recipe):
        assert parse_recipe(one.to_dict()) == one


def test_a_loss_without_what_it_needs_is_refused(make_gan, start):
    with pytest.raises(ValueError, match=r"'feature' needs .*--features FILE"):
        start(make_gan({"losses": {"feature": 1.0}}))


def test_the_adversarial_loss_moves_the_generator_towards_what_the_judge_takes_for_clean(
    make_gan, start, loaded
):
    critic = {"learning_rate": 2e-3}
    alone = {**GAN, "steps": 60, "turns": {"discriminator": 1, "generator": 0}, "critic": critic}
    fooling = {"losses": {"adversarial": 1.0}, "steps": 120, "learning_rate": 1e-2}
    trainer = start(make_gan(alone, fooling))
    doubts = [record.losses["adversarial"] for record in trainer.steps() if record.phase == 1]
    assert sum(doubts[-40:]) < 0.8 * sum(doubts[:40])  # each is of other pairs
    (degraded, _), *_ = validation_pairs(loaded.pictures, 10, 3)
    assert not torch.equal(trainer.restore(degraded), degraded)
