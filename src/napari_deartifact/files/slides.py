"""Whole slides, restored region by region in flat memory, into OME-Zarr or OME-TIFF."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_deartifact._version import __version__
from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.slides_job import SlideJob, remove_spent_folder
from napari_deartifact.files.slides_open import open_slide
from napari_deartifact.files.slides_run import RestoredSlide, SlideRun
from napari_deartifact.models.registry import DEFAULT_MODEL, find_model
from napari_deartifact.models.twin import find_twin
from napari_deartifact.request import Request
from napari_deartifact.tiling import Progress

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

CHUNK = 512
"""Edge of a chunk, in pixels, of what is written."""
_SMALLEST_CHUNK = 16
_ZARR_SUFFIXES, _TIFF_SUFFIXES = (".ome.zarr", ".zarr"), (".ome.tif", ".ome.tiff")
_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def target_format(target: str | os.PathLike[str]) -> Literal["zarr", "tiff"] | None:
    """Tell by its name what a slide would be written as.

    Examples
    --------
    >>> target_format("a.ome.zarr"), target_format("a.ome.tif"), target_format("a.tif")
    ('zarr', 'tiff', None)
    """
    name = Path(target).name.lower()
    return "zarr" if name.endswith(_ZARR_SUFFIXES) else "tiff" if name.endswith(_TIFF_SUFFIXES) else None


def restore_slide(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    model: str | os.PathLike[str] | Restorer = DEFAULT_MODEL,
    *,
    strength: float = 1.0,
    perceptual: float = 0.0,
    consistency: bool = True,
    force: bool = False,
    device: str = "auto",
    tile_size: int | None = None,
    overwrite: bool = False,
    chunk_size: int = CHUNK,
) -> Generator[Progress, None, RestoredSlide]:
    """Restore a whole slide, a tile a step; to cancel, stop iterating.

    Parameters
    ----------
    source : path
        SVS, NDPI, another TIFF of one picture, or an instance of a DICOM whole slide.
    target : path
        ``NAME.ome.zarr`` for OME-Zarr 0.5 or ``NAME.ome.tif`` for OME-TIFF, both pyramids.
    model, strength, perceptual, device, tile_size
        As for :func:`~napari_deartifact.deartifact`.
    consistency : bool
        Move the answer into the quantization cells of the slide's JPEGs, tile by tile.  Where tiles are no
        JPEGs, no cells are known.
    force : bool
        Restore also what shows no JPEG history, judged by some regions of a slide that holds no JPEGs.
    overwrite : bool
        Replace the target, once the new one is complete.
    chunk_size : int
        Edge of the chunks or tiles that are written, in pixels; a multiple of 16.  Regions of two by two of
        them are restored one after the other.

    Yields
    ------
    Progress
        Pieces of work done, and how many there are.

    Returns
    -------
    RestoredSlide
        As the value of the generator.

    Raises
    ------
    ValueError
        For a file that is no slide, an argument out of its range, or an unfinished restoration of other
        settings in the working folder.
    FileExistsError
        When the target is there and `overwrite` is off.
    FileNotFoundError, PermissionError
        When the source or the target's folder is not there, or cannot be written to.
    ModuleNotFoundError
        When an extra is missing.
    OSError
        When the disk is full; what is done is kept.

    Warns
    -----
    UserWarning
        Of missing and damaged tiles, tiles whose tables do not bind the answer, and a history in doubt.

    Notes
    -----
    The work is done in the folder ``NAME.part`` beside the target.  After an interruption of any kind the
    same call goes on where it stopped, and the answer is bit for bit that of an uninterrupted one.  Label,
    macro and thumbnail pictures are not carried over.

    Examples
    --------
    >>> import tempfile, tifffile
    >>> from skimage.data import astronaut
    >>> folder = Path(tempfile.mkdtemp())
    >>> tiles = {"tile": (64, 64), "compression": "jpeg", "compressionargs": {"level": 50}}
    >>> tifffile.imwrite(folder / "slide.tif", astronaut()[:128, :128], photometric="rgb", **tiles)
    >>> steps = restore_slide(folder / "slide.tif", folder / "slide.ome.zarr", "compact-cnn", device="cpu")
    >>> for step in steps:
    ...     pass
    >>> step, (folder / "slide.ome.zarr").is_dir()
    (Progress(done=1, total=1), True)
    """
    request = Request(
        model, strength=strength, perceptual=perceptual, force=force, device=device, tile_size=tile_size
    ).checked()
    kind, target = target_format(target), Path(target)
    if kind is None:
        raise ValueError(f"{target} names no slide; expected a name such as slide.ome.zarr or slide.ome.tif")
    if not isinstance(chunk_size, int) or chunk_size < _SMALLEST_CHUNK or chunk_size % _SMALLEST_CHUNK:
        raise ValueError(f"chunk_size is {chunk_size!r}; expected a multiple of {_SMALLEST_CHUNK} pixels")
    slide = open_slide(source)
    if target.resolve() == slide.path.resolve():
        raise ValueError(f"{target} is the slide itself; choose another target")
    _check_zarr()
    remove_spent_folder(target)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; name another target, or replace it with overwrite=True")
    identity = _identity(slide, request, consistency, chunk_size)
    with SlideJob.opened(target, identity, overwrite=overwrite) as job, _disk_full_explained(job):
        run = SlideRun.of(slide, request, job, consistency=consistency, chunk_size=chunk_size)
        return (yield from run.steps(kind))


def _check_zarr() -> None:
    from importlib.util import find_spec

    for package in ("zarr", "imagecodecs"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(
                f"slides need {package}, which is not installed: pip install 'napari-deartifact[slides]'"
            )


def _identity(slide: Slide, request: Request, consistency: bool, chunk_size: int) -> dict[str, Any]:
    """Name all that the answer depends on, but for the rounding of the device that computes."""
    state = slide.path.stat()
    return {
        "source size": state.st_size,
        "source modified": state.st_mtime_ns,
        "model": _model_identity(request),
        "strength": float(request.strength),
        "perceptual": request.perceptual_share(),
        "consistency": bool(consistency),
        "force": bool(request.force),
        "chunk size": chunk_size,
        "version": __version__,
    }


def _model_identity(request: Request) -> str:
    model = request.model
    if isinstance(model, str | os.PathLike):
        name, path, share = str(model), find_model(model), request.perceptual
    else:
        name, path, share = model.name, getattr(model, "path", None), getattr(model, "perceptual", 0.0)
    if path is None:
        return name
    files = [path, find_twin(path)] if share > 0 else [path]
    digests = (hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files)
    return " ".join([path.stem, *digests])


@contextmanager
def _disk_full_explained(job: SlideJob) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise OSError(
            error.errno,
            f"the disk is full; make room and run the same again, which goes on from the {len(job.done)} "
            f"pieces that are kept in {job.folder}",
        ) from error
