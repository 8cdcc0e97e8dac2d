"""What a slide's pixels and tiles tell of it before it is restored."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage.data import camera

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.files.slides_history import Judgement, busiest, history_of, levels_of
from napari_deartifact.files.slides_lazy import slide_levels
from napari_deartifact.files.slides_open import open_slide
from napari_deartifact.request import Request

TISSUE = jpeg_round_trip(camera()[:512, :512], 15)


def test_the_range_of_12_bits_is_known_though_the_first_tile_is_left_out(tmp_path):
    path = tmp_path / "a.tif"
    deep = camera()[100:292, 100:292].astype(np.uint16) * 8
    options = {"level": 20, "bitspersample": 12}
    tifffile.imwrite(path, deep, tile=(64, 64), compression="jpeg", compressionargs=options)
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = file.pages[0]
        page.tags["TileByteCounts"].overwrite([0, *page.databytecounts[1:]])
    scale = levels_of(open_slide(path))
    assert (scale.black, scale.white) == (0.0, 4095.0)


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_tissue_is_looked_at_and_not_what_was_never_scanned(tmp_path, nothing):
    pixels = np.full((2304, 2304), nothing, np.float32)
    pixels[1024:1536, 1024:1536] = TISSUE
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256))
    slide = open_slide(tmp_path / "a.tif")
    windows = [window for _, window in busiest(slide)]
    assert any(rows.start < 1536 and rows.stop > 1024 for rows, _ in windows[:1])
    gains, _, _ = history_of(slide)
    assert gains


@pytest.mark.parametrize("force", [False, True])
def test_blocks_begin_where_they_are_seen_to(tmp_path, force):
    tifffile.imwrite(tmp_path / "a.tif", TISSUE[4:, 6:], tile=(64, 64))
    request = Request.of("spp", jpeg=None, force=force, device="cpu")
    judgement = Judgement.of(open_slide(tmp_path / "a.tif"), request)
    assert judgement.restore
    assert [start % 8 for start in judgement.origin] == [4, 2]


def test_an_undamaged_slide_is_restored_when_it_has_to_be(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", camera(), tile=(64, 64))
    slide = open_slide(tmp_path / "a.tif")
    as_wished, forced = (
        Judgement.of(slide, Request.of("compact-cnn", force=force, device="cpu")) for force in (False, True)
    )
    assert not as_wished.restore
    assert as_wished.warnings
    assert forced.restore
    assert not forced.warnings


def test_coarser_levels_of_signed_slides_are_means(tmp_path):
    pixels = np.full((2500, 64), -3, np.int16)
    pixels[:1000] = 7
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64))
    _, levels = slide_levels(tmp_path / "a.tif")
    assert len(levels) > 1
    assert set(np.unique(levels[1].compute())) == {-3, 7}
