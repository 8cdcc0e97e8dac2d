"""NIQE agrees with what others compute, rises with damage, and says what it cannot read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.niqe import NIQE, PristineModel, block_features, niqe
from napari_deartifact.niqe.features import _SHAPES, _asymmetric_gaussian, _halved, _normalized

PLAIN = PristineModel(np.zeros(36), np.eye(36))


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return data.chelsea()


@pytest.fixture(scope="module")
def model() -> PristineModel:
    return PristineModel.fit([data.astronaut(), data.coffee()], block_size=48, sharpness=0.25)


@pytest.mark.parametrize(
    ("name", "quality", "expected"),
    [
        ("camera", None, 3.926283),
        ("astronaut", None, 3.680498),
        ("coffee", None, 3.646386),
        ("chelsea", None, 4.126498),
        ("brick", None, 5.190401),
        ("moon", None, 5.386441),
        ("camera", 20, 2.078880),
        ("chelsea", 10, 3.887840),
    ],
)
def test_agreement_with_basicsr(name, quality, expected):
    """BasicSR 1.4.2's `niqe` in float32, as it is called there, to a mean of 0 and the unit matrix.

    Its authors got 5.729576 for a picture for which the MATLAB code gives 5.729573.
    """
    image = getattr(data, name)()
    if quality is not None:
        image = jpeg_round_trip(image, quality)
    assert niqe(image, PLAIN) == pytest.approx(expected, abs=3e-4)


def imresize(picture: np.ndarray) -> np.ndarray:
    """MATLAB's definition for half the rows, pixel by pixel."""

    def keys(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    count = len(picture)
    answer = np.zeros((count // 2, *picture.shape[1:]))
    for row in range(count // 2):
        middle = 2 * row + 0.5
        for place in range(math.floor(middle) - 4, math.ceil(middle) + 5):
            mirrored = -1 - place if place < 0 else 2 * count - 1 - place if place >= count else place
            answer[row] += keys((place - middle) / 2) / 2 * picture[mirrored]
    return answer


def test_half_the_size_is_what_imresize_makes(cat):
    picture = cat[:96, :128, 1].astype(float)
    found = _halved(picture)
    np.testing.assert_allclose(found, imresize(imresize(picture).T).T, rtol=1e-12)
    pillow = np.asarray(
        Image.fromarray(picture.astype(np.float32)).resize((64, 48), Image.Resampling.BICUBIC)
    )
    np.testing.assert_allclose(found[2:-2, 2:-2], pillow[2:-2, 2:-2], atol=1e-3)


@pytest.mark.parametrize(("shape", "left", "right"), [(0.5, 1.0, 1.0), (2.0, 1.0, 1.0), (1.0, 0.5, 2.0)])
def test_the_parameters_of_known_distributions_are_found(shape, left, right):
    rng = np.random.default_rng(0)
    size = rng.gamma(1 / shape, size=(2, 400, 400)) ** (1 / shape)
    negative = rng.random(size.shape) < left / (left + right)
    found = _asymmetric_gaussian(np.where(negative, -left * size, right * size))
    np.testing.assert_allclose(found, np.array([[shape] * 2, [left] * 2, [right] * 2]), rtol=0.03)


@pytest.mark.parametrize("block", [np.zeros((1, 8, 8)), np.ones((1, 8, 8)), -np.ones((1, 8, 8))])
def test_what_has_no_distribution_gets_the_least_shape(block):
    shape, *scales = _asymmetric_gaussian(block)
    assert shape == _SHAPES[0]
    assert np.isnan(scales).any()


def test_flat_areas_have_no_sign():
    picture = np.full((64, 64), 77.0)
    picture[:, 40:] = 200
    normalized, deviation = _normalized(picture)
    assert (normalized[:, :37] == 0).all()
    assert (normalized[:, 43:] == 0).all()
    assert deviation[0, 40] > 10


@pytest.mark.parametrize(
    ("change", "data_range"),
    [
        (lambda image: image.astype(np.uint16) * 257, 65535),
        (lambda image: image.astype(float), 255),
        (lambda image: (image / 255).astype(np.float32), 1),
        (lambda image: np.pad(image, ((0, 95), (0, 50)), "edge"), 255),
        (lambda image: np.stack([image] * 3, axis=-1), 255),
    ],
    ids=["uint16", "float64", "float32", "left over", "grey as RGB"],
)
def test_the_same_picture_in_another_form(change, data_range):
    image = data.camera()[:192, 100:484]
    assert niqe(change(image), PLAIN, data_range=data_range) == pytest.approx(niqe(image, PLAIN), abs=1e-3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda image, much: gaussian_filter(image, (much, much, 0)),
        lambda image, much: (
            (image + np.random.default_rng(0).normal(0, 6 * much, image.shape))
            .clip(0, 255)
            .round()
            .astype(np.uint8)
        ),
        lambda image, much: jpeg_round_trip(image, 40 // much),
    ],
    ids=["blur", "noise", "JPEG"],
)
def test_it_rises_with_damage(cat, model, damage):
    found = [niqe(cat, model), *(niqe(damage(cat, much), model) for much in (1, 2, 4))]
    assert found == sorted(found)
    assert found[-1] > found[0] + 1


def test_a_flat_block_spoils_nothing():
    image = data.camera().copy()
    image[:96, :96] = 255
    assert np.isnan(block_features(image)[0]).any(axis=1).sum() == 1
    assert math.isfinite(niqe(image, PLAIN))


@pytest.mark.parametrize("level", [0, 17, 255])
def test_nothing_can_be_told_of_a_flat_picture(level):
    assert math.isnan(niqe(np.full((192, 192), level, np.uint8), PLAIN))


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((96, 191)), {}, "96×191 pixels are too few for NIQE; expected 2 blocks of 96×96"),
        (np.zeros((40, 400)), {}, "40×400 pixels are too few"),
        (np.zeros((0, 0)), {}, "0×0 pixels are too few"),
        (np.zeros((192, 192, 4)), {}, r"shape \(192, 192, 4\) is neither"),
        (np.zeros(192), {}, r"shape \(192,\) is neither"),
        (np.full((192, 192), np.nan), {}, "NaN or infinity"),
        (np.zeros((192, 192)), {"data_range": 0}, "data_range is 0"),
        (np.zeros((192, 192)), {"block_size": 7}, "block_size is 7; expected an even number from 8 on"),
        (np.zeros((192, 192)), {"block_size": 6}, "block_size is 6"),
    ],
)
def test_pictures_that_cannot_be_judged(image, options, message):
    with pytest.raises(ValueError, match=message):
        block_features(image, **options)


def test_a_model_survives_its_file(model, cat, tmp_path):
    model.save(tmp_path / "own.npz")
    found = PristineModel.read(tmp_path / "own.npz")
    assert (found.name, found.block_size) == ("own.npz", 48)
    assert niqe(cat, found) == niqe(cat, model)


def test_the_authors_file(tmp_path):
    savemat(tmp_path / "m.mat", {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": np.eye(36)})
    found = PristineModel.read(tmp_path / "m.mat")
    assert (found.mean.shape, found.block_size) == ((36,), 96)
    assert niqe(data.camera(), found) == niqe(data.camera(), PLAIN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"weights": np.zeros(3)},
            r"no array mu_pris_param or mu_prisparam is in it \(it holds weights\); expected what NIQE",
        ),
        ({"mu_pris_param": np.zeros(36)}, r"no array cov_pris_param or .* \(it holds mu_pris_param\)"),
        ({"mu_pris_param": np.zeros(35), "cov_pris_param": np.eye(35)}, r"the mean has shape \(35,\)"),
        ({"mu_pris_param": np.zeros(36), "cov_pris_param": np.eye(35)}, r"the covariance \(35, 35\)"),
        ({"mu_pris_param": np.full(36, np.nan), "cov_pris_param": np.eye(36)}, "NaN or infinity"),
        ({"mu_pris_param": np.array("words"), "cov_pris_param": np.eye(36)}, "could not convert"),
        (
            {"mu_pris_param": np.zeros(36), "cov_pris_param": np.eye(36), "block_size": np.array(9)},
            "block_size is 9",
        ),
        (
            {"mu_pris_param": np.zeros(36), "cov_pris_param": np.eye(36), "block_size": np.zeros(2)},
            "only",
        ),
        ({f"w{number}": np.zeros(3) for number in range(9)}, r"\(it holds w0 and 8 more\)"),
        ({}, r"\(it holds nothing\)"),
        ({"mu_pris_param": np.array([{}], dtype=object)}, r"cannot be read as \.npz or \.mat"),
        (b"text", r"cannot be read as \.npz or \.mat"),
        (b"\xff\xd8\xff\xe0", r"cannot be read as \.npz or \.mat"),
        (b"", r"cannot be read as \.npz or \.mat"),
    ],
)
def test_files_that_are_no_model(tmp_path, content, message):
    path = tmp_path / "model.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=rf"^.*model\.npz.*{message}") as caught:
        PristineModel.read(path)
    assert "BasicSR" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)


def test_who_may_not_read_a_file_is_told_so(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "model.npz").touch()
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(PermissionError, match="denied"):
        PristineModel.read(tmp_path / "model.npz")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file at .*missing\.npz; expected"):
        PristineModel.read(tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError, match="is a folder; name the file; expected"):
        PristineModel.read(tmp_path)
    with pytest.raises(ValueError, match=r"expected a name that ends in \.npz"):
        PLAIN.save(tmp_path / "model.mat")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sharpness": 1.0}, "sharpness is 1.0; expected 0 to below 1"),
        ({}, r"\d+ blocks of 96×96 pixels are sharp; expected more than 36: give more pictures"),
    ],
)
def test_too_little_to_fit(cat, options, message):
    with pytest.raises(ValueError, match=message):
        PristineModel.fit([cat], **options)


def test_flat_blocks_do_not_enter_a_model():
    image = np.tile(data.camera(), (1, 2))
    image[:96, :96] = 0
    found = PristineModel.fit([image], block_size=48, sharpness=0)
    assert np.isfinite(found.covariance).all()


def test_as_a_measure_it_asks_no_original(cat, model):
    measure = NIQE(model)
    assert measure.name == "NIQE by a model of one's own"
    assert measure(np.zeros_like(cat), cat) == niqe(cat, model)
    assert math.isnan(measure(cat, cat[:48, :95]))
