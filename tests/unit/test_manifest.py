"""The manifest says nothing that is not there; napari would skip a bad one without a word."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_deartifact

MANIFEST = Path(napari_deartifact.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_installed_package_names_this_manifest(manifest):
    installed = PluginManifest.from_distribution("napari-deartifact")
    assert installed.contributions == manifest.contributions
    assert installed.display_name == "Deartifact"


def test_commands_can_be_called(manifest):
    commands = manifest.contributions.commands
    assert len({command.id for command in commands}) == len(commands)
    for command in commands:
        module, name = str(command.python_name).split(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_contributions_name_commands(manifest):
    known = {command.id for command in manifest.contributions.commands}
    parts = manifest.contributions
    used = [entry.command for entry in (*parts.widgets, *parts.readers, *parts.sample_data)]
    used += [
        item.command for items in parts.menus.values() for item in items if getattr(item, "command", None)
    ]
    assert set(used) == known


def test_menus_lead_to_submenus(manifest):
    parts = manifest.contributions
    labels = {submenu.id: submenu.label for submenu in parts.submenus}
    (entry,) = parts.menus["napari/layers/filter"]
    assert labels == {entry.submenu: "Deartifact"}
    assert [item.command for item in parts.menus[entry.submenu]] == [
        "napari-deartifact.restore",
        "napari-deartifact.inspect",
        "napari-deartifact.train",
    ]


def test_what_is_offered(manifest):
    parts = manifest.contributions
    assert [widget.display_name for widget in parts.widgets] == ["Restore", "Inspect", "Train"]
    assert [sample.key for sample in parts.sample_data] == ["camera", "cell"]
    (reader,) = parts.readers
    pictures = ["*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.dcm"]
    slides = ["*.svs", "*.ndpi", "*.ome.tif", "*.ome.tiff", "*.zarr"]
    assert reader.filename_patterns == [*pictures, *slides]
    assert reader.accepts_directories  # OME-Zarr is one
