"""From faithful to perceptual: a model, its twin beside it, and what lies between the two."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import torch
from skimage import data

from napari_deartifact import deartifact, list_models, load_model
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.models.model_file import read_model, twin_file
from napari_deartifact.models.reference import ModelReference
from napari_deartifact.models.twin import faithful_model, share_of

IMAGE = jpeg_round_trip(data.camera()[100:180, 200:296], 10)
OPTIONS = {"device": "cpu", "force": True, "consistency": False}


def weights(model):
    return model.generator.state_dict()


def loaded(model, perceptual):
    return load_model(model, "cpu", perceptual=perceptual)


def named(model, perceptual):
    return deartifact(IMAGE, model, perceptual=perceptual, device="cpu")


def referred(model, perceptual):
    return ModelReference.of(model, "cpu", perceptual=perceptual)


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize("share", [0, 0.5, np.float32(0.25), np.array(0.5), 1])
def test_weights_go_from_the_model_to_its_twin(pair, share, as_path):
    one, other = (read_model(path)[0].state_dict() for path in (pair, twin_file(pair)))
    model = loaded(pair if as_path else "pair", share)
    assert model.perceptual == share
    for key, value in weights(model).items():
        if share in (0, 1):
            assert torch.equal(value, (one, other)[int(share)][key])
        else:
            torch.testing.assert_close(value, (1 - float(share)) * one[key] + float(share) * other[key])


@pytest.mark.parametrize(
    ("share", "name"), [(0, "pair"), (0.5, "pair, perceptual 0.5"), (1, "pair, perceptual 1")]
)
def test_the_name_tells_the_mixture(pair, share, name):
    model = loaded("pair", share)
    assert model.name == model.card.name == name
    assert model.card.results == []  # they were measured on the twin alone


def test_answers_are_those_of_the_ends(pair):
    faithful, perceptual = (deartifact(IMAGE, name, **OPTIONS) for name in ("pair", "pair-perceptual"))
    assert not np.array_equal(faithful, perceptual)
    np.testing.assert_array_equal(deartifact(IMAGE, "pair", perceptual=0, **OPTIONS), faithful)
    np.testing.assert_array_equal(deartifact(IMAGE, "pair", perceptual=1, **OPTIONS), perceptual)
    between = deartifact(IMAGE, "pair", perceptual=0.5, **OPTIONS)
    arrays = {"perceptual": np.array(0.5), "strength": np.array(1)}
    np.testing.assert_array_equal(deartifact(IMAGE, "pair", **arrays, **OPTIONS), between)
    np.testing.assert_array_equal(deartifact(IMAGE, loaded("pair", 0.5), **OPTIONS), between)
    assert not np.array_equal(between, faithful)
    assert not np.array_equal(between, perceptual)


def test_at_0_the_twin_is_not_opened(pair):
    twin_file(pair).write_bytes(b"broken")
    assert loaded("pair", 0).name == "pair"
    deartifact(IMAGE, pair, perceptual=0.0, **OPTIONS)


def test_a_mixture_is_kept_and_a_twin_that_changed_is_read_anew(pair, save_tiny):
    faithful, first = loaded("pair", 0), loaded("pair", 0.5)
    assert loaded(pair, 0.5) is first
    save_tiny(twin_file(pair), 2)
    second = loaded("pair", 0.5)
    assert loaded("pair", 0) is faithful
    assert not torch.equal(*(next(iter(weights(model).values())) for model in (first, second)))


def test_a_twin_lies_beside_the_link_that_was_named(pair, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(pair)
    twin_file(link).symlink_to(twin_file(pair))
    np.testing.assert_array_equal(named(link, 0.5), named("pair", 0.5))
    assert referred(link, 0.5).load().name == "pair, perceptual 0.5"


def other_architecture(path, save_tiny):
    save_tiny(twin_file(path), architecture="residual", arguments={"width": 4, "blocks": 1})


def other_arguments(path, save_tiny):
    save_tiny(twin_file(path), arguments={"widths": [5], "dilations": [1, 1]})


def other_colors(path, save_tiny):
    save_tiny(twin_file(path), color="luma")


def broken(path, save_tiny):
    twin_file(path).write_bytes(twin_file(path).read_bytes()[:100])


def missing(path, save_tiny):
    twin_file(path).unlink()


def nothing(path, save_tiny):
    pass


NONE_BESIDE = (
    r"'{}' has no perceptual twin; models that have one: {}; with perceptual=0 none is needed "
    r"\(there is no file {}-perceptual\.safetensors beside it\)"
)


@pytest.mark.parametrize("way", [loaded, named, referred])
@pytest.mark.parametrize(
    ("spoil", "model", "share", "message"),
    [
        (nothing, "pair", 1.5, r"perceptual is 1\.5; expected a number from 0 to 1"),
        (nothing, "pair", -0.1, r"perceptual is -0\.1; expected"),
        (nothing, "pair", float("nan"), "perceptual is nan; expected"),
        (nothing, "pair", "half", "perceptual is 'half'; expected"),
        (nothing, "pair", None, "perceptual is None; expected"),
        (nothing, "pair", 1j, "perceptual is 1j; expected"),
        (nothing, "pair", np.array(1.5), r"perceptual is 1\.5; expected"),
        (nothing, "pair", np.array([0.5]), r"perceptual is array\(\[0\.5\]\); expected"),
        (nothing, "pear", 0.5, "did you mean 'pair'"),
        (nothing, "compact-cnn", 0.5, NONE_BESIDE.format("compact-cnn", ".*pair", "compact-cnn")),
        (nothing, "spp", 0.5, r"'spp' has no perceptual twin; models .*pair; .* \(it has no weights\)"),
        (nothing, "pair-perceptual", 0.5, "it is that of 'pair'; name model 'pair' with perceptual=0.5"),
        (missing, "pair", 0.5, NONE_BESIDE.format("pair", ".*", "pair")),
        (broken, "pair", 0.5, r"pair-perceptual\.safetensors is not a model file"),
        (
            other_architecture, "pair", 0.5,
            r"pair\.safetensors is a compact-cnn with .* and .*pair-perceptual\.safetensors a residual with",
        ),
        (other_arguments, "pair", 0.5, r"\[4\].*\[5\].*only models of one architecture"),
        (other_colors, "pair", 0.5, "for rgb and .* for luma"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*left out of the list of models")
def test_errors(pair, save_tiny, spoil, model, share, message, way):
    spoil(pair, save_tiny)
    with pytest.raises(ValueError, match=message):
        way(model, share)


def test_a_loaded_model_cannot_be_turned(pair):
    with pytest.raises(
        ValueError, match=r"perceptual is 0\.5, and model 'pair' is loaded already.*load_model"
    ):
        named(loaded("pair", 0), 0.5)


def test_what_has_a_twin_and_what_is_one(pair):
    models = {model.name: model.twin for model in list_models()}
    assert (models["pair"], models["spp"], models["compact-cnn"]) == (twin_file(pair), None, None)
    shares = ("pair", "pair-perceptual", "spp", "compact-cnn")
    assert [share_of(name) for name in shares] == [0, 1, 0, 0]
    assert [share_of(loaded(name, 0)) for name in shares] == [0, 1, 0, 0]
    assert share_of(loaded("pair", 0.01)) == 0.01
    path = pair.with_name("pair-perceptual.safetensors")
    for twin, faithful in (("pair-perceptual", "pair"), (path, str(pair)), (loaded(path, 0), "pair")):
        assert (share_of(twin), faithful_model(twin)) == (1, faithful)
    for other in ("pair", pair, "spp", loaded("pair", 0.5)):
        assert faithful_model(other) is None
    assert (share_of("pair", 0.25), share_of(loaded("pair", 0.5)), share_of("spp")) == (0.25, 0.5, 0)


@pytest.mark.parametrize("as_name", [True, False])
def test_chunks_are_restored_as_the_whole(pair, as_name):
    image = da.from_array(IMAGE, chunks=40)
    model, options = ("pair", {"perceptual": 0.5}) if as_name else (loaded("pair", 0.5), {})
    lazy = deartifact(image, model, device="cpu", **options)
    assert lazy.npartitions > 1
    np.testing.assert_array_equal(lazy.compute(), deartifact(IMAGE, "pair", perceptual=0.5, **OPTIONS))
    graph = pickle.dumps(lazy.dask.layers[lazy.name])
    assert len(graph) < 20_000
    assert len({lazy.name, *(named_chunks(image, share) for share in (0, 0.25))}) == 3


def named_chunks(image, share):
    return deartifact(image, "pair", perceptual=share, device="cpu").name


def test_a_reference_knows_which_twin_was_meant(pair, save_tiny):
    reference = pickle.loads(pickle.dumps(referred("pair", 0.5)))  # noqa: S301
    before = named_chunks(da.from_array(IMAGE, chunks=40), 0.5)
    assert reference.load().name == "pair, perceptual 0.5"
    assert reference.load() is reference.load()
    save_tiny(twin_file(pair), 2)
    assert named_chunks(da.from_array(IMAGE, chunks=40), 0.5) != before
    with pytest.raises(ValueError, match="not the same here"):
        replace(reference, device="auto").load()
    assert referred("pair", 0) == ModelReference.of("pair", "cpu")


def test_what_goes_on_on_the_cpu_is_as_perceptual(pair):
    elsewhere = copy.copy(loaded("pair", 0.5))
    elsewhere.device = "cuda:0"
    assert (elsewhere.on_cpu().perceptual, elsewhere.on_cpu().name) == (0.5, "pair, perceptual 0.5")
