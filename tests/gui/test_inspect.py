"""The Inspect widget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut, camera

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.widgets.inspection import LOOKING, SETTLING, InspectWidget
from napari_deartifact.widgets.layers import EXAMINED, sample_plane
from napari_deartifact.widgets.report import report_on_file, report_on_restored
from napari_deartifact.widgets.restore_inputs import NO_LAYER

JPEG = JPEGInfo.from_quality(30, height=64, width=72, subsampling="4:2:0")


@pytest.fixture
def inspect(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-deartifact", "Inspect")
    return widget


def wait(qtbot, widget):
    qtbot.waitUntil(lambda: widget.report.verdict != LOOKING, timeout=20_000)


def cell(widget, row, column):
    return widget.table.item(row, column).text()


def test_without_a_layer(inspect):
    assert inspect.verdict.text() == NO_LAYER
    assert not inspect.table.isVisibleTo(inspect)


def test_header_of_the_file(viewer, inspect):
    viewer.add_image(astronaut()[:64, :72], metadata={"jpeg": JPEG})
    assert inspect.verdict.text() == "JPEG, quality 30"
    assert dict(inspect.report.facts)["Chroma"] == "4:2:0 (half width and height)"
    assert inspect.table.isVisibleTo(inspect)
    names = [inspect.component.itemText(index) for index in range(inspect.component.count())]
    assert names == ["Quantization table: Luma (Y)", "Quantization table: Chroma (Cb), Chroma (Cr)"]
    assert cell(inspect, 0, 1) == str(JPEG.table(0)[0, 1])
    inspect.component.setCurrentIndex(1)
    assert cell(inspect, 1, 0) == str(JPEG.table(1)[1, 0])
    viewer.layers.clear()
    assert inspect.verdict.text() == NO_LAYER


def test_estimate_of_a_cut_out(viewer, inspect, qtbot):
    viewer.add_image(jpeg_round_trip(camera(), 20)[3:, 5:])
    wait(qtbot, inspect)
    assert inspect.verdict.text().startswith("JPEG, quality about ")
    facts = dict(inspect.report.facts)
    assert facts["Grid"] == "first block corner at row 5, column 3"
    assert abs(int(inspect.verdict.text().split()[-1]) - 20) <= 2
    assert len(inspect.report.tables[0][1]) == 64


def test_it_follows_the_plane_in_view_and_the_data(viewer, inspect, qtbot):
    layer = viewer.add_image(np.stack([camera(), jpeg_round_trip(camera(), 20)]))
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: "No JPEG history" in inspect.verdict.text(), timeout=20_000)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: "quality about" in inspect.verdict.text(), timeout=20_000)
    layer.data = layer.data[::-1]
    qtbot.waitUntil(lambda: "No JPEG history" in inspect.verdict.text(), timeout=20_000)
    looks = []
    inspect.inspect = lambda: looks.append(1)
    layer.contrast_limits = (0, 100)
    qtbot.wait(2 * SETTLING)
    assert not looks


def test_the_whole_table_shows_in_a_narrow_dock(viewer, qtbot):
    viewer.add_image(astronaut()[:64, :72], metadata={"jpeg": JPEG})
    widget = InspectWidget(viewer)
    qtbot.addWidget(widget)
    widget.setFixedWidth(240)
    widget.show()
    table = widget.table
    qtbot.waitUntil(lambda: table.mapTo(widget, table.rect().topRight()).x() <= 240)
    assert table.columnViewportPosition(7) + table.columnWidth(7) <= table.viewport().width()


def test_metadata_of_others_under_our_name_does_no_harm(viewer, inspect, qtbot):
    viewer.add_image(camera(), metadata={"deartifact": "a note of mine"})
    wait(qtbot, inspect)
    assert "No JPEG history" in inspect.verdict.text()


def test_clean_image(viewer, inspect, qtbot):
    viewer.add_image(camera())
    wait(qtbot, inspect)
    assert inspect.verdict.text() == "No JPEG history found"
    assert inspect.note.text()
    assert not inspect.table.isVisibleTo(inspect)


def test_outdated_record_is_not_believed(viewer, inspect, qtbot):
    viewer.add_image(camera()[:64, :64], metadata={"jpeg": JPEG})
    wait(qtbot, inspect)
    assert "header" not in str(inspect.report)


def test_restored_layer(viewer, inspect):
    record = {"model": "spp", "source": "slide", "strength": 0.5, "jpeg_quality": 30, "version": "1"}
    viewer.add_image(astronaut()[:64, :72], metadata={"jpeg": JPEG, "deartifact": record})
    assert inspect.verdict.text() == "Restored by Deartifact"
    assert dict(inspect.report.facts)["Model"] == "spp"


def test_errors_are_said(viewer, inspect, qtbot, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no luck\nat all")

    monkeypatch.setattr("napari_deartifact.jpeg.estimation.estimate_jpeg", fail)
    viewer.add_image(camera())
    wait(qtbot, inspect)
    assert inspect.verdict.text() == "The pixels could not be examined: no luck"


def test_late_answers_of_another_layer_are_dropped(viewer, inspect, qtbot):
    viewer.add_image(camera(), name="clean")
    viewer.add_image(astronaut()[:64, :72], metadata={"jpeg": JPEG})
    qtbot.wait(300)
    assert inspect.verdict.text() == "JPEG, quality 30"


def test_own_tables_orientation_and_grid_are_told():
    info = JPEGInfo((60), 72, (tuple([7] * 64),), orientation=6, offset=(3, 0), progressive=True)
    report = report_on_file(info)
    facts = dict(report.facts)
    assert report.verdict.startswith("JPEG, quality about ")
    assert "own" in facts["Tables"]
    assert facts["Grid"] == "first block corner at row 5, column 0"
    assert facts["Orientation"].startswith("EXIF 6")
    assert facts["Coding"] == "progressive, 8 bits"
    extended = dict(report_on_file(replace(info, progressive=False, precision=12)).facts)
    assert extended["Coding"] == "sequential, 12 bits"  # baseline is of 8 bits only


def test_incomplete_provenance_is_told():
    assert dict(report_on_restored({}).facts)["Model"] == "unknown"


@pytest.mark.parametrize(
    ("shape", "position", "rgb", "expected"),
    [
        ((20, 30), (1.0, 2.0), False, (20, 30)),
        ((3, 20, 30), (1.2, 5.0, 5.0), False, (20, 30)),
        ((3, 20, 30, 4), (9.0, 5.0, 5.0), True, (20, 30, 3)),
        ((EXAMINED + 40, 30), (0.0, 0.0), False, (EXAMINED, 30)),
    ],
)
def test_sample_plane(shape, position, rgb, expected):
    data = np.arange(np.prod(shape)).reshape(shape)
    plane = sample_plane(data, position, rgb=rgb)
    assert plane.shape == expected
    if shape[0] > EXAMINED:
        assert plane[0, 0] == data[16, 0]
    elif len(shape) == 3:
        np.testing.assert_array_equal(plane, data[1])
