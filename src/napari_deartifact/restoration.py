"""`deartifact`: one function restores any image array; every face of the project is a layer over it."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.intensities import intensity_scale
from napari_deartifact.lazy import as_dask, lazy_source, restore_blocks, turnstile
from napari_deartifact.messages import refuse_masked
from napari_deartifact.models.reference import ModelReference
from napari_deartifact.models.registry import DEFAULT_MODEL
from napari_deartifact.progress import ProgressCallback, run_steps
from napari_deartifact.request import Consistency, Request, RestorationOptions
from napari_deartifact.series import restore_series
from napari_deartifact.tiling import Progress, Region, TileGrid

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer


def deartifact(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    channel_axis: int | None = None,
    rgb: bool = True,
    data_range: float | Sequence[float] | None = None,
    strength: float = 1.0,
    perceptual: float = 0.0,
    jpeg: JPEGInfo | str | os.PathLike[str] | None = None,
    consistency: Consistency = "auto",
    force: bool = False,
    device: str = "auto",
    tile_size: int | None = None,
    progress: bool | ProgressCallback | None = None,
) -> Any:
    """Take JPEG artifacts out of an image.

    Parameters
    ----------
    image : array-like, 2-D or more, integer or float
        The last two axes that are not `channel_axis` are Y and X; all others number independent
        planes.  NaN and infinities stay where they are and do not spread.  What is lazy stays so: dask
        arrays, zarr arrays and chunked HDF5 data sets give a dask array; all else is read whole, a
        :class:`numpy.memmap` or a contiguous HDF5 data set too.
    model : str, path or Restorer
        A name of :func:`list_models`, a model file, or what :func:`load_model` returned.
    channel_axis : int, optional
        The axis of the colours; without it the image is grey.  A trailing axis of 3 or 4 must be
        explained, never guessed.
    rgb : bool
        Whether a channel axis of 3 or 4 is RGB or RGBA.  Alpha passes through.  With False, or
        any other length, the channels are independent planes.
    data_range : number or (number, number), optional
        0 to the number, or (black, white), in intensity units.  By default 0 to 255 for uint8; 0 to
        2**p − 1 with a `jpeg` of precision p; else the range on which the pixels show the levels of
        their JPEG; else the finite minimum to maximum of the whole array, or of each independent channel,
        so that a crop may differ from the whole, without hot pixels: ends that hold less than a thousandth
        of the pixels and lie far beyond the others.  Models take values outside for black or white; they
        are not clipped, and nothing is moved out of the range.  A lazy array that is not uint8 must say it.
    strength : float
        0 returns the input exactly, 1 the model's answer.
    perceptual : float
        0 is the model, trained to be as near to the original as can be; 1 its perceptual twin, trained to
        look like an original, which may invent detail: keep 0 for whatever is measured.  Between them the
        weights are interpolated, see :func:`load_model`, which takes the number too; a loaded model has its
        own.  A model has a twin when ``NAME-perceptual.safetensors`` lies beside its file.
    jpeg : JPEGInfo or path, optional
        The JPEG that the pixels were decoded from; for a cut-out use :meth:`JPEGInfo.crop`.
        Without it a method that needs the tables estimates them from the pixels.
    consistency : {"auto", True, False}
        Weigh the model's answer against the quantization cells that the JPEG's coefficients name, and move
        it into them.  "auto" does so when `jpeg` is given, or when the pixels tell its tables beyond doubt.
    force : bool
        Restore also what shows no JPEG history, or was restored before.  By default such an image is
        returned as it is, since there is nothing to gain and detail to lose; what was more likely
        compressed than not is restored.  A series of pictures is judged as one, by up to five of them.
        Lazy arrays are always restored, and without `jpeg` no cells are known for them and they are taken
        to begin on the block grid, because to look at them is to compute them.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``: where a named model is loaded.  A
        loaded one stays where it is, and naming another device is an error.
    tile_size : int, optional
        Edge of a tile, in pixels, 8 or more; less takes less memory.  The answer does not depend on it but
        for rounding.
    progress : bool or callable, optional
        True shows a bar; a callable gets (done, total) after each tile.

    Returns
    -------
    ndarray or dask array
        Of the same shape and dtype; lazy when `image` was.

    Raises
    ------
    ValueError
        For an argument out of its range, an unknown model or device, a loaded model that is on another
        device, a model without the perceptual twin that is asked for, or a shape that needs explaining.
        When `jpeg` is given without `data_range`, and the intensities are plainly on another scale than its
        samples, or lazy ones may be.
    TypeError
        For a dtype that is no image's; for a `model`, `jpeg`, `channel_axis`, `data_range` or `device` of
        another type.
    FileNotFoundError
        For a model file or JPEG that is not there.
    MemoryError
        When not even the smallest tile fits.

    Warns
    -----
    UserWarning
        When no JPEG history is found, or that of an image restored before; it comes back unchanged.
        When the history is uncertain and the image is restored.  When most blocks are not what `jpeg`
        decodes to, which fine tables without coefficients may not tell.
        When the device cannot hold the smallest tile, and the CPU takes over.

    Notes
    -----
    Tiles overlap by the model's receptive field, so that the answer is the same for every tile
    size to rounding, of bfloat16 where the processor multiplies in it, which may move a whole level by one.

    Examples
    --------
    >>> from skimage.data import camera
    >>> from napari_deartifact import deartifact
    >>> from napari_deartifact.degradation import jpeg_round_trip
    >>> degraded = jpeg_round_trip(camera()[100:196, 200:296], 20)
    >>> restored = deartifact(degraded, device="cpu")
    >>> restored.shape, restored.dtype
    ((96, 96), dtype('uint8'))
    """
    steps = restoration_steps(
        image,
        model,
        channel_axis=channel_axis,
        rgb=rgb,
        data_range=data_range,
        strength=strength,
        perceptual=perceptual,
        jpeg=jpeg,
        consistency=consistency,
        force=force,
        device=device,
        tile_size=tile_size,
    )
    return run_steps(steps, progress)


def restoration_steps(
    image: Any,
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    **options: Unpack[RestorationOptions],
) -> Generator[Progress, None, Any]:
    """Do what :func:`deartifact` does, some tiles a step; to cancel, stop iterating.

    Parameters
    ----------
    image, model, **options
        As for :func:`deartifact`, but for `progress`; and `estimates`, what
        :func:`~napari_deartifact.history.estimates_of` said of the pictures, if the caller has asked it.

    Yields
    ------
    Progress
        (done, total) tiles; the first has none done.

    Returns
    -------
    ndarray or dask array
        The restored image, as the value of the generator.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`deartifact`, at the first step.

    Examples
    --------
    >>> import numpy as np
    >>> steps = restoration_steps(
    ...     np.eye(32, dtype=np.uint8), "compact-cnn", force=True, device="cpu", tile_size=16
    ... )
    >>> done = [step.done for step in steps]
    >>> done[0], done[-1]
    (0, 4)
    """
    request = Request.of(model, **options)
    source = lazy_source(image)
    if source is None:
        refuse_masked(image)
        return (yield from restore_series(np.asarray(image), request))
    yield Progress(0, 1)
    answer = _restore_lazily(source, request)
    yield Progress(1, 1)
    return answer


def _restore_lazily(source: Any, request: Request) -> Any:
    layout = request.layout_of(source)
    scale = intensity_scale(source, request.data_range, precision=request.precision())
    if 0 in source.shape or scale is None or request.strength == 0:
        return as_dask(source)
    model = request.loaded_model()
    if model.needs_tables and request.jpeg is None:
        raise ValueError(
            f"model {model.name!r} estimates the JPEG's tables from a whole image, and the array is lazy; "
            "give jpeg=JPEGInfo.from_file(path)"
        )
    # The record of a whole slide would be sent with each of its chunks.
    portable = replace(
        request,
        model=_portable(request, model),
        rgb=layout.colors == 3,  # a block may have 3 of many channels
        perceptual=0.0,  # which the model brings along
        jpeg=None,
        data_range=(scale.black, scale.white),
        force=True,
        estimates={},  # a block is not looked at
    )
    return restore_blocks(
        source,
        layout,
        TileGrid.for_model(model, layout.colors, request.jpeg),
        partial(_restore_block, request=portable),
        jpeg=request.jpeg,
    )


def _portable(request: Request, model: Restorer) -> Any:
    """Refer to a model by its file, or keep it where it has none."""
    if isinstance(request.model, str | os.PathLike):
        return ModelReference.of(request.model, request.device, perceptual=request.perceptual)
    path = getattr(model, "path", None)
    if path is None:
        return model
    return ModelReference.of(
        path,
        getattr(model, "device", "auto"),
        getattr(model, "precision", "auto"),
        getattr(model, "perceptual", 0.0),
    )


def _restore_block(
    block: NDArray[Any], jpeg: JPEGInfo | None, region: Region, *, request: Request
) -> NDArray[Any]:
    model: Any = request.model
    if isinstance(model, ModelReference):
        model = model.load()
    # What one block seems to have gone through says nothing of the next.
    consistency = request.consistency if jpeg is not None else False
    request = replace(request, model=model, jpeg=jpeg, consistency=consistency)
    with turnstile(getattr(model, "device", "cpu")):
        restored: NDArray[Any] = run_steps(restore_series(block, request, region))
    return restored
