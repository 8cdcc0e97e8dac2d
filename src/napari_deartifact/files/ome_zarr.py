"""OME-Zarr 0.5: a pyramid in chunks on the disk, with axes, scale and colours said.

References
----------
OME-NGFF 0.5, https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.messages import needs_extra

VERSION = "0.5"
PROVENANCE_KEY = "napari-deartifact"
"""Of the group's attributes: what was restored, and how."""
_COMPRESSION_LEVEL = 3
_PRIMARY_COLORS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
_PALETTE = ("0000FF", "00FF00", "FF0000", "FFFF00", "FF00FF", "00FFFF", "FFFFFF")


@dataclass(frozen=True)
class PyramidLayout:
    """What a pyramid looks like, before anything is in it.

    Attributes
    ----------
    shape : (int, int, int)
        Channels, rows and columns of the finest level.
    dtype : dtype
    chunk : int
        Edge of a chunk, in pixels.
    pixel_size : (float, float) or None
        Height and width of a pixel of the finest level, in µm.
    rgb : bool
        Whether the first three channels are red, green and blue.
    name : str
        Of the image.
    inverted : bool
        Whether small values are bright.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunk: int
    pixel_size: tuple[float, float] | None = None
    rgb: bool = False
    name: str = ""
    inverted: bool = False

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """Shapes of the levels: each half of the one before, rounded up, until one chunk holds it.

        Examples
        --------
        >>> PyramidLayout((3, 1000, 700), np.dtype("uint8"), 256).levels
        [(3, 1000, 700), (3, 500, 350), (3, 250, 175)]
        """
        shapes = [self.shape]
        while max(shapes[-1][1:]) > self.chunk:
            channels, rows, columns = shapes[-1]
            shapes.append((channels, -(-rows // 2), -(-columns // 2)))
        return shapes

    def attributes(self) -> dict[str, Any]:
        """Return the group's ``ome`` attribute."""
        space = {"type": "space"} | ({"unit": "micrometer"} if self.pixel_size else {})
        axes = [{"name": "c", "type": "channel"}, {"name": "y", **space}, {"name": "x", **space}]
        multiscale = {
            "name": self.name,
            "axes": axes,
            "datasets": [
                {"path": str(level), "coordinateTransformations": self._transforms(level)}
                for level in range(len(self.levels))
            ],
            "type": "mean",
            "metadata": {
                "description": "Each pixel is the mean of two by two of the level before, rounded half up.",
            },
        }
        return {"version": VERSION, "multiscales": [multiscale], "omero": self._omero()}

    def _transforms(self, level: int) -> list[dict[str, Any]]:
        factor, (height, width) = 2**level, self.pixel_size or (1.0, 1.0)
        scale = {"type": "scale", "scale": [1.0, height * factor, width * factor]}
        if level == 0:
            return [scale]
        # A pixel's place is its middle, and the middle of two by two lies between them.
        shift = (factor - 1) / 2
        return [scale, {"type": "translation", "translation": [0.0, height * shift, width * shift]}]

    def _omero(self) -> dict[str, Any]:
        low, high = (0, np.iinfo(self.dtype).max) if self.dtype.kind in "iu" else (0, 1)
        window = {"min": low, "max": int(high), "start": low, "end": int(high)}
        named = _PRIMARY_COLORS if self.rgb else ()
        channels = []
        for index in range(self.shape[0]):
            label, color = named[index] if index < len(named) else (f"channel {index}", "FFFFFF")
            if not self.rgb and self.shape[0] > 1:
                color = _PALETTE[index % len(_PALETTE)]
            shown = not self.rgb or index < len(named)  # alpha is no light
            channels.append(
                {"label": label, "color": color, "active": shown, "window": window, "inverted": self.inverted}
            )
        return {"channels": channels, "rdefs": {"model": "color" if self.shape[0] > 1 else "greyscale"}}


class Pyramid:
    """The arrays of an OME-Zarr image, in the folder of a zarr group."""

    def __init__(self, folder: Path, layout: PyramidLayout) -> None:
        import zarr
        from zarr.codecs import ZstdCodec

        self.folder, self.layout = folder, layout
        for leftover in folder.rglob("*.partial"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        self._group = zarr.open_group(folder, mode="a", zarr_format=3)
        names = ["c", "y", "x"]
        self.levels: list[Any] = []
        for number, shape in enumerate(layout.levels):
            name = str(number)
            if not (folder / name / "zarr.json").is_file():
                self._group.create_array(
                    name,
                    shape=shape,
                    dtype=layout.dtype,
                    chunks=(shape[0], min(layout.chunk, shape[1]), min(layout.chunk, shape[2])),
                    compressors=ZstdCodec(level=_COMPRESSION_LEVEL),
                    dimension_names=names,
                    config={"write_empty_chunks": True},
                )
            self.levels.append(self._group[name])
        self._group.attrs["ome"] = layout.attributes()

    def describe(self, provenance: Mapping[str, Any]) -> None:
        """Say in the group what was restored, and how."""
        self._group.attrs[PROVENANCE_KEY] = dict(provenance)

    def write(self, level: int, rows: slice, columns: slice, pixels: NDArray[Any]) -> None:
        """Write whole chunks of a level; each appears whole or not at all."""
        self.levels[level][:, rows, columns] = pixels

    def read(self, level: int, rows: slice, columns: slice) -> NDArray[Any]:
        """Read a part of a level, shape (channels, Y, X)."""
        return np.asarray(self.levels[level][:, rows, columns])

    def windows(self, level: int, edge: int) -> Iterator[tuple[slice, slice]]:
        """Cut a level into squares of `edge` pixels, row by row."""
        _, height, width = self.layout.levels[level]
        for top, left in itertools.product(range(0, height, edge), range(0, width, edge)):
            yield slice(top, min(top + edge, height)), slice(left, min(left + edge, width))

    def coarsen(self, level: int, rows: slice, columns: slice) -> None:
        """Make a part of a level from the one before."""
        finer = (slice(2 * side.start, 2 * side.stop) for side in (rows, columns))
        self.write(level, rows, columns, halved(self.read(level - 1, *finer)))


def halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Average two by two pixels.

    Parameters
    ----------
    pixels : ndarray, shape (channels, Y, X)
        An odd last row or column is repeated.

    Returns
    -------
    ndarray
        Of half the size, rounded up, and the same dtype; integers are rounded, halves up.

    Examples
    --------
    >>> halved(np.array([[[0, 1, 9], [2, 4, 9]]], np.uint8))
    array([[[2, 9]]], dtype=uint8)
    """
    odd = [(0, 0), *((0, side % 2) for side in pixels.shape[1:])]
    even = np.pad(pixels, odd, mode="edge")
    integer = pixels.dtype.kind in "iu"
    wide = even.astype(np.int64 if integer and pixels.dtype.itemsize > 2 else np.int32 if integer else None)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    answer: NDArray[Any] = ((total + 2) >> 2 if integer else total / 4).astype(pixels.dtype)
    return answer


@dataclass(frozen=True)
class ImageOnDisk:
    """An OME-Zarr image, of which nothing is read yet.

    Attributes
    ----------
    name : str
    levels : list of dask array
        Of shape (channels, Y, X), the finest first.
    rgb : bool
        Whether the channels are called red, green and blue, and alpha.
    channels : list of str
        Their names.
    scale : (float, float) or None
        Height and width of a pixel of the finest level, in µm.
    provenance : dict
        What this program wrote down when it restored the image; empty otherwise.
    """

    name: str
    levels: list[Any]
    rgb: bool
    channels: list[str]
    scale: tuple[float, float] | None
    provenance: dict[str, Any]


def read_ome_zarr(path: str | os.PathLike[str]) -> ImageOnDisk:
    """Open an OME-Zarr 0.5 image of the axes c, y and x.

    Parameters
    ----------
    path : path
        The folder of the group.

    Returns
    -------
    ImageOnDisk

    Raises
    ------
    ValueError
        When the folder holds no such image.
    ModuleNotFoundError
        When the extra ``slides`` is not installed.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_extra(path, "slides")) from error
    import dask.array as da

    path = Path(path)
    try:
        group = zarr.open_group(path, mode="r")
        attributes: dict[str, Any] = dict(group.attrs.asdict())
        told = attributes["ome"]
        multiscale = told["multiscales"][0]
        axes = [axis["name"] for axis in multiscale["axes"]]
        levels = [da.from_zarr(str(path), component=part["path"]) for part in multiscale["datasets"]]
    except (LookupError, TypeError, ValueError, FileNotFoundError) as error:
        raise ValueError(f"{path} is no OME-Zarr {VERSION} image ({error})") from error
    if axes != ["c", "y", "x"]:
        raise ValueError(f"{path} has the axes {', '.join(axes)}; expected c, y, x")
    labels = [str(channel.get("label", "")) for channel in told.get("omero", {}).get("channels", [])]
    return ImageOnDisk(
        name=str(multiscale.get("name") or path.name.removesuffix(".zarr").removesuffix(".ome")),
        levels=levels,
        rgb=labels[:3] == [name for name, _ in _PRIMARY_COLORS] and levels[0].shape[0] in (3, 4),
        channels=labels or [str(index) for index in range(levels[0].shape[0])],
        scale=_micrometres(multiscale),
        provenance=dict(attributes.get(PROVENANCE_KEY, {})),
    )


def _micrometres(multiscale: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the size of a pixel of the finest level, where the axes have that unit."""
    if any(axis.get("unit") != "micrometer" for axis in multiscale["axes"][1:]):
        return None
    for transform in multiscale["datasets"][0].get("coordinateTransformations", []):
        if transform["type"] == "scale":
            _, height, width = transform["scale"]
            return float(height), float(width)
    return None
