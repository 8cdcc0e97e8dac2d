"""Models by name: those that ship and those in the user's folder; and any model file by its path."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_deartifact.devices import Precision, resolve_device, resolve_precision
from napari_deartifact.messages import nearest_name
from napari_deartifact.models.model_file import (
    SUFFIX,
    ModelCard,
    count_parameters,
    faithful_file,
    read_card,
    read_model,
    twin_file,
)

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer

DEFAULT_MODEL = "general"
WEIGHTS = Path(__file__).parent / "weights"
FOLDER_VARIABLE = "NAPARI_DEARTIFACT_MODELS"


@dataclass(frozen=True)
class ModelSummary:
    """A line of the list of models.

    Attributes
    ----------
    name, description : str
    color : {"rgb", "luma", "any"}
        The channels that the model restores together.
    kind : {"network", "classical"}
        Trained, or computed from the JPEG's tables.
    parameter_count : int
        Trained scalars.
    path : Path or None
        The model file of a network.
    """

    name: str
    description: str
    color: Literal["rgb", "luma", "any"]
    kind: Literal["network", "classical"]
    parameter_count: int = 0
    path: Path | None = None

    @property
    def twin(self) -> Path | None:
        """The file of its perceptual twin, if it has one."""
        twin = None if self.path is None else twin_file(self.path)
        return twin if twin is not None and twin.is_file() else None

    @property
    def twin_of(self) -> str | None:
        """The name of the model of which it is the perceptual twin, if it is one."""
        faithful = None if self.path is None else faithful_file(self.path)
        return None if faithful is None else faithful.stem


SPP = ModelSummary(
    "spp",
    "Weightless: the average of 64 shifted re-compressions with the JPEG's own tables.",
    "any",
    "classical",
)


def models_folder() -> Path:
    """Return the folder of the user's own models, which need not exist.

    It is what the environment variable ``NAPARI_DEARTIFACT_MODELS`` says, or ``napari-deartifact/models``
    where programs of this system keep their data.
    """
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return _expanded(chosen)
    home = _expanded("~")
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "napari-deartifact" / "models"


def _expanded(path: str) -> Path:
    """Put the home directory in place of ``~``, which stays where there is none, as in some containers."""
    return Path(os.path.expanduser(path))


def list_models() -> list[ModelSummary]:
    """List the models that can be asked for by name.

    Returns
    -------
    list of ModelSummary
        The default first; those of the user after the networks that ship, under the names of their files.

    Warns
    -----
    UserWarning
        When a file in the user's folder is no model file; it is left out.

    Examples
    --------
    >>> [model.name for model in list_models() if model.kind == "classical"]
    ['spp']
    """
    networks = [model_summary(path) for path in sorted(WEIGHTS.glob(f"*{SUFFIX}"))]
    known = [*networks, *_own_models({SPP.name, *(model.name for model in networks)}), SPP]
    return sorted(known, key=lambda model: (model.name != DEFAULT_MODEL, model.kind != "network"))


def model_summary(path: Path) -> ModelSummary:
    """Describe a model file under the name of the file.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`~napari_deartifact.models.model_file.read_card`.
    """
    card = read_card(path)
    return ModelSummary(path.stem, card.description, card.color, "network", count_parameters(path), path)


def _own_models(taken: set[str]) -> list[ModelSummary]:
    found = []
    for path in sorted(models_folder().glob(f"*{SUFFIX}")):
        if path.stem in taken:
            continue
        try:
            found.append(model_summary(path))
        except (OSError, ValueError) as error:
            warnings.warn(f"{error}; it is left out of the list of models", UserWarning, stacklevel=3)
    return found


def find_model(model: str | os.PathLike[str]) -> Path | None:
    """Return the model file behind a name or path; None for a classical method.

    Raises
    ------
    ValueError
        For an unknown name.
    FileNotFoundError
        For a path where there is no file.
    """
    name = os.fspath(model)
    if name == SPP.name:
        return None
    for folder in (WEIGHTS, models_folder()):
        named = folder / f"{name}{SUFFIX}"
        if os.path.basename(name) == name and named.is_file():
            return named
    path = _expanded(name)
    if path.is_file():
        return path
    if path.suffix == SUFFIX or path.name != name:
        raise FileNotFoundError(f"no model file at {path}")
    names = [summary.name for summary in list_models()]
    raise ValueError(
        f"unknown model {name!r}{nearest_name(name, names)}; "
        f"known: {', '.join(names)}, or give the path of a {SUFFIX} file"
    )


def load_model(
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str = "auto",
    *,
    precision: str = "auto",
    perceptual: float = 0.0,
) -> Restorer:
    """Load a model; loaded ones are kept, and a file that changed is read anew.

    Parameters
    ----------
    model : str or path
        A name of :func:`list_models`, or a model file.
    device : str
        ``"auto"`` (a GPU when there is one), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    precision : {"auto", "float32", "bfloat16"}
        In which a network multiplies.  ``"auto"`` is bfloat16 where the device has instructions for it,
        or what the environment variable ``NAPARI_DEARTIFACT_PRECISION`` says.
    perceptual : float
        0 is the model itself; 1 its perceptual twin, the file ``NAME-perceptual.safetensors`` beside the
        model's; between them every weight is interpolated linearly [1]_.

    Returns
    -------
    Restorer
        It may be given to :func:`~napari_deartifact.deartifact` in place of the name.  Its `name` tells
        `perceptual`, if that is not 0.

    Raises
    ------
    ValueError
        For an unknown name, a device or precision that is not there, or a file that is not a model file;
        for a `perceptual` that is no number from 0 to 1, or is above 0 for a model without a twin or with
        one of another architecture.
    FileNotFoundError
        For a path where there is no file.

    References
    ----------
    .. [1] X. Wang et al., "Deep Network Interpolation for Continuous Imagery Effect Transition",
       CVPR 2019.

    Examples
    --------
    >>> load_model("compact-cnn", device="cpu").halo
    5
    """
    from napari_deartifact.models.twin import check_perceptual

    check_perceptual(model, perceptual)
    path = find_model(model)
    device = resolve_device(device)
    if path is None:
        from napari_deartifact.models.spp import ShiftedRecompression

        return ShiftedRecompression(device=device)
    number_format = resolve_precision(precision, device)
    files = [path, twin_file(path)] if perceptual > 0 else [path]
    versions = tuple(
        (file.absolute(), file.resolve(), (state := file.stat()).st_mtime_ns, state.st_size) for file in files
    )
    return _load_network(versions, float(perceptual), device, number_format)


def loaded(model: str | os.PathLike[str] | Restorer, device: str, perceptual: float = 0.0) -> Restorer:
    """Load a model that is named; one that is loaded already stays as it is.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`load_model` and :func:`check_device`.
    """
    if isinstance(model, str | os.PathLike):
        return load_model(model, device, perceptual=perceptual)
    check_device(model, device)
    return model


def check_device(model: Restorer, device: str) -> None:
    """Refuse another device than that of a loaded model, if the model says which it is on.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_device(load_model("spp", device="cpu"), "cuda")
    Traceback (most recent call last):
    ...
    ValueError: device is 'cuda', and model 'spp' is loaded on 'cpu' already; give the device to load_model
    """
    own = str(getattr(model, "device", device))
    if device not in ("auto", own, own.split(":")[0]):
        raise ValueError(
            f"device is {device!r}, and model {model.name!r} is loaded on {own!r} already; give the device "
            "to load_model"
        )


@lru_cache(maxsize=8)
def _load_network(
    versions: tuple[tuple[Path, Path, int, int], ...], perceptual: float, device: str, precision: Precision
) -> Restorer:
    """Read a model, or mix it with its twin; the files are told by place, where it leads, age and size."""
    from napari_deartifact.models.network import NetworkRestorer
    from napari_deartifact.models.twin import read_mixed

    path = versions[0][0]
    generator, card = read_model(path) if perceptual == 0 else read_mixed(path, perceptual)
    restorer = NetworkRestorer(generator, card, device, precision)
    restorer.path, restorer.perceptual = path, perceptual
    return restorer


def model_card(model: str | os.PathLike[str]) -> ModelCard | None:
    """Read what a model file says about itself; None for a classical method."""
    path = find_model(model)
    return None if path is None else read_card(path)
