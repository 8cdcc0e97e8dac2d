"""A model file in the formats of other programs: ONNX, and a package for bioimage.io."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from napari_deartifact.atomic import check_target, replacing
from napari_deartifact.models.model_file import read_model
from napari_deartifact.models.registry import WEIGHTS, find_model, list_models

Format = Literal["onnx", "bioimageio"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "bioimageio": ".zip"}
DEVELOPERS = "The napari-deartifact developers"
UNSTATED = "not stated"


def export_model(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    format: Format | None = None,  # noqa: A002 (the word for it)
    authors: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a model file for other programs.

    The network takes float32 of shape (N, C, Y, X) with black at 0 and white at 1, for any N, and for
    any Y and X that are multiples of its size multiple.  A package for bioimage.io holds that network,
    the scaling from 8 bits and back, test pictures, documentation and the model file itself; it is
    checked with bioimageio.spec before it appears.

    Parameters
    ----------
    model : str or path
        A name of :func:`~napari_deartifact.models.registry.list_models`, or a model file.
    output : path
        The file to be written.
    format : {"onnx", "bioimageio"}, optional
        By default what the suffix of `output` says: ``.onnx`` or ``.zip``.
    authors : sequence of str
        Who trained the model, for a bioimage.io package.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ValueError
        For an unknown model, format or suffix, a classical method, the model's own file as output, or a
        package that does not pass the check.
    FileNotFoundError
        When the model file or the folder of `output` does not exist.
    FileExistsError
        When `output` exists and is not to be replaced.
    ImportError
        When a package of the extras ``onnx`` or ``bioimageio`` is not installed.

    Warns
    -----
    UserWarning
        What the check of a bioimage.io package recommends to mend.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> export_model("compact-cnn", folder / "compact-cnn.onnx").name
    'compact-cnn.onnx'
    """
    path, output = _network_file(model), Path(output)
    chosen = _format(output) if format is None else _checked(format)
    check_target(output)
    if output.exists() and output.samefile(path):
        raise ValueError(f"{output} is the model itself; name another file")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} exists; name another file, or replace it with overwrite=True")
    generator, card = read_model(path)
    with replacing(output) as temporary:
        if chosen == "onnx":
            from napari_deartifact.models.onnx_file import write_onnx

            write_onnx(generator, card, temporary)
        else:
            from napari_deartifact.models.bioimageio_package import write_package

            write_package(generator, card, path, _authors(path, authors), temporary)
    return output


def _network_file(model: str | os.PathLike[str]) -> Path:
    path = find_model(model)
    if path is None:
        networks = ", ".join(summary.name for summary in list_models() if summary.kind == "network")
        raise ValueError(
            f"{model!r} has no network to export: it is computed from a JPEG's tables; networks: {networks}"
        )
    return path


def _format(output: Path) -> Format:
    for name, suffix in SUFFIXES.items():
        if output.suffix.lower() == suffix:
            return name
    raise ValueError(
        f"output is {output.name!r}; expected a name that ends in .onnx, or in .zip for a bioimage.io package"
    )


def _checked(name: Format) -> Format:
    if name not in SUFFIXES:
        raise ValueError(f"format is {name!r}; expected one of {', '.join(SUFFIXES)}")
    return name


def _authors(path: Path, authors: Sequence[str]) -> list[str]:
    if authors:
        return list(authors)
    return [DEVELOPERS if path.parent == WEIGHTS else UNSTATED]
