"""Feature networks: read from files of all kinds, frozen, and a distance that follows the damage."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage.data import astronaut

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.training.feature_weights import SQUEEZENET_CAFFE, TORCHVISION, VGG19
from napari_deartifact.training.features import (
    FeatureDistance,
    FeatureNetwork,
    load_features,
    perceptual_distance,
)

SEVEN = ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")
CAFFE_MEAN = np.float32([103.939, 116.779, 123.68])


def random_weights(backbone=SQUEEZENET_CAFFE, classifier=False):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(*(module for _, module in backbone.build()))
    weights = {f"features.{key}": value for key, value in layers.state_dict().items()}
    return weights | ({"classifier.1.weight": torch.zeros(1000, 512, 1, 1)} if classifier else {})


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture(scope="module")
def npz(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "squeezenet.npz"
    np.savez(path, **{key: value.numpy() for key, value in weights.items()})
    return path


@pytest.fixture(scope="module")
def features(npz):
    return load_features(npz)


def test_squeezenet_has_its_published_size_and_layers(features):
    assert sum(parameter.numel() for parameter in features.parameters()) == 722_496
    assert (features.name, features.layers) == ("squeezenet1_1-caffe", SEVEN)
    found = features(torch.rand(2, 3, 64, 48))
    # 64 → 31 by the unpadded first layer; 15, 7 and 3 by the pools, whose last window may reach out.
    assert [tuple(layer.shape) for layer in found] == [
        (2, 64, 31, 23),
        (2, 128, 15, 11),
        (2, 256, 7, 5),
        (2, 384, 3, 2),
        (2, 384, 3, 2),
        (2, 512, 3, 2),
        (2, 512, 3, 2),
    ]


def test_pools_reach_out(features):
    assert [layer.shape[-1] for layer in features(torch.rand(1, 1, 17, 17))] == [8, 4, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("classifier", "name", "prepare"),
    [
        (False, "squeezenet1_1-caffe", lambda rgb: rgb[..., ::-1] * 255 - CAFFE_MEAN),
        (True, "squeezenet1_1", lambda rgb: (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_each_squeezenet_gets_the_input_that_it_was_trained_on(tmp_path, classifier, name, prepare):
    weights = random_weights(classifier=classifier)
    torch.save(weights, tmp_path / "weights.pth")
    features = load_features(tmp_path / "weights.pth", ["relu1"])
    assert features.name == name
    rgb = np.random.default_rng(0).random((20, 24, 3))
    batch = torch.from_numpy(prepare(rgb).transpose(2, 0, 1).astype(np.float32))[None]
    expected = torch.nn.functional.conv2d(
        batch, weights["features.0.weight"], weights["features.0.bias"], stride=2
    ).relu()
    picture = torch.from_numpy(rgb.transpose(2, 0, 1).astype(np.float32))[None]
    (found,) = features(picture)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("save", [save_file, torch.save])
def test_files_of_all_kinds_hold_the_same(tmp_path, save, weights, features):
    path = tmp_path / ("w.safetensors" if save is save_file else "w.pth")
    save(weights, path)
    picture = torch.rand(1, 3, 32, 32)
    for one, other in zip(load_features(path)(picture), features(picture), strict=True):
        assert torch.equal(one, other)


def test_grey_is_repeated(features):
    grey = torch.rand(1, 1, 32, 32)
    for one, other in zip(features(grey), features(grey.repeat(1, 3, 1, 1)), strict=True):
        torch.testing.assert_close(one, other)


def test_chosen_layers_come_in_the_order_of_the_network_and_no_deeper_is_computed(npz, features):
    chosen = load_features(npz, ["fire4", "relu1"])
    assert chosen.layers == ("relu1", "fire4")
    assert len(chosen.stack) == 7
    picture = torch.rand(1, 3, 40, 40)
    assert torch.equal(chosen(picture)[0], features(picture)[0])


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_vgg(tmp_path, name):
    backbone = TORCHVISION[name]
    with torch.device("meta"):
        stack = backbone.build()
    parameters = sum(parameter.numel() for _, module in stack for parameter in module.parameters())
    assert parameters == {"vgg16": 14_714_688, "vgg19": 20_024_384}[name]  # without the classifier
    # torchvision's number of the second convolution of the fifth block, and its ReLU.
    number = {"vgg16": 26, "vgg19": 30}[name]
    assert [stack[number][0], stack[number + 1][0]] == ["conv5_2", "relu5_2"]
    assert backbone.layers == ("relu5_2",)


def test_vgg_from_a_file(tmp_path):
    torch.save(random_weights(VGG19, classifier=True), tmp_path / "vgg.pth")
    features = load_features(tmp_path / "vgg.pth")
    (found,) = features(torch.rand(1, 3, 32, 16))
    assert (features.name, features.layers, found.shape) == ("vgg19", ("relu5_2",), (1, 512, 2, 1))


def test_it_is_frozen_and_lets_gradients_through(features):
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    perceptual_distance(picture, torch.rand(1, 3, 32, 32), features).sum().backward()
    assert picture.grad.abs().sum() > 0
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_the_distance_by_hand():
    class Two(FeatureNetwork):
        """Two layers: the picture, and its upper left pixel with the first channel alone."""

        def __init__(self):
            torch.nn.Module.__init__(self)

        def forward(self, picture):
            return picture, picture[:, :, :1, :1] * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)

    restored, clean = torch.zeros(2, 3, 1, 2), torch.zeros(2, 3, 1, 2)
    restored[:, 0], clean[:, 0] = 5, 7  # The same direction,
    clean[1, :, 0, 1] = torch.tensor([3.0, 4, 0])  # but (1, 0, 0) against (0.6, 0.8, 0) at one of two places.
    found = perceptual_distance(restored, clean, Two())
    expected = torch.tensor([0, ((0.4**2 + 0.8**2) / 2 + 0) / 2])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_no_gradient_is_endless_where_nothing_is_seen(features):
    picture = torch.zeros(1, 3, 32, 32, requires_grad=True)
    perceptual_distance(picture, torch.zeros(1, 3, 32, 32), features).sum().backward()
    assert torch.isfinite(picture.grad).all()


@pytest.mark.parametrize("picture", [astronaut()[:96, 150:246], astronaut()[:96, 150:246, 0]])
def test_the_distance_falls_with_quality_and_is_none_for_equal_pictures(features, picture):
    distance = FeatureDistance(features)
    found = [distance(picture, jpeg_round_trip(picture, quality)) for quality in (10, 30, 60, 95)]
    assert sorted(found, reverse=True) == found
    assert found[-1] > distance(picture, picture) == 0


def test_the_distance_of_a_picture_too_small_to_be_seen(features):
    tiny = np.zeros((16, 40), np.uint8)
    assert math.isnan(FeatureDistance(features)(tiny, tiny))


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (3, 32, 32), (1, 3, 16, 32)])
def test_wrong_pictures_are_refused(features, shape):
    with pytest.raises(ValueError, match=r"takes \(N, 1 or 3, Y, X\) with sides of at least 17"):
        features(torch.zeros(shape))


@pytest.mark.parametrize(
    ("layers", "match"),
    [(["fire33"], "'fire33' is none of .*did you mean 'fire3'"), ([], "no layers"), (["pool"], "'pool'")],
)
def test_wrong_layers_are_refused(npz, layers, match):
    with pytest.raises(ValueError, match=match):
        load_features(npz, layers)


def test_without_torchvision_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError, match=r"'vgg19' is torchvision's.*\[perceptual\]"):
        load_features("vgg19")


@pytest.mark.parametrize("name", ["missing.npz", "vgg18"])
def test_neither_a_file_nor_a_name(name):
    with pytest.raises(FileNotFoundError, match=f"no file of weights at {name}.*vgg19"):
        load_features(name)


def write_text(path):
    path.write_text("no weights")


def write_others(path):
    np.savez(path, **{"lin0.model.1.weight": np.zeros(3)})


def write_none(path):
    np.savez(path)


def write_pickled(path):
    np.savez(path, features=np.array([{}], dtype=object))


def write_bare(path):
    torch.save(torch.zeros(3), path)


def write_code(path):
    torch.save(write_bare, path)


def write_wide(path):
    np.savez(path, **(random_weights() | {"features.0.bias": np.zeros(65, np.float32)}))


def write_more(path):
    np.savez(path, **(random_weights() | {"features.99.bias": np.zeros(3, np.float32)}))


def write_incomplete(path):
    weights = random_weights()
    del weights["features.12.squeeze.bias"]
    np.savez(path, **weights)


@pytest.mark.parametrize(
    ("write", "suffix", "match"),
    [
        (write_text, ".npz", "holds no weights that can be read"),
        (write_text, ".pth", "holds no weights that can be read"),
        (write_text, ".safetensors", "holds no weights that can be read"),
        (write_pickled, ".npz", "holds no weights that can be read"),
        (write_others, ".npz", "of no feature network that is known.*lin0.*SqueezeNet 1.1"),
        (write_none, ".npz", "it has no keys"),
        (write_bare, ".pth", "holds no weights that can be read"),
        (write_code, ".pth", "holds no weights that can be read"),
        (write_text, ".jpg", "fetch the file again"),
        (write_incomplete, ".npz", "are not of squeezenet1_1-caffe: 'features.12.squeeze.bias' is missing"),
        (write_wide, ".npz", r"'features.0.bias' has shape \(65,\), expected shape \(64,\); fetch"),
        (write_more, ".npz", r"'features.99.bias' has shape \(3,\), expected none; fetch"),
    ],
)
def test_other_files_are_refused(tmp_path, write, suffix, match):
    path = tmp_path / f"file{suffix}"
    write(path)
    with pytest.raises(ValueError, match=f"^.*{path.name}.*{match}") as caught:
        load_features(path)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_who_may_not_read_a_file_is_told_so(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "weights.npz").touch()
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(PermissionError, match="denied"):
        load_features(tmp_path / "weights.npz")


def test_a_folder_is_told_as_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is a folder; name the file; expected SqueezeNet.*vgg19"):
        load_features(tmp_path)
