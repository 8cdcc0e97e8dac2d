"""Files and arrays of many axes as planes, which are read one by one, as they are stored.

A plane is grey, or true RGB.  Everything else is planes of its own: the slices of a stack, its times, its
channels, the frames of a DICOM file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.files.read import ImageFile, read_image

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2


@dataclass(frozen=True)
class Planes:
    """The planes of a file or an array.

    Attributes
    ----------
    name : str
        As messages write it.
    file : str
        The path, or the name of what is no file.
    shape : tuple of int
        Of a plane: (Y, X) or (Y, X, 3).
    dtype : dtype
    channels : tuple of int
        The number of each plane's channel.
    read : callable
        Gives the stored values of the plane of a number.
    negative : bool
        Whether the largest value is black (MONOCHROME1, WhiteIsZero).
    padding : (float, float), optional
        First and last of the values that say that there is no picture here.
    jpeg : JPEGInfo, optional
        What the file's header says of a lossy JPEG in it.
    lossy : str
        What else the file says of its compression with loss.
    """

    name: str
    file: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    channels: tuple[int, ...]
    read: Callable[[int], NDArray[Any]]
    negative: bool = False
    padding: tuple[float, float] | None = None
    jpeg: JPEGInfo | None = None
    lossy: str = ""

    def __len__(self) -> int:
        return len(self.channels)

    @property
    def nbytes(self) -> int:
        """Bytes of a plane in eight bits."""
        return math.prod(self.shape)

    def title(self, number: int) -> str:
        """Name a plane."""
        return self.name if len(self) == 1 else f"{self.name}#{number}"

    def is_padding(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which values say that there is no picture."""
        if self.padding is None:
            return np.zeros(values.shape, bool)
        low, high = self.padding
        return (values >= low) & (values <= high)


def planes_of_array(
    array: Any, name: str = "array", *, rgb: bool | None = None, channel_axis: int | None = None
) -> Planes:
    """Take an array for planes.

    Parameters
    ----------
    array : array-like
        Of two axes or more; the last two are Y and X, colours and channels aside.  Lazy arrays are read
        plane by plane.
    name : str
        Of the array, such as that of a layer.
    rgb : bool, optional
        Whether the last axis holds RGB or RGBA.  By default when it is 3 or 4 long and there are three
        axes or more.
    channel_axis : int, optional
        The axis of independent channels, each of which gets a window of its own.

    Returns
    -------
    Planes

    Raises
    ------
    ValueError
        For an empty array and one of too few axes.
    TypeError
        For values that are no real numbers.

    Examples
    --------
    >>> stack = planes_of_array(np.zeros((5, 2, 64, 48), np.uint16), channel_axis=1)
    >>> len(stack), stack.shape, stack.channels[:4]
    (10, (64, 48), (0, 1, 0, 1))
    """
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "buif":
        raise TypeError(f"{name} is {dtype}; expected integers, floats or truth values")
    if rgb is None:
        rgb = channel_axis is None and len(array.shape) > 2 and array.shape[-1] in (3, 4)
    last = 3 if rgb else 2
    if len(array.shape) < last or 0 in array.shape or (rgb and array.shape[-1] not in (3, 4)):
        expected = "Y, X and 3 or 4 colours" if rgb else "Y and X"
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}; expected {expected} as last axes, not empty"
        )
    axis = None if channel_axis is None else channel_axis % len(array.shape)
    if axis is not None and axis >= len(array.shape) - last:
        raise ValueError(f"channel_axis is {channel_axis} for {name}; expected an axis before Y and X")
    lead = tuple(int(length) for length in array.shape[: len(array.shape) - last])

    def read(number: int) -> NDArray[Any]:
        plane = np.asarray(array[tuple(int(place) for place in np.unravel_index(number, lead))])
        plane = plane[..., :3] if rgb else plane
        return plane.astype(np.uint8) * np.uint8(255) if dtype.kind == "b" else plane

    shape = (*map(int, array.shape[len(lead) : len(lead) + 2]), *((3,) if rgb else ()))
    stored = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    return Planes(name, name, shape, stored, _channels(lead, axis), read)


@contextmanager
def opened_planes(path: str | os.PathLike[str], most: int) -> Iterator[Planes]:
    """Open a file for the planes in it.

    Parameters
    ----------
    path : path
        Of whatever :func:`~napari_deartifact.files.read.read_image` reads.
    most : int
        Bytes up to which a file is read at once.  Of a larger TIFF the planes are read one by one
        where it stores them apart.

    Yields
    ------
    Planes
        Usable until the block ends.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As :func:`~napari_deartifact.files.read.read_image`.
    """
    path = Path(path)
    if path.suffix.lower() in _TIFF_SUFFIXES and path.is_file():
        from napari_deartifact.jpeg.tiff_directories import opened_tiff

        with opened_tiff(path) as file:
            planes = _tiff_planes(path, file, most)
            if planes is not None:
                yield planes
                return
    yield _planes_of_file(read_image(path))


def _planes_of_file(image: ImageFile) -> Planes:
    pixels, axis = image.pixels, image.channel_axis
    if image.rgb and axis is not None:
        pixels, axis = np.moveaxis(pixels, axis, -1), None
    elif axis is not None:  # before Y and X
        pixels, axis = np.moveaxis(pixels, axis, -3), -3
        if image.alpha:
            pixels = pixels[..., :-1, :, :]
    planes = planes_of_array(pixels, image.path.name, rgb=image.rgb, channel_axis=axis)
    tags = image.metadata
    negative = tags.tiff is not None and tags.tiff.photometric == "miniswhite"
    padding, lossy = None, _lossy_webp(image)
    if tags.dicom is not None:
        data = tags.dicom.dataset
        negative = str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1"
        padding = _dicom_padding(data, pixels.dtype)
        if image.jpeg is None and str(data.get("LossyImageCompression", "")) == "01":
            lossy = "its data set says that it was compressed with loss"
    return replace(
        planes, file=str(image.path), negative=negative, padding=padding, jpeg=image.jpeg, lossy=lossy
    )


def _tiff_planes(path: Path, file: Any, most: int) -> Planes | None:
    """Read a large TIFF page by page, if each page is a plane of a plain picture."""
    full = [series for series in file.series if not series.keyframe.is_reduced]
    if len(full) != 1 or full[0].nbytes <= most:
        return None
    series = full[0]
    page, axes, shape = series.keyframe, str(series.axes), tuple(map(int, series.shape))
    rgb = axes.endswith("YXS") and page.photometric == _RGB
    plain = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and axes.endswith("YX")
    lead = shape[: -3 if rgb else -2]
    if not (rgb or plain) or len(series.pages) != math.prod(lead) or None in series.pages:
        return None
    if tuple(page.shape) != shape[len(lead) :] or series.dtype.kind not in "uif":
        return None
    from napari_deartifact.jpeg.in_tiff import is_jpeg, page_record

    pages = list(series.pages)

    def read(number: int) -> NDArray[Any]:
        values: NDArray[Any] = pages[number].asarray()
        return values[..., :3] if rgb else values

    return Planes(
        path.name,
        str(path),
        (*shape[len(lead) :][:2], *((3,) if rgb else ())),
        series.dtype,
        _channels(lead, axes.index("C") if "C" in axes[: len(lead)] else None),
        read,
        negative=page.photometric == _WHITE_IS_ZERO,
        jpeg=page_record(page, f"page 0 of {path}") if is_jpeg(page) else None,
    )


def _channels(lead: Sequence[int], axis: int | None) -> tuple[int, ...]:
    """Return the channel of each plane."""
    count = math.prod(lead)
    if axis is None:
        return (0,) * count
    return tuple(int(number) for number in np.indices(lead)[axis].ravel())


def _dicom_padding(dataset: Any, dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """Return Pixel Padding Value and its limit, read as the pixels are."""
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int) or dtype.kind not in "iu":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted(_as_stored(end, dtype) for end in (value, limit if isinstance(limit, int) else value))
    return ends[0], ends[1]


def _as_stored(value: int, dtype: np.dtype[Any]) -> float:
    # It is often written as unsigned where the pixels are signed.
    bits = 8 * dtype.itemsize
    value %= 1 << bits
    return float(value - (1 << bits) if dtype.kind == "i" and value >= 1 << (bits - 1) else value)


def _lossy_webp(image: ImageFile) -> str:
    """Look for the chunk of a lossy picture: "VP8 "; a lossless one's is "VP8L"."""
    if image.format != "WEBP":
        return ""
    with image.path.open("rb") as stream:
        start = stream.read(12)
        while len(chunk := stream.read(8)) == 8 and start[:4] == b"RIFF":
            if chunk[:4] == b"VP8 ":
                return "it is a WebP with loss"
            size = int.from_bytes(chunk[4:], "little")
            stream.seek(size + size % 2, os.SEEK_CUR)
    return ""
