"""A model file holds everything, comes back exactly, and nothing else passes for one."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from napari_deartifact.generators import ARCHITECTURES, build
from napari_deartifact.models.model_file import (
    HEADER_KEY,
    ModelCard,
    count_parameters,
    read_card,
    read_model,
    save_model,
)
from napari_deartifact.models.registry import (
    FOLDER_VARIABLE,
    find_model,
    list_models,
    load_model,
    model_card,
    models_folder,
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_round_trip(tmp_path, architecture):
    generator = build(architecture)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    card = ModelCard(
        "mine",
        architecture,
        generator.arguments,
        description="a test",
        data=[{"name": "nothing", "licence": "CC0-1.0"}],
        results=[{"command": "true", "table": [1.5, 2]}],
    )
    path = tmp_path / "mine.safetensors"
    save_model(path, generator, card)
    again, read = read_model(path)
    assert read == card == read_card(path)
    assert not again.training
    assert count_parameters(path) == sum(value.numel() for value in generator.state_dict().values())
    for key, value in generator.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mine.safetensors"
    save_model(path, build("compact-cnn"), ModelCard("old", "compact-cnn"))

    def full_disk(*_args, **_kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(path, build("compact-cnn"), ModelCard("new", "compact-cnn"))
    assert read_card(path).name == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["mine.safetensors"]


@pytest.mark.parametrize(
    ("content", "metadata", "message"),
    [
        (b"not weights at all", None, "is not a model file"),
        (b"", None, "is not a model file"),
        (None, {}, "no 'napari_deartifact' header"),
        (None, {HEADER_KEY: "{"}, "damaged header"),
        (None, {HEADER_KEY: '{"name": "x"}'}, "damaged header"),
        (None, {HEADER_KEY: "[]"}, "damaged header: it is a list; expected an object"),
        (None, {HEADER_KEY: "null"}, "damaged header: it is a NoneType"),
        (None, {HEADER_KEY: "[" * 100_000}, "damaged header"),
        (
            None,
            {HEADER_KEY: '{"name": "x", "architecture": ["y"]}'},
            r"\[.y.\]; expected a str",
        ),
        (
            None,
            {HEADER_KEY: '{"name": "x", "architecture": "y", "format_version": "1"}'},
            "format_version is",
        ),
        (
            None,
            {HEADER_KEY: '{"name": "x", "architecture": "unet", "arguments": {"widths": [-1, 2, 3, 4]}}'},
            "'unet' cannot be built",
        ),
        (None, {HEADER_KEY: '{"name": "x", "architecture": "y", "format_version": 99}'}, "update"),
    ],
)
def test_other_files_are_refused(tmp_path, content, metadata, message):
    path = tmp_path / "other.safetensors"
    if content is None:
        save_file({"a": np.zeros(2, np.float32)}, path, metadata=metadata)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_model(path, device="cpu")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (ModelCard("x", "compact-cn"), "did you mean 'compact-cnn'"),
        (ModelCard("x", "compact-cnn", {"colour": 1}), "cannot be built"),
        (ModelCard("x", "compact-cnn", {"widths": [4, 4, 4, 4]}), "do not fit"),
    ],
)
def test_weights_must_fit_the_architecture(tmp_path, card, message):
    path = tmp_path / "x.safetensors"
    save_model(path, build("compact-cnn"), card)
    with pytest.raises(ValueError, match=message):
        read_model(path)


def test_a_changed_file_is_read_anew(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_model(path, build("compact-cnn"), ModelCard("first", "compact-cnn"))
    first = load_model(path, device="cpu")
    save_model(path, build("compact-cnn"), ModelCard("second", "compact-cnn"))
    assert (first.name, load_model(path, device="cpu").name) == ("first", "second")


def test_what_ships():
    models = {model.name: model for model in list_models()}
    assert next(iter(models)) == "general"
    assert models["general"].parameter_count == 3_229_516
    assert models["general"].path.stat().st_size < 8e6
    assert models["general-fast"].parameter_count == 1_072_612
    assert models["compact-cnn"].parameter_count == 57_987
    assert models["spp"].kind == "classical"
    assert model_card("spp") is None
    for model in models.values():
        assert model.description
        if model.path is None:
            continue
        card = read_card(find_model(model.name))
        assert card.name == model.path.stem
        assert card.recipe
        assert card.data
        assert card.licence
        assert card.results


@pytest.mark.parametrize("name", ["general", "general-fast", "compact-cnn"])
def test_shipped_weights_were_trained(name):
    torch.manual_seed(0)
    generator, card = read_model(find_model(name))
    moved = generator.state_dict()
    assert all(
        (moved[key] - value).abs().max() > 1e-3
        for key, value in build(card.architecture, card.arguments).state_dict().items()
        if key.endswith("weight")
    )


def test_own_models_are_listed_by_the_names_of_their_files(own_models):
    own_models.mkdir()
    card = ModelCard("a recipe", "compact-cnn", description="of mine")
    for name in ("mine", "general"):
        save_model(own_models / f"{name}.safetensors", build("compact-cnn"), card)
    names = [model.name for model in list_models()]
    assert names.count("general") == 1  # what ships goes first
    assert names.index("spp") == names.index("mine") + 1
    assert find_model("mine") == own_models / "mine.safetensors"
    assert find_model("general").parent != own_models
    assert load_model("mine", device="cpu").card == card


def test_what_is_no_model_in_the_own_folder_is_left_out(own_models):
    own_models.mkdir()
    (own_models / "broken.safetensors").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match=r"broken\.safetensors is not a model file.*left out of the list"):
        assert "broken" not in [model.name for model in list_models()]


@pytest.mark.parametrize(
    ("platform", "variable", "place"),
    [
        ("linux", "XDG_DATA_HOME", "napari-deartifact/models"),
        ("win32", "LOCALAPPDATA", "napari-deartifact/models"),
        ("linux", "HOME", ".local/share/napari-deartifact/models"),
        ("darwin", "HOME", "Library/Application Support/napari-deartifact/models"),
    ],
)
def test_where_own_models_lie(monkeypatch, tmp_path, platform, variable, place):
    for name in ("NAPARI_DEARTIFACT_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    assert models_folder() == tmp_path / place


def test_models_are_found_where_nobody_has_a_home(monkeypatch):
    def nobody(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "XDG_DATA_HOME", FOLDER_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    pwd = pytest.importorskip("pwd", reason="users are numbers without a name on POSIX alone")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert load_model("compact-cnn", device="cpu").name == "compact-cnn"
    with pytest.raises(FileNotFoundError, match="no model file at ~nobody-here"):
        load_model("~nobody-here/a.safetensors", device="cpu")
