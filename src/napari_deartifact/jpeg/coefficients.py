"""The quantized coefficients themselves, which a JPEG holds and a decoder throws away."""

from __future__ import annotations

import io
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.segments import has_end

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo

_NAMES = ("Y", "Cb", "Cr", "K")


def can_read_coefficients(info: JPEGInfo) -> bool:
    """Say whether the extra ``coefficients`` is installed, and the JPEG of a kind that it reads."""
    return info.precision == 8 and find_spec("jpeglib") is not None


def read_coefficients(data: bytes, info: JPEGInfo) -> tuple[NDArray[np.int16], ...]:
    """Read the quantization indices of every component.

    Parameters
    ----------
    data : bytes
        A whole JPEG of 8 bits per sample.
    info : JPEGInfo
        Its record.

    Returns
    -------
    tuple of ndarray of int16
        Of each component, shape (block rows, block columns, 8, 8), vertical frequency first, up to
        whole coded units.  Blocks that lie wholly beyond the picture, which decoders skip, are as
        libjpeg's encoder fills them: the DC of the block before, and no AC.

    Raises
    ------
    ModuleNotFoundError
        Without the extra ``coefficients``.
    ValueError
        For 12 bits per sample, and for a JPEG that is damaged or has no end.
    """
    try:
        import jpeglib
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a JPEG's coefficients need another package: pip install 'napari-deartifact[coefficients]'"
        ) from error
    if info.precision != 8:
        raise ValueError(f"{info.precision} bits per sample; coefficients are read of 8-bit JPEG only")
    if not has_end(io.BytesIO(data)):
        raise ValueError("no end of image, so that its last coefficients are missing")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coded.jpg"
        path.write_bytes(data)
        try:
            coded = jpeglib.read_dct(str(path))
            parts = [getattr(coded, name) for name in _NAMES[: len(info.tables)]]
        except OSError as error:
            raise ValueError("its coefficients cannot be decoded") from error
    return tuple(_filled(part, counts) for part, counts in zip(parts, block_counts(info), strict=True))


def block_counts(info: JPEGInfo) -> list[tuple[int, int]]:
    """Count the block rows and columns of each component, up to whole coded units.

    Examples
    --------
    >>> from napari_deartifact.jpeg.info import JPEGInfo
    >>> block_counts(JPEGInfo.from_quality(50, height=20, width=40, subsampling="4:2:0"))
    [(4, 6), (2, 3), (2, 3)]
    """
    rows, columns = (-(-side // size) for side, size in zip(info.shape, info.mcu, strict=True))
    if len(info.sampling) == 1:
        return [(rows, columns)]
    return [(rows * vertical, columns * horizontal) for horizontal, vertical in info.sampling]


def _filled(blocks: NDArray[np.int16], counts: tuple[int, int]) -> NDArray[np.int16]:
    filled = np.zeros((*counts, 8, 8), np.int16)
    rows, columns = blocks.shape[:2]
    filled[..., 0, 0] = np.pad(
        blocks[..., 0, 0], ((0, counts[0] - rows), (0, counts[1] - columns)), mode="edge"
    )
    filled[:rows, :columns] = blocks
    return filled
