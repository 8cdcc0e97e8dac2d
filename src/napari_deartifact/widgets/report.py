"""What is known of a layer's JPEG history, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deartifact.history import may_gain
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.widgets.wording import FORCE

if TYPE_CHECKING:
    from napari_deartifact.jpeg.estimate import JPEGEstimate

_COMPONENTS = {
    "grey": ("Grey",),
    "ycbcr": ("Luma (Y)", "Chroma (Cb)", "Chroma (Cr)"),
    "rgb": ("Red", "Green", "Blue"),
    "cmyk": ("Cyan", "Magenta", "Yellow", "Black"),
    "ycck": ("Luma (Y)", "Chroma (Cb)", "Chroma (Cr)", "Black"),
}

FORMER_JPEG = (
    "The layer still carries a JPEG's record, but its pixels no longer have that JPEG's size or "
    "components, so only the pixels were looked at."
)


_WITHOUT_LATTICE = {
    "none": (
        "No JPEG history found",
        "Deartifact leaves such a layer as it is, because there is nothing to gain.",
    ),
    "restored": (
        "Restored before",
        "The pixels agree with a JPEG as only restored ones do.  Deartifact does not restore them again.",
    ),
    "uncertain": (
        "JPEG history uncertain",
        (
            "The pixels do not tell: it may have been resized or turned after JPEG, come from another codec, "
            "or have too little texture."
        ),
    ),
}
ESTIMATED = (
    "Estimated.  To know the tables, open the file itself, a JPEG, slide or DICOM, with Deartifact's reader."
)


@dataclass(frozen=True)
class Report:
    """What the Inspect widget shows.

    Attributes
    ----------
    verdict : str
        One sentence.
    facts : tuple of (str, str)
        Labels and values.
    tables : tuple of (str, tuple of int)
        Component names and quantization tables, 64 steps in natural order; equal ones once.
    note : str
        What to do about it, or what to mind.
    """

    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[tuple[str, tuple[int, ...]], ...] = ()
    note: str = ""


def report_on_file(jpeg: JPEGInfo) -> Report:
    """Tell what a JPEG's header says.

    Examples
    --------
    >>> report = report_on_file(JPEGInfo.from_quality(10, height=48, width=64))
    >>> report.verdict
    'JPEG, quality 10'
    >>> dict(report.facts)["Size"]
    '64 × 48 px'
    """
    standard = jpeg.has_standard_tables
    facts = [
        ("Known from", "the header of its file"),
        ("Chroma", _chroma(jpeg)),
        ("Size", f"{jpeg.width} × {jpeg.height} px"),
        ("Coding", f"{'progressive' if jpeg.progressive else 'sequential'}, {jpeg.precision} bits"),
        (
            "Tables",
            "libjpeg's standard" if standard else "the encoder's own; the quality is libjpeg's nearest",
        ),
    ]
    if jpeg.grid != (0, 0):
        facts.append(("Grid", _grid(jpeg.grid)))
    if jpeg.orientation != 1:
        facts.append(("Orientation", f"EXIF {jpeg.orientation}; pixels are shown as stored"))
    verdict = f"JPEG, quality {jpeg.quality}" if standard else f"JPEG, quality about {jpeg.quality}"
    return Report(verdict, tuple(facts), _named_tables(jpeg))


def report_on_estimate(estimate: JPEGEstimate, shape: tuple[int, int]) -> Report:
    """Tell what the pixels say.

    Parameters
    ----------
    estimate : JPEGEstimate
    shape : (int, int)
        Height and width of the part that was examined, in pixels.

    Returns
    -------
    Report
    """
    facts = [
        ("Known from", f"{shape[1]} × {shape[0]} px of the plane in view"),
        (
            "Was compressed" if estimate.history == "uncertain" else "Confidence",
            f"{100 * estimate.confidence:.0f} %",
        ),
    ]
    if not estimate.is_jpeg:
        verdict, note = _WITHOUT_LATTICE[estimate.history]
        if estimate.history == "uncertain":
            unless = f"leaves it as it is, unless “{FORCE}” is ticked."
            note += f"  Deartifact {'restores it all the same.' if may_gain(estimate) else unless}"
        return Report(verdict, tuple(facts), note=note)
    jpeg = estimate.to_jpeg_info(*shape)
    facts += [("Chroma", _chroma(jpeg)), ("Grid", _grid(jpeg.grid))]
    if estimate.first_grid is not None:
        shifted = estimate.first_grid != estimate.grid
        facts.append(("Compressed", "more than once"))
        facts += [("First grid", _grid(estimate.first_grid))] * shifted
    return Report(f"JPEG, quality about {estimate.quality}", tuple(facts), _named_tables(jpeg), ESTIMATED)


def report_on_restored(provenance: Mapping[str, Any]) -> Report:
    """Tell how a layer that this program made came to be."""
    quality = provenance.get("jpeg_quality")
    facts = [
        ("From", str(provenance.get("source", "unknown"))),
        ("Model", str(provenance.get("model", "unknown"))),
        ("Strength", f"{provenance.get('strength', 1):g}"),
        ("Perceptual", f"{provenance.get('perceptual', 0):g}"),
        ("JPEG quality", "not known from a file" if quality is None else str(quality)),
        ("Version", str(provenance.get("version", "unknown"))),
    ]
    return Report("Restored by Deartifact", tuple(facts))


def _chroma(jpeg: JPEGInfo) -> str:
    if jpeg.color_space == "grey":
        return "none, grey"
    names = {"4:4:4": "full resolution", "4:2:2": "half width", "4:2:0": "half width and height"}
    name = names.get(jpeg.subsampling)
    return f"{jpeg.subsampling} ({name})" if name else jpeg.subsampling


def _grid(grid: tuple[int, int]) -> str:
    return f"first block corner at row {grid[0]}, column {grid[1]}"


def _named_tables(jpeg: JPEGInfo) -> tuple[tuple[str, tuple[int, ...]], ...]:
    names = _COMPONENTS[jpeg.color_space]
    by_table: dict[tuple[int, ...], list[str]] = {}
    for name, table in zip(names, jpeg.tables, strict=False):
        by_table.setdefault(tuple(int(step) for step in np.ravel(table)), []).append(name)
    return tuple((", ".join(names), table) for table, names in by_table.items())
