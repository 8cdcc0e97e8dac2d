"""What other programs get is the network, with all that they must know to use it."""

from __future__ import annotations

import gc
import shutil
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from bioimageio.spec import ModelDescr, load_description

from napari_deartifact.cli import main
from napari_deartifact.generators import ARCHITECTURES, build, mobilenet
from napari_deartifact.models.bioimageio_text import citations
from napari_deartifact.models.export import export_model
from napari_deartifact.models.model_file import ModelCard, read_card, read_model, save_model

PACKAGES = "napari_deartifact.models.bioimageio_package"
TINY = {"widths": [4], "dilations": [1, 1]}
SMALLER = {
    "mobile-unet": {"width": 0.1, "tile": 96, "overlap": 32},
    "compact-cnn": TINY,
    "luma-chroma-unet": {"luma": {"widths": [8], "blocks": [1]}, "chroma": {"widths": [8], "blocks": [1]}},
    "residual": {"blocks": 1},
    "residual-unet": {"widths": [8, 8], "blocks": [1, 1]},
    "unet": {"widths": [4, 4], "kernel_sizes": [3, 4]},
}


def network(architecture, arguments):
    """Build a network that changes a picture, in every layer that a step of training would move."""
    generator = build(architecture, arguments).eval().requires_grad_(False)
    rng = torch.Generator().manual_seed(0)
    for parameter in generator.parameters():
        parameter += 0.05 * torch.randn(parameter.shape, generator=rng)
    return generator


def model_file(folder, architecture="compact-cnn", arguments=TINY, **card):
    generator = network(architecture, arguments)
    path = folder / "mine.safetensors"
    save_model(path, generator, ModelCard("mine", architecture, generator.arguments, generator.color, **card))
    return path


def checked(folder):
    """Let bioimageio.spec read a package, with its pictures; it leaves the closing of files to Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        described = load_description(folder)
        (given,), (expected,) = described.get_input_test_arrays(), described.get_output_test_arrays()
        gc.collect()
    return described, given, expected


def answer(file, image):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (restored,) = session.run(None, {"image": image})
    return restored


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return the model file and the ONNX file of an architecture, each exported once."""
    files = {}

    def export(architecture):
        if architecture not in files:
            folder = tmp_path_factory.mktemp(architecture)
            source = model_file(folder, architecture, SMALLER[architecture])
            files[architecture] = source, export_model(source, folder / "mine.onnx")
        return files[architecture]

    return export


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES.keys() - {"mobile-unet"}))  # which comes below
def test_onnx_answers_as_torch_does(exported, architecture):
    source, network = exported(architecture)
    generator, _ = read_model(source)
    unit = generator.size_multiple
    for batch, units in [(1, 5), (3, 2)]:
        image = torch.rand(batch, generator.channels, units * unit, (units + 3) * unit)
        expected = generator(image).detach().numpy()
        assert np.abs(expected - image.numpy()).max() > 0.01
        np.testing.assert_allclose(answer(network, image.numpy()), expected, atol=1e-4)


def test_onnx_says_what_the_model_file_says(exported):
    source, path = exported("residual-unet")
    network = onnx.load(path)
    facts = {entry.key: entry.value for entry in network.metadata_props}
    assert ModelCard.from_json(facts.pop("napari_deartifact")) == read_card(source)
    assert facts == {"size_multiple": "4", "receptive_radius": "23", "color": "rgb", "value_range": "0 1"}
    (image,) = network.graph.input
    sizes = [size.dim_param or size.dim_value for size in image.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, "4*y", "4*x"]
    assert b"site-packages" not in path.read_bytes()  # nothing of this machine


@pytest.mark.parametrize(
    ("architecture", "arguments", "channels", "height"),
    [
        ("compact-cnn", TINY, ["red", "green", "blue"], (5, 1)),
        ("compact-cnn", {**TINY, "channels": 1}, ["luma"], (5, 1)),
        ("mobile-unet", SMALLER["mobile-unet"], ["red", "green", "blue"], 96),
    ],
)
def test_a_package_passes_its_checker(tmp_path, monkeypatch, architecture, arguments, channels, height):
    # Tracing takes its time for each layer, whatever its size; one with a shortcut and one without will do.
    stages = mobilenet._STAGES
    monkeypatch.setattr(mobilenet, "_STAGES", (stages[0], *(stage[:1] for stage in stages[1:])))
    card = {"licence": "CC0-1.0", "data": [{"name": "cells", "licence": "CC0"}]}
    source = model_file(tmp_path, architecture, arguments, **card)
    path = tmp_path / "mine.zip"
    export_model(source, path, authors=["Jane Doe", "A/B"])
    with zipfile.ZipFile(path) as package:
        assert "- cells (CC0)" in package.read("README.md").decode()
        package.extractall(tmp_path / "unpacked")
    described, given, expected = checked(tmp_path / "unpacked")
    assert isinstance(described, ModelDescr)
    assert described.validation_summary.errors == []
    assert [author.name for author in described.authors] == ["Jane Doe", "A B"]
    assert str(described.license) == "CC0-1.0"
    assert [entry.doi for entry in described.cite] == [entry["doi"] for entry in citations(architecture)]
    _, channel, y, _ = described.inputs[0].axes
    assert channel.channel_names == channels
    assert (y.size if isinstance(y.size, int) else (y.size.min, y.size.step)) == height
    weights = tmp_path / "unpacked" / "weights.onnx"
    assert read_model(tmp_path / "unpacked" / "mine.safetensors")[1] == read_card(source)
    restored = answer(weights, np.repeat(given, 3, axis=0).astype(np.float32) / 255) * 255
    np.testing.assert_allclose(np.clip(restored, 0, 255), np.repeat(expected, 3, axis=0), atol=1e-3)
    assert np.abs(expected - given).max() > 1


@pytest.fixture
def ready(exported, monkeypatch):
    """Put a network that was exported before into the packages, whose checks are what is tested."""
    _, network = exported("compact-cnn")
    monkeypatch.setattr(f"{PACKAGES}.write_onnx", lambda generator, card, path: shutil.copy(network, path))


@pytest.mark.usefixtures("ready")
def test_what_the_checker_recommends_is_told(tmp_path):
    source = model_file(tmp_path, licence="ours alone")
    with pytest.warns(UserWarning, match="the package's license"):
        export_model(source, tmp_path / "mine.zip")


@pytest.mark.usefixtures("ready")
def test_what_the_checker_refuses_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{PACKAGES}.citations", lambda _: [{"text": "a paper", "doi": "unknown"}])
    with pytest.raises(ValueError, match=r"refuses the package: cite\.0\.doi"):
        export_model(model_file(tmp_path), tmp_path / "mine.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


@pytest.mark.usefixtures("ready")
def test_cards_of_others(tmp_path):
    export_model(model_file(tmp_path, data=[{"title": "cells"}]), tmp_path / "mine.zip")
    with pytest.raises(ValueError, match=r"version is '1\.0-beta!'; expected one of numbers"):
        export_model(model_file(tmp_path, version="1.0-beta!"), tmp_path / "other.zip")


@pytest.mark.parametrize(
    ("model", "output", "options", "error", "message"),
    [
        ("compact-cnn", "model.pt", {}, ValueError, "ends in .onnx"),
        ("compact-cnn", "model", {}, ValueError, "in .zip for"),
        ("compact-cnn", "model.onnx", {"format": "tflite"}, ValueError, "expected one of onnx, bioimageio"),
        ("compact-cn", "model.onnx", {}, ValueError, "did you mean 'compact-cnn'"),
        ("missing.safetensors", "model.onnx", {}, FileNotFoundError, "no model file"),
        ("spp", "model.onnx", {}, ValueError, "no network to export.*compact-cnn"),
        ("compact-cnn", "none/model.onnx", {}, FileNotFoundError, "create it first"),
        ("compact-cnn", "there.onnx", {}, FileExistsError, "overwrite=True"),
    ],
)
def test_bad_input_is_refused(tmp_path, model, output, options, error, message):
    (tmp_path / "there.onnx").write_text("mine")
    with pytest.raises(error, match=message):
        export_model(model, tmp_path / output, **options)
    assert (tmp_path / "there.onnx").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("package", "output", "extra"),
    [("onnxscript", "m.onnx", "onnx"), ("onnx", "m.zip", "onnx"), ("bioimageio.spec", "m.zip", "bioimageio")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, output, extra):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}.*napari-deartifact\[{extra}\]"):
        export_model(model_file(tmp_path), tmp_path / output)
    assert not (tmp_path / output).exists()


def test_the_command(exported, tmp_path, capsys):
    source, expected = exported("compact-cnn")
    output = tmp_path / "mine.onnx"
    words = ["export", str(source), "-o", str(output)]
    output.write_text("old")
    assert main(words) == 1
    assert "mine.onnx exists; name another file, or replace it with --overwrite" in capsys.readouterr().err
    assert output.read_text() == "old"
    assert main([*words, "--overwrite"]) == 0
    assert capsys.readouterr() == (f"{source} → {output}\n", "")
    assert output.read_bytes() == expected.read_bytes()


def test_a_model_is_not_replaced_by_its_export(tmp_path):
    source = model_file(tmp_path)
    before = source.read_bytes()
    with pytest.raises(ValueError, match="is the model itself; name another file"):
        export_model(source, source, format="onnx", overwrite=True)
    assert source.read_bytes() == before
