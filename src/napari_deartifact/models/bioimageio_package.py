"""A package for bioimage.io: the network in ONNX, test pictures, and a description that can be checked."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.models.bioimageio_text import citations, documentation
from napari_deartifact.models.onnx_file import OPSET, write_onnx

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator
    from napari_deartifact.models.model_file import ModelCard

QUALITY = 10
"""Of the JPEG that is the test picture."""
LEVELS = 255.0
TESTED = 256
"""Least edge of the test picture, in pixels."""
LONGEST_DESCRIPTION = 512
CHANNELS = {3: ["red", "green", "blue"], 1: ["luma"]}
TAGS = ("image-restoration", "jpeg", "deartifact", "2d", "pytorch", "other")
FILES = {
    "weights": "weights.onnx",
    "input": "test_input.npy",
    "output": "test_output.npy",
    "input picture": "sample_input.png",
    "output picture": "sample_output.png",
    "cover": "cover.png",
    "documentation": "README.md",
}


def write_package(
    generator: Generator,
    card: ModelCard,
    model_file: Path,
    authors: Sequence[str],
    path: str | os.PathLike[str],
) -> None:
    """Write a package and check it; nothing is looked up on the network.

    Its network maps pictures of 0 to 255 to the same.  The model file lies beside it, for Deartifact
    itself.

    Parameters
    ----------
    generator : Generator
        In evaluation mode, on the CPU.
    card : ModelCard
    model_file : Path
        Where both came from.
    authors : sequence of str
    path : path
        The ``.zip`` to be written.

    Raises
    ------
    ImportError
        When bioimageio.spec, or what an ONNX file needs, is not installed.
    ValueError
        When the package does not pass bioimageio.spec's check.

    Warns
    -----
    UserWarning
        With what the check recommends to mend.
    """
    spec = _spec()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_onnx(generator, card, folder / FILES["weights"])
        _write_test_pictures(generator, folder)
        (folder / FILES["documentation"]).write_text(documentation(generator, card), encoding="utf-8")
        copyfile(model_file, folder / model_file.name)
        content = {**_facts(generator, card, authors, model_file.name), **_tensors(generator)}
        context = spec.ValidationContext(root=folder, log_warnings=False)
        with context, _quiet():
            described = spec.build_description(content, context=context)
            _refuse_faults(spec, described)
            package = spec.save_bioimageio_package_as_folder(described, output_path=folder / "package")
        _zip(package, path)
    for entry in described.validation_summary.warnings:
        if "maintainers" in entry.msg:  # which the one who uploads it names there
            continue
        where = ".".join(map(str, entry.loc)) or "description"
        warnings.warn(f"the package's {where}: {entry.msg}", UserWarning, stacklevel=3)


def _zip(folder: Path, path: str | os.PathLike[str]) -> None:
    """Pack a folder's files; bioimageio.spec's own packer leaves the file open."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)


def _spec() -> Any:
    try:
        import bioimageio.spec
    except ImportError as error:
        raise ImportError(
            f"a package for bioimage.io needs {error.name}, which is not installed: "
            "pip install 'napari-deartifact[bioimageio]'"
        ) from error
    return bioimageio.spec


def _refuse_faults(spec: Any, described: Any) -> None:
    if isinstance(described, spec.InvalidDescr):
        faults = [
            f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in described.validation_summary.errors
        ]
        raise ValueError(f"bioimageio.spec refuses the package: {'; '.join(faults)}")


def _facts(generator: Generator, card: ModelCard, authors: Sequence[str], model_file: str) -> dict[str, Any]:
    """Say what is no matter of the tensors, in the words of the specification."""
    from bioimageio.spec.model.v0_5 import ModelDescr

    return {
        "format_version": ModelDescr.implemented_format_version,
        "type": "model",
        "name": _name(card.name),
        "description": (card.description or "Takes JPEG artifacts out of pictures.")[:LONGEST_DESCRIPTION],
        "authors": [{"name": author.replace("/", " ")} for author in authors],
        "cite": citations(card.architecture),
        "license": _licence(card.licence),
        "tags": [*TAGS, "rgb" if generator.channels == 3 else "luma"],
        "version": _version(card.version),
        "documentation": {"source": FILES["documentation"]},
        "covers": [{"source": FILES["cover"]}],
        "attachments": [{"source": model_file}],
        "weights": {"onnx": {"source": FILES["weights"], "opset_version": OPSET}},
    }


def _name(name: str) -> str:
    """Keep the letters that the specification allows in names."""
    return f"Deartifact {re.sub('[^A-Za-z0-9_+ ()-]', '-', name)}"[:64]


def _licence(licence: str) -> str | None:
    """Return the licence if it is an identifier of SPDX; the documentation tells of others."""
    from bioimageio.spec.generic.v0_3 import LicenseId

    try:
        return str(LicenseId(licence))
    except ValueError:
        return None


def _version(version: str) -> str:
    from bioimageio.spec.generic.v0_3 import Version

    try:
        return str(Version(version))
    except ValueError as error:
        raise ValueError(
            f"the model's version is {version!r}; expected one of numbers, such as '1.2', in its card"
        ) from error


def _tensors(generator: Generator) -> dict[str, Any]:
    """Describe the input and the output; both are 0 to 255, and the network's own scale is inside."""
    least, step, halo = _sizes(generator)
    data = {"type": "uint8", "range": [0, 255]}
    restored = {"type": "float32", "range": [0, 255]}
    channel = {"type": "channel", "channel_names": CHANNELS[generator.channels]}
    given: list[dict[str, Any]] = [{"type": "batch"}, channel]
    answered: list[dict[str, Any]] = [{"type": "batch"}, channel]
    for name in ("y", "x"):
        axis = {"type": "space", "id": name}
        given.append({**axis, "size": {"min": least, "step": step} if step else least})
        same = {"tensor_id": "degraded", "axis_id": name}
        answered.append({**axis, "size": same, "halo": halo})
    scaling = {"id": "scale_linear", "kwargs": {"gain": 1 / LEVELS}}
    back = {"id": "scale_linear", "kwargs": {"gain": LEVELS}}
    clip = {"id": "clip", "kwargs": {"min": 0.0, "max": LEVELS}}
    return {
        "inputs": [
            {
                "id": "degraded",
                "description": "A decoded JPEG.",
                "axes": given,
                "data": data,
                "test_tensor": {"source": FILES["input"]},
                "sample_tensor": {"source": FILES["input picture"]},
                "preprocessing": [
                    {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
                    scaling,
                    {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
                ],
            }
        ],
        "outputs": [
            {
                "id": "restored",
                "description": "The picture without the JPEG's artifacts.",
                "axes": answered,
                "data": restored,
                "test_tensor": {"source": FILES["output"]},
                "sample_tensor": {"source": FILES["output picture"]},
                "postprocessing": [back, clip],
            }
        ],
    }


def _sizes(generator: Generator) -> tuple[int, int, int]:
    """Return the least size, what may be added to it, and the halo of a tile, in pixels."""
    step = generator.size_multiple
    halo = step * -(-generator.receptive_radius // step)
    if generator.fixed_tile is not None:
        return generator.fixed_tile, 0, halo
    return 2 * halo + step, step, halo


def _write_test_pictures(generator: Generator, folder: Path) -> None:
    import torch

    least, step, _ = _sizes(generator)
    size = least if not step else least + step * max(-(-(TESTED - least) // step), 0)
    degraded = _degraded_picture(size, generator.channels)
    with torch.inference_mode():
        answer = generator(torch.from_numpy(degraded.astype(np.float32)) / LEVELS).numpy()
    restored = np.clip(answer * np.float32(LEVELS), 0, LEVELS)
    np.save(folder / FILES["input"], degraded)
    np.save(folder / FILES["output"], restored)
    _write_png(degraded, folder / FILES["input picture"])
    _write_png(restored, folder / FILES["output picture"])
    _write_png(np.concatenate([degraded, restored], axis=3), folder / FILES["cover"])


def _write_png(tensor: NDArray[Any], path: Path) -> None:
    from PIL import Image

    pixels = np.rint(tensor[0]).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels.squeeze())).save(path)


def _degraded_picture(size: int, channels: int) -> NDArray[np.uint8]:
    """Return a photograph that was a JPEG, of shape (1, channels, size, size)."""
    from io import BytesIO

    from PIL import Image
    from skimage.data import astronaut

    picture = np.asarray(astronaut())  # type: ignore[no-untyped-call]
    missing = max(size - len(picture), 0)
    picture = np.pad(picture, ((0, missing), (0, missing), (0, 0)), mode="wrap")
    left = min(96, picture.shape[1] - size)
    file = BytesIO()
    image = Image.fromarray(picture[:size, left : left + size])
    image.convert("L" if channels == 1 else "RGB").save(file, "JPEG", quality=QUALITY)
    pixels = np.asarray(Image.open(file)).reshape(size, size, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep bioimageio.spec's log and its remarks on other packages from the user."""
    from loguru import logger

    logger.disable("bioimageio.spec")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.enable("bioimageio.spec")
