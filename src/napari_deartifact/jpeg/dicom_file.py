"""DICOM files, opened so that what a damaged one claims costs no memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.messages import needs_extra


@contextmanager
def opened_dicom(path: Path, **options: Any) -> Iterator[tuple[Any, BinaryIO]]:
    """Read a data set with pydicom, and name the file in whatever error follows.

    Parameters
    ----------
    path : Path
        Of a file that is there and not empty.
    **options
        Of ``pydicom.dcmread``.

    Yields
    ------
    dataset : pydicom.Dataset
        Its elements are converted when they are asked for, so that damage shows up late.
    stream : binary file
        Where the reading ended.

    Raises
    ------
    ValueError
        When the file is no DICOM, or damaged.
    ModuleNotFoundError
        When the extra ``dicom`` is not installed.

    Notes
    -----
    pydicom asks for as many bytes as an element claims; of a mapped file it gets those that are there.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_extra(path, "dicom")) from error
    from pydicom import errors

    with (
        reported_damage(path, errors.InvalidDicomError, errors.BytesLengthException),
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        mapped = cast(BinaryIO, content)
        yield pydicom.dcmread(mapped, **options), mapped
