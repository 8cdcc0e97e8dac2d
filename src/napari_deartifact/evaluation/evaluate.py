"""How much a model gains on pictures whose original is known: compress, restore, compare."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.files.read import SUFFIXES, read_image
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.metrics import full_range_luma, psnr, psnr_b, ssim, studio_range_luma
from napari_deartifact.models.registry import DEFAULT_MODEL, load_model
from napari_deartifact.restoration import deartifact

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

Luma = Literal["full", "studio"]
Quality = int | Literal["clean"]
_LUMAS = {"full": full_range_luma, "studio": studio_range_luma}
_SSIM_WINDOW = 11


@dataclass(frozen=True)
class Scores:
    """How near a picture is to its original: `psnr` and `psnr_b` in dB, `ssim` up to 1."""

    psnr: float
    psnr_b: float
    ssim: float

    @classmethod
    def of(cls, original: NDArray[np.uint8], picture: NDArray[np.uint8]) -> Scores:
        """Compare two 8-bit pictures; SSIM is NaN where its window does not fit in."""
        similarity = ssim(original, picture) if min(original.shape[:2]) >= _SSIM_WINDOW else math.nan
        return cls(psnr(original, picture), psnr_b(original, picture), similarity)

    @classmethod
    def mean(cls, scores: Sequence[Scores]) -> Scores:
        """Average over pictures, as published tables do; NaN is left out."""
        columns = [[getattr(score, name) for score in scores] for name in ("psnr", "psnr_b", "ssim")]
        kept = [[value for value in column if not math.isnan(value)] for column in columns]
        return cls(*(math.fsum(column) / len(column) if column else math.nan for column in kept))


@dataclass(frozen=True)
class Record:
    """One picture at one quality.

    Attributes
    ----------
    image : str
        Its name.
    height, width : int
        In pixels.
    quality : int or "clean"
        Of the JPEG; a clean picture was not compressed.
    degraded, restored : Scores
        Of the JPEG and of the model's answer, rounded to uint8.
    seconds_per_megapixel : float
        Of the restoration alone.
    """

    image: str
    height: int
    width: int
    quality: Quality
    degraded: Scores
    restored: Scores
    seconds_per_megapixel: float


@dataclass(frozen=True)
class Evaluation:
    """All records, and the choices that they depend on.

    Attributes
    ----------
    model : str
        Name or path, as it was given.
    qualities : tuple
    color : bool
        RGB, or else luma.
    luma : {"full", "studio"}
        What colour pictures were turned into when not `color`.
    subsampling : str
        Of the chroma of the JPEGs, when `color`.
    jpeg_info, consistency : bool
        Whether the model was told the tables, and its answer projected onto them.
    records : tuple of Record
    skipped : dict
        Files that could not be evaluated, and why.
    """

    model: str
    qualities: tuple[Quality, ...]
    color: bool
    luma: Luma
    subsampling: str
    jpeg_info: bool
    consistency: bool
    records: tuple[Record, ...]
    skipped: dict[str, str] = field(default_factory=dict)

    def at(self, quality: Quality) -> tuple[Record, ...]:
        """Return the records of one quality."""
        return tuple(record for record in self.records if record.quality == quality)

    def mean(self, quality: Quality) -> tuple[Scores, Scores, float]:
        """Return the means at one quality.

        Returns
        -------
        degraded, restored : Scores
        seconds_per_megapixel : float
            All the time over all the pixels.
        """
        records = self.at(quality)
        sizes = [record.height * record.width for record in records]
        seconds = math.fsum(
            record.seconds_per_megapixel * size for record, size in zip(records, sizes, strict=True)
        )
        return (
            Scores.mean([record.degraded for record in records]),
            Scores.mean([record.restored for record in records]),
            seconds / sum(sizes),
        )


def find_images(images: str | os.PathLike[str]) -> list[Path]:
    """List the pictures of a folder, without its subfolders, or the one file.

    Raises
    ------
    FileNotFoundError
        When there is neither.
    ValueError
        When the folder holds no pictures.
    """
    path = Path(images)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"no folder at {path}; check the name")
    found = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"folder {path} holds no pictures; expected files such as *.png, *.bmp or *.tif")
    return found


def read_original(
    path: str | os.PathLike[str], *, luma: Luma = "full", color: bool = False
) -> NDArray[np.uint8]:
    """Read an original for an evaluation.

    Parameters
    ----------
    path : path
        A single 8-bit picture; alpha is left out.
    luma : {"full", "studio"}
        What a colour picture becomes; grey ones are taken as they are.
    color : bool
        Keep RGB instead.

    Returns
    -------
    ndarray of uint8, shape (Y, X) or (Y, X, 3)

    Raises
    ------
    ValueError
        For other pictures, and for grey ones when `color` is set.
    """
    image = read_image(path)
    pixels = image.pixels
    if pixels.dtype != np.uint8:
        raise ValueError(f"{path} has {pixels.dtype} pixels; JPEG evaluations need 8 bits")
    if image.channel_axis is not None:
        pixels = np.moveaxis(pixels, image.channel_axis, -1)
        pixels = pixels[..., :3] if image.rgb else pixels[..., 0] if image.alpha else pixels
    if pixels.ndim == 3 and image.rgb:
        return pixels if color else _LUMAS[luma](pixels).round().astype(np.uint8)
    if pixels.ndim != 2:
        raise ValueError(f"{path} holds an array of shape {pixels.shape}; expected a single picture")
    if color:
        raise ValueError(f"{path} is grey; evaluate it without color")
    return pixels


def evaluate(
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = ".",
    qualities: Sequence[Quality] = (10, 20, 30, 40),
    *,
    luma: Luma = "full",
    color: bool = False,
    subsampling: str = "4:2:0",
    jpeg_info: bool = False,
    consistency: bool = False,
    device: str = "auto",
    tile_size: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Compress originals with libjpeg, restore them and measure both against the originals.

    Parameters
    ----------
    model : str, path or Restorer
        As for :func:`~napari_deartifact.deartifact`.
    images : path or paths
        A folder or files with 8-bit originals.
    qualities : sequence
        Each 1 to 100, or ``"clean"`` for no compression at all, which shows what harm is done.
    luma : {"full", "studio"}
        What colour pictures become: the luma that JPEG codes, or MATLAB's (16 to 235), on which
        published grey tables were measured.  Grey pictures are taken as they are.
    color : bool
        Evaluate in RGB instead.
    subsampling : {"4:2:0", "4:2:2", "4:4:4"}
        Of the chroma, when `color`.
    jpeg_info : bool
        Tell the model the tables, as a JPEG file does in practice.  Off by default, because
        published blind networks were measured without; a method that needs them estimates them.
    consistency : bool
        Project the answer onto the quantization cells; implies `jpeg_info`.  Off by default, so
        that the network is judged bare.
    device, tile_size
        As for :func:`~napari_deartifact.deartifact`.
    progress : callable, optional
        Gets (done, total) after each picture and quality.

    Returns
    -------
    Evaluation
        A picture that cannot be evaluated is listed in `skipped`.

    Raises
    ------
    ValueError
        For an unknown model, a quality or an option out of its range, or when nothing could be
        evaluated.
    FileNotFoundError
        When there is no such folder or model file.
    """
    if luma not in _LUMAS:
        raise ValueError(f"luma is {luma!r}; expected 'full' or 'studio'")
    for quality in qualities:
        if quality != "clean" and not 1 <= quality <= 100:
            raise ValueError(f"quality is {quality}; expected 1 to 100, or 'clean'")
    if not qualities:
        raise ValueError("no qualities; name at least one, such as 10")
    paths = find_images(images) if isinstance(images, str | os.PathLike) else [Path(item) for item in images]
    named = model if isinstance(model, str) else getattr(model, "name", None) or os.fspath(model)  # type: ignore[arg-type]
    loaded = load_model(model, device) if isinstance(model, str | os.PathLike) else model
    options = {"device": device, "tile_size": tile_size, "consistency": consistency}
    records: list[Record] = []
    skipped: dict[str, str] = {}
    for index, path in enumerate(paths):
        try:
            original = read_original(path, luma=luma, color=color)
        except (OSError, ValueError) as error:
            skipped[path.name] = str(error)
            continue
        for step, quality in enumerate(qualities, 1):
            records.append(
                _measure(path.name, original, quality, loaded, subsampling, jpeg_info or consistency, options)
            )
            if progress is not None:
                progress(index * len(qualities) + step, len(paths) * len(qualities))
    if not records:
        reason = next(iter(skipped.values()), "there are no pictures")
        raise ValueError(f"nothing could be evaluated: {reason}")
    return Evaluation(
        model=named,
        qualities=tuple(qualities),
        color=color,
        luma=luma,
        subsampling=subsampling,
        jpeg_info=jpeg_info or consistency,
        consistency=consistency,
        records=tuple(records),
        skipped=skipped,
    )


def _measure(
    name: str,
    original: NDArray[np.uint8],
    quality: Quality,
    model: Restorer,
    subsampling: str,
    jpeg_info: bool,
    options: dict[str, Any],
) -> Record:
    height, width = original.shape[:2]
    degraded, jpeg = original, None
    if quality != "clean":
        degraded = jpeg_round_trip(original, quality, subsampling=subsampling)
        if jpeg_info:
            chroma = subsampling if original.ndim == 3 else None
            jpeg = JPEGInfo.from_quality(quality, height=height, width=width, subsampling=chroma)
    arguments = options | {"consistency": options["consistency"] and jpeg is not None, "jpeg": jpeg}
    with warnings.catch_warnings():
        if quality == "clean":
            warnings.filterwarnings("ignore", "no JPEG history", UserWarning)
        start = time.perf_counter()
        restored = deartifact(degraded, model, channel_axis=-1 if original.ndim == 3 else None, **arguments)
        seconds = time.perf_counter() - start
    return Record(
        image=name,
        height=height,
        width=width,
        quality=quality,
        degraded=Scores.of(original, degraded),
        restored=Scores.of(original, restored),
        seconds_per_megapixel=seconds / (height * width / 1e6),
    )
