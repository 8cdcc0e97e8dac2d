"""How much a model gains on pictures whose original is known: compress, restore, compare."""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.evaluation.condition import Condition, Quality, Sample
from napari_deartifact.evaluation.originals import LUMAS, Luma, find_images, read_original
from napari_deartifact.evaluation.records import Evaluation, Record
from napari_deartifact.evaluation.scores import Measure, Scores, names_of
from napari_deartifact.models.registry import DEFAULT_MODEL, loaded
from napari_deartifact.models.twin import check_perceptual, mixed_name
from napari_deartifact.restoration import deartifact

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

_OF_ITS_HISTORY = "the image (was probably compressed|shows no JPEG history|has been restored)"
"""Warnings of what is known here; that a picture was left alone shows in its figures."""


def evaluate(
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = ".",
    qualities: Sequence[Quality] = (10, 20, 30, 40),
    *,
    luma: Luma = "full",
    color: bool = False,
    subsampling: str = "4:2:0",
    codec: str = "jpeg",
    shift: tuple[int, int] | None = None,
    passes: int = 1,
    jpeg_info: bool = False,
    consistency: bool = False,
    defaults: bool = False,
    perceptual: float = 0.0,
    measures: Sequence[Measure] = (),
    device: str = "auto",
    tile_size: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Compress originals, restore them and measure both against the originals.

    Parameters
    ----------
    model : str, path or Restorer
        As for :func:`~napari_deartifact.deartifact`.
    images : path or paths
        A folder or files with 8-bit originals.
    qualities : sequence
        Each 1 to 100, or a pair for two JPEGs one after another, or ``"clean"`` for no compression
        at all, which shows what harm is done.
    luma : {"full", "studio"}
        What colour pictures become: the luma that JPEG codes, or MATLAB's (16 to 235), on which
        published grey tables were measured.  Grey pictures are taken as they are.
    color : bool
        Evaluate in RGB instead.
    subsampling : {"4:2:0", "4:2:2", "4:4:4", "4:4:0"}
        Of the chroma, when `color`.
    codec : {"jpeg", "webp", "jpeg2000", "avif", "jpegxl"}
        What compresses.  Codecs other than JPEG make each file as large as the JPEG of the
        quality, so that the qualities stand for bitrates [1]_.
    shift : (int, int), optional
        Rows and columns, 0 to 15, to cut off the decoded picture, so that it starts within a
        block.  Each picture is then restored aligned as well, before the cut, and both answers
        are compared over the pixels that both have.  Of two JPEGs, the cut lies between them, and
        is 4 and 4 by default [2]_.
    passes : int
        How often to restore, one answer being the next one's input.
    jpeg_info : bool
        Tell the model the tables, as a JPEG file does in practice.  Off by default, because
        published blind networks were measured without; a method that needs them estimates them.
    consistency : bool
        Project the answer onto the quantization cells; implies `jpeg_info`.  Off by default, so
        that the network is judged bare.
    defaults : bool
        Do as :func:`~napari_deartifact.deartifact` does unless it is told otherwise: leave pictures
        alone that show no JPEG history, and obey the tables that the pixels tell beyond doubt.
        Off by default, so that the network is judged bare.
    perceptual : float
        As for :func:`~napari_deartifact.deartifact`.
    measures : sequence of Measure
        Each measures what PSNR, PSNR-B and SSIM do not, such as
        :class:`~napari_deartifact.training.features.FeatureDistance` and
        :class:`~napari_deartifact.niqe.NIQE`.
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
        For an unknown model or codec, a model without the perceptual twin that is asked for, a quality
        or an option out of its range, measures of the same key, or when nothing could be evaluated.
    FileNotFoundError
        When there is no such folder or model file.
    ImportError
        When the codec needs imagecodecs, the extra ``codecs``, and it is not there.

    References
    ----------
    .. [1] L. Galteri, L. Seidenari, M. Bertini, A. Del Bimbo, "Deep universal generative
       adversarial compression artifact removal", IEEE Trans. Multimedia 21(8), 2019.
    .. [2] J. Jiang, K. Zhang, R. Timofte, "Towards flexible blind JPEG artifacts removal",
       ICCV 2021: non-aligned double JPEG.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skimage.data import camera
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.fromarray(camera()[100:228, 100:228]).save(folder / "cell.png")
    >>> evaluation = evaluate("compact-cnn", folder, [10], device="cpu")
    >>> degraded, restored, seconds_per_megapixel = evaluation.mean(10)
    >>> restored.psnr > degraded.psnr + 0.5
    True
    """
    condition = Condition(codec, subsampling, shift)
    told = jpeg_info or consistency
    names = names_of(measures)
    _check(condition, qualities, luma=luma, passes=passes, told=told)
    check_perceptual(model, perceptual)
    paths = find_images(images) if isinstance(images, str | os.PathLike) else [Path(item) for item in images]
    restorer = loaded(model, device, perceptual)
    restoration = _Restoration(
        restorer, device, tile_size, passes, told=told, consistency=consistency, defaults=defaults
    )
    records: list[Record] = []
    skipped: dict[str, str] = {}
    for index, (path, name) in enumerate(zip(paths, _distinct_names(paths), strict=True)):
        try:
            original = read_original(path, luma=luma, color=color)
            condition.check_size(original.shape, qualities)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error)
            skipped[name] = reason if str(path) in reason else f"{path}: {reason}"
            continue
        for step, quality in enumerate(qualities, 1):
            sample = condition.apply(original, quality)
            records.append(_measure(name, original, quality, sample, restoration, measures))
            if progress is not None:
                progress(index * len(qualities) + step, len(paths) * len(qualities))
    if not records:
        reason = next(iter(skipped.values()), "there are no pictures")
        raise ValueError(f"nothing could be evaluated: {reason}")
    return Evaluation(
        model=mixed_name(_name_of(model), perceptual),
        qualities=tuple(qualities),
        color=color,
        luma=luma,
        subsampling=subsampling,
        jpeg_info=told,
        consistency=consistency,
        records=tuple(records),
        skipped=skipped,
        codec=codec,
        shift=shift,
        passes=passes,
        defaults=defaults,
        measured_by=names,
    )


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """Name pictures by their files, and where these share a name by their paths."""
    times = Counter(path.name for path in paths)
    return [path.name if times[path.name] == 1 else path.as_posix() for path in paths]


def _check(condition: Condition, qualities: Sequence[Quality], *, luma: str, passes: int, told: bool) -> None:
    if luma not in LUMAS:
        raise ValueError(f"luma is {luma!r}; expected 'full' or 'studio'")
    if not qualities:
        raise ValueError("no qualities; name at least one, such as 10")
    for quality in qualities:
        condition.check(quality)
    if passes < 1:
        raise ValueError(f"passes is {passes}; expected at least 1")
    if told and condition.codec != "jpeg":
        raise ValueError(
            f"codec is {condition.codec!r}, which has no JPEG tables; leave jpeg_info and consistency out"
        )


def _name_of(model: str | os.PathLike[str] | Restorer) -> str:
    if isinstance(model, str | os.PathLike):
        return os.fspath(model)
    return model.name


@dataclass(frozen=True)
class _Restoration:
    """How pictures are restored: all that `deartifact` is told, and how often."""

    model: Restorer
    device: str
    tile_size: int | None
    passes: int
    told: bool
    consistency: bool
    defaults: bool

    def answers(self, sample: Sample, *, whole: bool = False) -> Iterator[NDArray[np.uint8]]:
        """Restore again and again, and give each answer; `whole` takes the picture before the cut."""
        picture = sample.whole if whole else sample.degraded
        jpeg = sample.jpeg(whole=whole) if self.told else None
        for number in range(self.passes):
            # Whoever restores an answer again has a picture, not the JPEG that it once was.
            jpeg = jpeg if number == 0 else None
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", _OF_ITS_HISTORY, UserWarning)
                picture = deartifact(
                    picture,
                    self.model,
                    channel_axis=-1 if picture.ndim == 3 else None,
                    jpeg=jpeg,
                    consistency="auto" if self.defaults else self.consistency and jpeg is not None,
                    force=not self.defaults,
                    device=self.device,
                    tile_size=self.tile_size,
                )
            yield picture


def _measure(
    name: str,
    original: NDArray[np.uint8],
    quality: Quality,
    sample: Sample,
    restoration: _Restoration,
    measures: Sequence[Measure],
) -> Record:
    aligned = None
    start = time.perf_counter()
    first, *others = restoration.answers(sample)
    seconds = (time.perf_counter() - start) / restoration.passes
    if any(sample.cut):
        *_, aligned = restoration.answers(sample, whole=True)
    y, x = sample.cut

    def scores(picture: NDArray[np.uint8]) -> Scores:
        return Scores.of(sample.original, picture, cut=sample.cut, measures=measures)

    return Record(
        image=name,
        height=original.shape[0],
        width=original.shape[1],
        quality=quality,
        degraded=scores(sample.degraded),
        restored=scores((first, *others)[-1]),
        seconds_per_megapixel=seconds / (sample.degraded.shape[0] * sample.degraded.shape[1] / 1e6),
        one_pass=scores(first) if others else None,
        aligned=None if aligned is None else scores(aligned[y:, x:]),
        bits_per_pixel=sample.bits_per_pixel(None if sample.file is None else len(sample.file)),
        jpeg_bits_per_pixel=sample.bits_per_pixel(sample.jpeg_size),
        original={m.key: m(sample.original, sample.original) for m in measures if not m.needs_original},
    )
