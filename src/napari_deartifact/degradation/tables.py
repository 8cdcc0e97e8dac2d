"""Quantization tables beside libjpeg's: cameras, scanners and editors have their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.tables import STANDARD_CHROMA, STANDARD_LUMA

TABLES = ("annex-k", "flat", "varied")
"""Names of kinds of tables; the path of a JPEG file is another kind, that of its tables."""

_FLAT = 32
_VARIANTS = 32
_SEED = 20
_FREQUENCY = np.add.outer(np.arange(8), np.arange(8)) / 14


@lru_cache(maxsize=16)
def find_tables(kind: str) -> NDArray[np.float64]:
    """Return the tables of a kind, as they are at quality 50.

    Parameters
    ----------
    kind : str
        ``"annex-k"``, those that libjpeg scales; ``"flat"``, one step for all frequencies;
        ``"varied"``, thirty-two between flat and steeper than Annex K, with finer or coarser chroma,
        as those of many makers are; or the path of a JPEG file, such as one of the scanner whose
        pictures are to be restored.

    Returns
    -------
    ndarray of float, shape (N, 2, 8, 8)
        N pairs of tables, luma's and chroma's.

    Raises
    ------
    ValueError
        For a name that is neither a kind nor a JPEG file.

    Examples
    --------
    >>> find_tables("annex-k")[0, 0, 0, :4]
    array([16., 11., 10., 16.])
    >>> find_tables("varied").shape
    (32, 2, 8, 8)
    """
    standard = np.stack([STANDARD_LUMA, STANDARD_CHROMA]).astype(np.float64)
    if kind == "annex-k":
        found = standard[np.newaxis]
    elif kind == "flat":
        found = np.full((1, 2, 8, 8), float(_FLAT))
    elif kind == "varied":
        found = _varied(standard)
    else:
        found = _of_file(kind)
    found.setflags(write=False)
    return found


def _varied(standard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw tables between flat and steep, the same in every run."""
    draw = np.random.default_rng(_SEED)
    logarithms = np.log(standard)
    mean = logarithms.mean(axis=(1, 2), keepdims=True)
    steepness = draw.uniform(0, 1.3, size=(_VARIANTS, 1, 1, 1))
    chroma = np.exp(draw.uniform(-0.7, 0.5, size=_VARIANTS))
    tilt = draw.uniform(-0.5, 0.5, size=(_VARIANTS, 1, 1, 1)) * (_FREQUENCY - _FREQUENCY.mean())
    tables: NDArray[np.float64] = np.exp(mean + steepness * (logarithms - mean) + tilt)
    tables[:, 1] *= chroma[:, np.newaxis, np.newaxis]
    return np.maximum(tables, 1.0)


def _of_file(path: str) -> NDArray[np.float64]:
    if not Path(path).is_file():
        raise ValueError(f"{path!r} is no kind of quantization table; expected {_expected()}")
    try:
        info = JPEGInfo.from_file(path, coefficients=False)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path!r} is no JPEG ({error}); expected {_expected()}") from error
    own: Sequence[Sequence[int]] = [info.tables[0], info.tables[min(1, len(info.tables) - 1)]]
    steps = np.reshape(np.asarray(own, np.float64), (1, 2, 8, 8))
    scale = 5000 // info.quality if info.quality < 50 else max(200 - 2 * info.quality, 1)
    return steps * (100 / scale)


def _expected() -> str:
    return f"one of {', '.join(TABLES)}, or a JPEG file that has them"
