"""Damaged files end in a picture or in a ValueError that names them, soon and in little memory."""

from __future__ import annotations

import io
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate
from skimage import data

from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg.info import JPEGInfo

imagecodecs.jpegls_version()  # codecs are loaded when they are first used, which is not to be timed
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
"""Files that once made a reader fail in another way."""

SECONDS, BYTES = 2.0, 2**27
GREY, COLOR = data.camera()[100:124, 100:132].copy(), data.astronaut()[:24, 100:132].copy()
RECORDS: dict[str, Callable[[Path], JPEGInfo]] = {
    ".jpg": JPEGInfo.from_file,
    ".tif": JPEGInfo.from_tiff,
    ".dcm": JPEGInfo.from_dicom,
}


def jpeg(pixels=COLOR, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=40, **options)
    return stream.getvalue()


def deep_jpeg():
    return imagecodecs.jpeg_encode(GREY.astype(np.uint16) << 4, level=40, bitspersample=12)


def tiff(pixels, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def dicom(frames, syntax, bits=16):
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = pydicom.uid.UID(
        "1.2.840.10008.5.1.4.1.1.7"
    )
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = pydicom.uid.UID("1.2.3.4")
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *GREY.shape, 1
    dataset.PhotometricInterpretation, dataset.NumberOfFrames = "MONOCHROME2", len(frames)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = 0
    coded = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    dataset.PixelData = encapsulate(frames) if coded else b"".join(frames)
    dataset["PixelData"].VR = "OB" if coded else "OW"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


DEEP = GREY.astype(np.uint16) << 4
EXIF = Image.Exif()
EXIF[0x0112] = 6
TILES = {"compression": "jpeg", "tile": (16, 16)}
SEEDS = {
    ".jpg": [
        jpeg(subsampling="4:2:0", exif=EXIF),
        jpeg(progressive=True, restart_marker_blocks=1),
        jpeg(GREY, qtables=[[9] * 64]),
        deep_jpeg(),
    ],
    ".tif": [
        tiff(GREY, **TILES),
        tiff(COLOR, photometric="rgb", **TILES),
        tiff(np.stack([GREY] * 3), compression="jpeg", photometric="minisblack"),
        tiff(DEEP, compression="zlib"),
        tiff(GREY, bigtiff=True),
    ],
    ".dcm": [
        dicom([deep_jpeg()] * 2, "1.2.840.10008.1.2.4.51"),
        dicom([jpeg(GREY)], "1.2.840.10008.1.2.4.50", bits=8),
        dicom([DEEP.tobytes()], "1.2.840.10008.1.2.1"),
        dicom([imagecodecs.jpegls_encode(DEEP)], "1.2.840.10008.1.2.4.80"),
        dicom([imagecodecs.jpeg2k_encode(DEEP, codecformat="j2k")], "1.2.840.10008.1.2.4.90"),
    ],
}


def check(suffix: str, content: bytes) -> None:
    """Read what may be damaged, in every way in which it can be read."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"damaged{suffix}"
        path.write_bytes(content)
        for read in (RECORDS[suffix], read_image):
            tracemalloc.start()
            start = time.process_time()
            try:
                read(path)
            except ValueError as error:
                assert path.name in str(error)
            finally:
                seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
                tracemalloc.stop()
            assert seconds < SECONDS
            assert peak < BYTES + 64 * len(content)


@st.composite
def damaged(draw: st.DrawFn, suffix: str) -> bytes:
    """Change a few bytes of a sound file, most often in its header, or cut it, or put two together."""
    content = bytearray(draw(st.sampled_from(SEEDS[suffix])))
    for _ in range(draw(st.integers(1, 4))):
        size = max(len(content) - 1, 0)
        place = draw(st.one_of(st.integers(0, min(size, 600)), st.integers(0, size)))
        match draw(st.sampled_from(["byte", "number", "number", "cut", "insert", "splice"])):
            case "byte":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "number":  # a length, a dimension, an offset
                width, order = draw(st.sampled_from([2, 4, 8])), draw(st.sampled_from(["big", "little"]))
                value = draw(st.sampled_from([0, 1, 7, 255, 65535, 2**31 - 1, 2**32 - 1, len(content)]))
                content[place : place + width] = (value % 256**width).to_bytes(width, order)
            case "cut":
                end = draw(st.integers(place, size + 1))
                del content[place:end]
            case "insert":
                content[place:place] = draw(st.binary(max_size=40))
            case "splice":
                other = draw(st.sampled_from(SEEDS[suffix]))
                content[place:] = other[draw(st.integers(0, len(other))) :]
    return bytes(content)


@pytest.mark.parametrize("suffix", SEEDS)
def test_damaged(suffix):
    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(damaged(suffix))
    def run(content):
        check(suffix, content)

    run()


@pytest.mark.parametrize("suffix", SEEDS)
def test_truncated_anywhere(suffix):
    for content in SEEDS[suffix][:2]:
        step = max(len(content) // 70, 1)
        for length in [*range(0, 40, 3), *range(40, len(content), step)]:
            check(suffix, content[:length])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_kept_cases(path):
    check(path.suffix, path.read_bytes())


@pytest.mark.parametrize("suffix", SEEDS)
def test_sound_files_are_read(tmp_path, suffix):
    for index, content in enumerate(SEEDS[suffix]):
        path = tmp_path / f"{index}{suffix}"
        path.write_bytes(content)
        assert read_image(path).pixels.shape[-1] in (3, *GREY.shape)
