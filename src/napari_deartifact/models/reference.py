"""A model said, not sent: its name or path travels to other processes, and each loads it once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_deartifact.models.model_file import twin_file
from napari_deartifact.models.registry import WEIGHTS, find_model, load_model
from napari_deartifact.models.twin import check_perceptual

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

_one_at_a_time = Lock()


@dataclass(frozen=True)
class ModelReference:
    """Which model, which of its versions, and where it is to run.

    Attributes
    ----------
    model : str
        A name of :func:`~napari_deartifact.list_models`, or the whole path of a model file.
    device : str
        As it was asked for: ``"auto"`` is decided by each process for itself.
    digest : str
        Of the model file's content; empty for a classical method.
    precision : str
        As it was asked for, see :func:`~napari_deartifact.load_model`.
    perceptual : float
        How far it has gone towards its perceptual twin.
    twin_digest : str
        Of the twin's file; empty where `perceptual` is 0.

    Examples
    --------
    >>> reference = ModelReference.of("compact-cnn", "cpu")
    >>> reference.load() is reference.load()
    True
    """

    model: str
    device: str
    digest: str
    precision: str = "auto"
    perceptual: float = 0.0
    twin_digest: str = ""

    @classmethod
    def of(
        cls, model: str | os.PathLike[str], device: str, precision: str = "auto", perceptual: float = 0.0
    ) -> ModelReference:
        """Refer to a model that is on this machine.

        Raises
        ------
        ValueError, FileNotFoundError
            As :func:`~napari_deartifact.load_model`.
        """
        check_perceptual(model, perceptual)
        path = find_model(model)
        if path is None:
            return cls(str(model), device, "")
        # Installations lie elsewhere on other machines; other files must lie where they lie here.
        name = path.stem if path.parent.resolve() == WEIGHTS.resolve() else str(path.absolute())
        return cls(
            name, device, _digest_of(path), precision, float(perceptual), _twin_digest(path, perceptual)
        )

    def load(self) -> Restorer:
        """Return the model; a process loads it once, whatever the number of its threads.

        Raises
        ------
        ValueError
            When this machine has another version of the model or of its twin.
        FileNotFoundError
            When it has no such file.
        """
        with _one_at_a_time:
            return _loaded(self)


@lru_cache(maxsize=8)
def _loaded(reference: ModelReference) -> Restorer:
    path, share = find_model(reference.model), reference.perceptual
    check_perceptual(reference.model, share)
    if (_digest_of(path), _twin_digest(path, share)) != (reference.digest, reference.twin_digest):
        raise ValueError(
            f"model {reference.model!r} is not the same here as where the work was planned; install the same "
            "version of napari-deartifact on all machines, and plan the work again when a model file changed"
        )
    return load_model(reference.model, reference.device, precision=reference.precision, perceptual=share)


def _twin_digest(path: Path | None, perceptual: float) -> str:
    return _digest_of(twin_file(path)) if path is not None and perceptual > 0 else ""


def _digest_of(path: Path | None) -> str:
    return "" if path is None else _content_digest(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _content_digest(path: Path, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
