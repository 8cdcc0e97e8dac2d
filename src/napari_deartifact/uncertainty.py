"""A restored image with a standard error for every pixel, so that nobody has to take it on trust.

Two sources know of the error: the file's tables, in closed form, and a small network that has seen
what restorers get wrong.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.lazy import lazy_source
from napari_deartifact.messages import refuse_masked
from napari_deartifact.models.registry import DEFAULT_MODEL
from napari_deartifact.models.twin import check_faithful
from napari_deartifact.progress import ProgressCallback, run_steps
from napari_deartifact.request import Request, RestorationOptions
from napari_deartifact.restoration import restoration_steps
from napari_deartifact.standard_errors import Source, StandardErrors
from napari_deartifact.tiling import Progress

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer


@dataclass(frozen=True)
class Restoration:
    """A restored image and how far it can be trusted.

    Attributes
    ----------
    image : ndarray
        What :func:`~napari_deartifact.deartifact` returns.
    standard_error : ndarray of float32, same shape
        In the image's own intensity units: the true intensity lies within one of it from the restored
        one for about 68 % of the pixels, and within two for about 95 %.  0 in an alpha channel; NaN
        where the image is not finite and where nothing is known.

    Examples
    --------
    >>> answer = Restoration(np.array([[80, 90]], np.uint8), np.array([[2, 5]], np.float32))
    >>> answer.image - 2 * answer.standard_error, answer.image + 2 * answer.standard_error
    (array([[76., 80.]], dtype=float32), array([[ 84., 100.]], dtype=float32))
    """

    image: NDArray[Any]
    standard_error: NDArray[np.float32]


def restore_with_uncertainty(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    source: Source = "both",
    progress: bool | ProgressCallback | None = None,
    **options: Unpack[RestorationOptions],
) -> Restoration:
    """Take JPEG artifacts out of an image, and say for every pixel how wrong the answer may be.

    Parameters
    ----------
    image, model, progress, **options
        As for :func:`~napari_deartifact.deartifact`, but no lazy array and nothing perceptual.
    source : {"both", "quantization", "network"}
        What the standard error is taken from.  "quantization" is what the JPEG's tables leave open,
        computed in closed form, whatever the model made of the file; "network" is what a network
        expects from the restored picture and from what was changed; "both" lets the network correct the
        closed form.  Tables that are not given with `jpeg` are estimated from the pixels.

    Returns
    -------
    Restoration

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`~napari_deartifact.deartifact`; TypeError as well for a lazy array, and ValueError for
        a perceptual model: the standard errors were learnt from faithful answers.

    Warns
    -----
    UserWarning
        As :func:`~napari_deartifact.deartifact`; also when the source is "quantization" and no tables of a
        picture are known, so that its standard error is NaN.

    Notes
    -----
    A picture that shows that it was never compressed, and is returned unchanged, has no error but that of
    rounding.  One that does not tell, or that was restored without known tables, gets the network's part
    alone, which takes it for the answer to some JPEG.

    The network was trained on the answers of the models that its card names and is calibrated for each of
    them; its intervals hold what they promise for pictures and models like those, and
    ``benchmarks/uncertainty.py`` measures it.  An
    interval is symmetric, does not know that intensities end at black and white, and is never narrower
    than the rounding to whole levels of the original and of the decoded picture, and, of integers, than half
    an integer.  Where the pixels show an earlier compression than the last one, tables are left out, because
    they tell nothing of what the first one took.

    Examples
    --------
    >>> from skimage.data import camera
    >>> from napari_deartifact.degradation import jpeg_round_trip
    >>> original = camera()[100:164, 200:264]
    >>> answer = restore_with_uncertainty(jpeg_round_trip(original, 20), "compact-cnn", device="cpu")
    >>> answer.standard_error.shape, answer.standard_error.dtype
    ((64, 64), dtype('float32'))
    """
    steps = uncertainty_steps(image, model, source=source, **options)
    return run_steps(steps, progress)


def uncertainty_steps(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    source: Source = "both",
    **options: Unpack[RestorationOptions],
) -> Generator[Progress, None, Restoration]:
    """Do what :func:`restore_with_uncertainty` does, a tile a step; to cancel, stop iterating.

    Parameters
    ----------
    image, model, source, **options
        As for :func:`restore_with_uncertainty`, but for `progress`.

    Yields
    ------
    Progress
        (done, total) tiles, those of the standard error included.

    Returns
    -------
    Restoration
        As the value of the generator.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`restore_with_uncertainty`, at the first step.

    Examples
    --------
    >>> image = np.eye(32, dtype=np.uint8)
    >>> steps = uncertainty_steps(image, "compact-cnn", force=True, device="cpu", tile_size=16)
    >>> next(steps)
    Progress(done=0, total=8)
    """
    if source not in get_args(Source):
        raise ValueError(f"source is {source!r}; expected one of {', '.join(map(repr, get_args(Source)))}")
    if lazy_source(image) is not None:
        raise TypeError(
            "image is a lazy array, and a standard error is fitted to whole pictures; give it as a numpy "
            "array (image.compute() of dask, image[:] of zarr and HDF5), or a part of it"
        )
    check_faithful(model, options.get("perceptual", 0.0))
    request = Request.of(model, **options)
    refuse_masked(image)
    image = np.asarray(image)
    errors = StandardErrors.of(image, request, source)
    options["jpeg"], options["estimates"] = request.jpeg, errors.estimates
    steps = restoration_steps(image, model, **options)
    step = next(steps)
    try:
        while True:
            yield Progress(step.done, step.total + errors.tile_count)
            step = next(steps)
    except StopIteration as end:
        restored: NDArray[Any] = end.value
    error = np.zeros(image.shape, np.float32)
    for tile in errors.fill(error, image, restored):
        yield Progress(step.total + tile.done, step.total + tile.total)
    return Restoration(restored, error)
