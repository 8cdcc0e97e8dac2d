"""Pictures to put into files, and files to put them into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from skimage import data


@pytest.fixture(scope="session")
def grey() -> np.ndarray:
    return data.camera()[100:161, 150:221]


@pytest.fixture(scope="session")
def rgb() -> np.ndarray:
    return data.astronaut()[:50, 150:213]


@pytest.fixture
def jpeg_file(tmp_path: Path, rgb: np.ndarray) -> Path:
    """A 4:2:0 JPEG of quality 30, to be shown a quarter turn to the right, at 150 × 200 dpi."""
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    Image.fromarray(rgb).save(
        path, quality=30, subsampling="4:2:0", exif=exif, dpi=(150, 200), icc_profile=b"profile" * 10
    )
    return path


@pytest.fixture
def write_dicom() -> Callable[..., None]:
    return _write_dicom


def _write_dicom(
    path: Path,
    frames: list[bytes],
    syntax: str,
    *,
    pixels: np.ndarray,
    begun: pydicom.Dataset | None = None,
    preamble: bool = True,
    **tags: object,
) -> None:
    """Write frames, coded or not, of which `pixels` is the first before coding; `begun` has tags already."""
    dataset = pydicom.Dataset() if begun is None else begun
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID("1.2.3.4")
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    for name, value in tags.items():
        setattr(dataset, name, value)
    encapsulated = UID(syntax).is_encapsulated
    dataset.PixelData = encapsulate(frames) if encapsulated else b"".join(frames)
    dataset["PixelData"].VR = "OB" if encapsulated or pixels.dtype.itemsize == 1 else "OW"
    if preamble:
        dataset.save_as(path, enforce_file_format=True)
    else:
        del dataset.file_meta
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)


class Brightener:
    """A restorer that adds a hundredth of the range: quick, and easy to recognise."""

    name = "brightener"
    color = "any"
    size_multiple = 1
    halo = 0
    fixed_tile = None
    needs_tables = False

    def restore(self, tiles, jpeg):
        return tiles + np.float32(10 / 255)


@pytest.fixture
def model() -> Brightener:
    return Brightener()
