"""Restored pixels as DICOM: a derived image that says so, with all else as it was.

The result is uncompressed, in explicit VR little endian.  These attributes tell what happened; sections are
those of DICOM PS3.3.

==================================  ==========================================================================
SOP Instance UID                    new, because the change affects interpretation (C.7.6.1.1.2)
Series Instance UID                 new, the same for all images of a series, so that no viewer mixes restored
                                    and original ones
Image Type                          begins with DERIVED (C.7.6.1.1.2)
Derivation Description              the note is appended (C.12.4.1.1)
Source Image Sequence               the original is appended, as the latest step (C.12.4.1.2)
Lossy Image Compression             stays or becomes 01, which is never reset, with ratio and method
                                    (C.7.6.1.1.5)
Contributing Equipment Sequence     this program as modifying equipment (C.12.1)
Content Qualification               RESEARCH: no product for clinical use
Image Comments                      not for diagnosis
==================================  ==========================================================================

Digital signatures do not hold for other pixels and are removed.
"""

from __future__ import annotations

import copy
import datetime
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deartifact._version import __version__
from napari_deartifact.files.dicom import DICOMTags
from napari_deartifact.jpeg.in_dicom import LOSSY_JPEG
from napari_deartifact.warned import no_warnings

_WARNING = "Processed to reduce JPEG artifacts. Not for diagnosis."
_PLAIN = "1.2.840.10008.1.2.1"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NAMESPACE = uuid.UUID("6b0c1b52-6d3e-4f0b-9a36-0f5f1f0f6c5e")
_JPEG = "ISO_10918_1"
_SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence", "DataSetTrailingPadding")
_LONGEST = {"ST": 1024, "LT": 10240, "LO": 64}
_MOST_BYTES = 2**32 - 2


def check_dicom(path: Path, pixels: NDArray[Any], tags: DICOMTags) -> None:
    """Refuse pixels that cannot take the place of those that a data set had.

    Raises
    ------
    ValueError
        For another shape or dtype, bitmaps, big-endian data sets, and more than 4 GiB.
    """
    dataset = tags.dataset
    shape = _shape(dataset)
    problem = None
    if pixels.shape != shape:
        problem = f"pixels of shape {pixels.shape}, where the data set says {shape}"
    elif pixels.dtype.kind not in "iu" or 8 * pixels.dtype.itemsize != int(dataset.BitsAllocated):
        problem = f"{pixels.dtype.name} pixels, where the data set says {dataset.BitsAllocated} bits"
    elif tags.syntax == _BIG_ENDIAN:
        problem = "the tags of a big-endian data set"
    elif pixels.nbytes > _MOST_BYTES:
        problem = f"{pixels.nbytes} bytes of pixels, at most {_MOST_BYTES}"
    if problem is not None:
        raise ValueError(f"{path} cannot hold {problem}; name the target {path.stem}.tif")


def _shape(dataset: Any) -> tuple[int, ...]:
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel", 1))
    plane = int(dataset.Rows), int(dataset.Columns)
    return (*((frames,) if frames > 1 else ()), *plane, *((samples,) if samples > 1 else ()))


def write_dicom(path: Path, pixels: NDArray[Any], tags: DICOMTags, note: str) -> None:
    """Write restored pixels with the tags of their original.

    Parameters
    ----------
    path : path
        The target.
    pixels : ndarray
        As read, in stored values; colours are RGB.
    tags : DICOMTags
        Of the original.
    note : str
        What was done.

    Raises
    ------
    ValueError
        As :func:`check_dicom`.
    """
    import pydicom

    check_dicom(path, pixels, tags)
    with no_warnings():  # of values in the original that break the standard
        dataset = copy.deepcopy(tags.dataset)
        for name in _SIGNATURES:
            if name in dataset:
                del dataset[name]
        _say_lossy(dataset, tags)
        _say_derived(dataset, note)
        _say_equipment(dataset, note)
        _set_identity(dataset)
        _set_pixels(dataset, pixels)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def _say_lossy(dataset: Any, tags: DICOMTags) -> None:
    if tags.syntax not in LOSSY_JPEG:  # of other codecs only the data set knows
        return
    dataset.LossyImageCompression = "01"
    if not dataset.get("LossyImageCompressionRatio"):
        dataset.LossyImageCompressionRatio = f"{tags.ratio:.4g}"
    if not dataset.get("LossyImageCompressionMethod"):
        dataset.LossyImageCompressionMethod = _JPEG


def _say_derived(dataset: Any, note: str) -> None:
    from pydicom.sr.codedict import codes

    kinds = list(_values(dataset, "ImageType"))
    dataset.ImageType = ["DERIVED", *(kinds[1:] or ["SECONDARY"])]
    for element in dataset.iterall():
        if element.keyword == "FrameType":  # of the functional groups of enhanced images
            element.value = ["DERIVED", *list(element.value)[1:]]
    _append_text(dataset, "DerivationDescription", note)
    _append_text(dataset, "ImageComments", _WARNING)
    dataset.ContentQualification = "RESEARCH"
    if "SOPInstanceUID" not in dataset:
        return
    source = _code_item("PurposeOfReferenceCodeSequence", codes.DCM.SourceImageForImageProcessingOperation)
    source.ReferencedSOPClassUID = dataset.get("SOPClassUID", _SECONDARY_CAPTURE)
    source.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SourceImageSequence = [*(dataset.get("SourceImageSequence") or ()), source]


def _say_equipment(dataset: Any, note: str) -> None:
    from pydicom.sr.codedict import codes

    item = _code_item("PurposeOfReferenceCodeSequence", codes.DCM.ModifyingEquipment)
    item.Manufacturer = "napari-deartifact developers"
    item.ManufacturerModelName = "napari-deartifact"
    item.SoftwareVersions = __version__
    item.ContributionDateTime = datetime.datetime.now().astimezone().strftime("%Y%m%d%H%M%S.%f%z")
    _append_text(item, "ContributionDescription", note)
    dataset.ContributingEquipmentSequence = [*(dataset.get("ContributingEquipmentSequence") or ()), item]


def _set_identity(dataset: Any) -> None:
    from pydicom.uid import UID, generate_uid

    now = datetime.datetime.now().astimezone()
    dataset.SOPClassUID = UID(dataset.get("SOPClassUID") or _SECONDARY_CAPTURE)
    dataset.SOPInstanceUID = generate_uid(prefix=None)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = (
        now.strftime("%Y%m%d"),
        now.strftime("%H%M%S"),
    )
    if dataset.get("SeriesInstanceUID"):
        # UUIDs make UIDs by PS3.5, B.2; one made of a name is the same in every run.
        series = uuid.uuid5(_NAMESPACE, str(dataset.SeriesInstanceUID))
        dataset.SeriesInstanceUID = UID(f"2.25.{series.int}")
        _append_text(dataset, "SeriesDescription", "restored")
    meta = dataset.file_meta
    meta.TransferSyntaxUID = UID(_PLAIN)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    for name in ("ImplementationClassUID", "ImplementationVersionName"):  # of whoever wrote the original
        if name in meta:
            del meta[name]


def _set_pixels(dataset: Any, pixels: NDArray[Any]) -> None:
    stored = int(dataset.get("BitsStored", dataset.BitsAllocated))
    low, high = int(pixels.min()), int(pixels.max())
    signed = pixels.dtype.kind == "i"
    if high >= 2 ** (stored - signed) or low < (-(2 ** (stored - 1)) if signed else 0):
        stored = int(dataset.BitsAllocated)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = stored, stored - 1, int(signed)
    if int(dataset.get("SamplesPerPixel", 1)) == 3:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    for name, value in (("SmallestImagePixelValue", low), ("LargestImagePixelValue", high)):
        if name in dataset:
            dataset[name].VR = "SS" if signed else "US"
            dataset[name].value = value
    content = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    dataset.add_new(
        "PixelData", "OB" if pixels.dtype.itemsize == 1 else "OW", content + bytes(len(content) % 2)
    )


def _values(dataset: Any, name: str) -> tuple[Any, ...]:
    """Return the values of an element that has one, several or none."""
    value = dataset.get(name)
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _append_text(dataset: Any, name: str, text: str) -> None:
    """Add to what is said, within the length that the value representation allows."""
    from pydicom.datadict import dictionary_VR

    said = str(dataset.get(name) or "").strip()
    room = _LONGEST[dictionary_VR(name)] - len(text) - 2
    setattr(dataset, name, f"{said[: max(room, 0)]}; {text}" if said else text)


def _code_item(name: str, code: Any) -> Any:
    from pydicom import Dataset

    inner, item = Dataset(), Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator = code.value, code.scheme_designator
    inner.CodeMeaning = code.meaning
    setattr(item, name, [inner])
    return item
