"""Slides and OME-Zarr as napari layers: pyramids that are read where they are looked at, in µm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_deartifact.widgets.layers import JPEG_KEY, PROVENANCE_KEY
from napari_deartifact.widgets.reader import LayerData, as_list, is_zarr

if TYPE_CHECKING:
    from napari_deartifact.files.ome_zarr import ImageOnDisk

_UNIT = "µm"


def read_slide(path: str | list[str]) -> list[LayerData]:
    """Read slides and OME-Zarr images, a layer each, or one a channel.

    Parameters
    ----------
    path : str or list of str

    Returns
    -------
    list of (data, attributes, "image")
        Pyramids of dask arrays, with the size of a pixel in µm where it is known.  ``metadata["jpeg"]`` is
        the :class:`~napari_deartifact.jpeg.info.JPEGInfo` that fits the full resolution, if one does.

    Raises
    ------
    FileNotFoundError, ValueError
        For what is not there or damaged.
    ModuleNotFoundError
        When the extra ``slides`` or ``dicom`` is needed and not installed.
    """
    paths = as_list(path)
    return [layer for one in paths for layer in (_zarr_layers(one) if is_zarr(one) else _slide_layers(one))]


def _slide_layers(path: str) -> list[LayerData]:
    from napari_deartifact.files.slides_lazy import slide_levels

    slide, levels = slide_levels(path)
    attributes: dict[str, Any] = {"metadata": {JPEG_KEY: slide.sampled_record()}}
    if slide.pixel_size is not None:
        attributes |= {"scale": slide.pixel_size, "units": (_UNIT, _UNIT)}
    name = slide.path.stem
    if slide.rgb:
        return [_layer(levels, name, {**attributes, "rgb": True})]
    names = [name] if slide.planes == 1 else [f"{name} {plane}" for plane in range(slide.planes)]
    return [
        _layer([level[plane] for level in levels], one, {**attributes, "rgb": False})
        for plane, one in enumerate(names)
    ]


def _zarr_layers(path: str) -> list[LayerData]:
    from napari_deartifact.files.ome_zarr import read_ome_zarr

    image = read_ome_zarr(path)
    attributes: dict[str, Any] = {"metadata": {PROVENANCE_KEY: image.provenance} if image.provenance else {}}
    if image.scale is not None:
        attributes |= {"scale": image.scale, "units": (_UNIT, _UNIT)}
    if image.rgb:
        import dask.array as da

        colors = [da.moveaxis(level, 0, -1) for level in image.levels]
        return [_layer(colors, image.name, {**attributes, "rgb": True})]
    return [
        _layer(
            [level[index] for level in image.levels],
            _channel_name(image, index),
            {**attributes, "rgb": False},
        )
        for index in range(image.levels[0].shape[0])
    ]


def _channel_name(image: ImageOnDisk, index: int) -> str:
    return image.name if len(image.channels) < 2 else f"{image.name} {image.channels[index]}"


def _layer(levels: list[Any], name: str, attributes: dict[str, Any]) -> LayerData:
    several = len(levels) > 1
    several_only = {"multiscale": True} if several else {}
    return (levels if several else levels[0]), {"name": name, **attributes, **several_only}, "image"
