"""JPEG inside DICOM: what a data set says of its pixels, and the record of an encapsulated frame."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deartifact.jpeg.damage import reported_damage
from napari_deartifact.jpeg.dicom_file import opened_dicom
from napari_deartifact.jpeg.header import ColorSpace, JPEGHeader, named_errors
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.markers import read_header
from napari_deartifact.messages import check_is_file
from napari_deartifact.warned import no_warnings

LOSSY_JPEG = frozenset(
    {
        "1.2.840.10008.1.2.4.50",  # process 1, baseline
        "1.2.840.10008.1.2.4.51",  # 2 and 4, extended
        "1.2.840.10008.1.2.4.53",  # 6 and 8, spectral selection
        "1.2.840.10008.1.2.4.55",  # 10 and 12, full progression
    }
)
"""Transfer syntaxes whose frames are JPEGs with quantization tables."""

_EXTENDED_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


@dataclass(frozen=True)
class PixelModule:
    """What a data set says of its pixels.

    Attributes
    ----------
    path : Path
        Of the file.
    dataset : pydicom.Dataset
        All of it.
    data : bytes
        The pixels as they are coded.
    offsets : (bytes, bytes) or None
        The extended offset table.
    syntax : str
        The transfer syntax.
    rows, columns, frames, samples : int
        The shape; `samples` is 1 for grey and 3 for colour.
    photometric : str
        Such as ``"MONOCHROME2"``.
    allocated, stored : int
        Bits a sample takes, and bits of it that count.
    signed : bool
        Whether the pixels are two's complement.
    """

    path: Path
    dataset: Any
    data: bytes
    offsets: tuple[bytes, bytes] | None
    syntax: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    signed: bool

    @property
    def size(self) -> int:
        """Bytes of the pixels, decoded."""
        return self.rows * self.columns * self.frames * self.samples * -(-self.allocated // 8)

    def encoded_frames(self) -> list[bytes]:
        """Take the frames of a compressed data set apart.

        Raises
        ------
        ValueError
            When there are not as many as the data set says.
        """
        from pydicom.encaps import generate_frames

        with reported_damage(self.path):
            found = list(
                generate_frames(self.data, number_of_frames=self.frames, extended_offsets=self.offsets)
            )
        if len(found) != self.frames:
            raise ValueError(f"{self.path} announces {self.frames} frames and holds {len(found)}")
        return found

    def header(self, frame: bytes, index: int) -> JPEGHeader:
        """Read the header of a JPEG frame, and check that it fits the data set."""
        with named_errors(f"frame {index} of {self.path}"):
            header = read_header(io.BytesIO(frame))
            header.check_size(len(frame))
            found, expected = (
                (header.height, header.width, len(header.components)),
                (self.rows, self.columns, self.samples),
            )
            if found != expected:
                raise ValueError(
                    f"{found[0]}×{found[1]} pixels of {found[2]} samples; the data set says "
                    f"{expected[0]}×{expected[1]} of {expected[2]}"
                )
        return header

    def color_space(self, header: JPEGHeader) -> ColorSpace:
        """Tell what the components are: RGB when the data set says so and no marker speaks against it."""
        silent = not header.jfif and header.adobe_transform is None
        return "rgb" if self.samples == 3 and self.photometric == "RGB" and silent else header.color_space


def read_pixel_module(path: str | os.PathLike[str]) -> PixelModule:
    """Read a DICOM file, but decode no pixels.

    Parameters
    ----------
    path : path
        With or without the preamble.

    Returns
    -------
    PixelModule

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError, ValueError
        As :meth:`JPEGInfo.from_dicom`.
    """
    path = check_is_file(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; get a complete copy of the file")
    with no_warnings(), opened_dicom(path, force=True) as (dataset, _):  # of values that break the standard
        if not dataset.get("PixelData"):
            raise ValueError(f"{path} is no DICOM image: it has no pixels of whole numbers")
        module = _pixel_module(path, dataset)
    if min(module.rows, module.columns, module.frames, module.allocated) < 1 or module.samples not in (1, 3):
        shape = f"{module.rows}×{module.columns} pixels of {module.samples} samples, {module.frames} frames"
        raise ValueError(f"{path} claims {shape}; expected some pixels, grey or of three colours")
    return module


def _pixel_module(path: Path, dataset: Any) -> PixelModule:
    allocated = int(dataset.BitsAllocated)
    offsets = [dataset.get(name) for name in _EXTENDED_OFFSETS]
    if "TransferSyntaxUID" not in dataset.file_meta:  # a bare data set, the default encoding
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    return PixelModule(
        path=path,
        dataset=dataset,
        data=bytes(dataset.PixelData),
        offsets=(bytes(offsets[0]), bytes(offsets[1])) if all(offsets) else None,
        syntax=str(dataset.file_meta.TransferSyntaxUID),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=int(dataset.get("NumberOfFrames") or 1),
        samples=int(dataset.get("SamplesPerPixel", 1)),
        photometric=str(dataset.get("PhotometricInterpretation", "MONOCHROME2")),
        allocated=allocated,
        stored=int(dataset.get("BitsStored", allocated)),
        signed=bool(dataset.get("PixelRepresentation", 0)),
    )


def read_dicom_record(path: str | os.PathLike[str], frame: int) -> JPEGInfo:
    """Do what :meth:`JPEGInfo.from_dicom` says."""
    module = read_pixel_module(path)
    if module.syntax not in LOSSY_JPEG:
        from pydicom.uid import UID

        raise ValueError(
            f"{path} is stored as {UID(module.syntax).name}; expected lossy JPEG, processes 1 to 12"
        )
    frames = module.encoded_frames()
    if not 0 <= frame < len(frames):
        raise ValueError(f"frame {frame} of {path}; expected 0 to {len(frames) - 1}")
    return frame_record(module, frames[frame], frame)


def frame_record(module: PixelModule, frame: bytes, index: int) -> JPEGInfo:
    """Return the record of a frame; `index` is for messages."""
    header = module.header(frame, index)
    return JPEGInfo.from_header(header, color_space=module.color_space(header))
