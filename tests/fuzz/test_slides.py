"""Damaged slides are refused with a ValueError, or read but for the tiles that they name."""

from __future__ import annotations

import io
import random
import tracemalloc
import warnings

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.encaps import encapsulate
from skimage import data

from napari_deartifact.files.slides_open import is_slide, open_slide

COLOR = np.ascontiguousarray(data.astronaut()[:90, 150:240])
TILE, BYTES = 48, 2**27


def tiff():
    stream = io.BytesIO()
    tifffile.imwrite(stream, COLOR, tile=(TILE, TILE), compression="jpeg", photometric="rgb")
    return stream.getvalue()


def dicom(*, sparse):
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.840.10008.1.2.4.50")
    name = pydicom.uid.UID("1.2.840.10008.5.1.4.1.1.77.1.6")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = name
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3")
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = TILE, TILE, 3
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = COLOR.shape[:2]
    dataset.NumberOfFrames, dataset.PhotometricInterpretation = 4, "YBR_FULL_422"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    frames, groups = [], []
    for top in (0, TILE):
        for left in (0, TILE):
            stream = io.BytesIO()
            tile = np.pad(COLOR, ((0, 6), (0, 6), (0, 0)))[top : top + TILE, left : left + TILE]
            Image.fromarray(tile).save(stream, "JPEG")
            frames.append(stream.getvalue())
            position, group = pydicom.Dataset(), pydicom.Dataset()
            position.RowPositionInTotalImagePixelMatrix = top + 1
            position.ColumnPositionInTotalImagePixelMatrix = left + 1
            group.PlanePositionSlideSequence = [position]
            groups.append(group)
    if sparse:
        dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.PixelData = encapsulate(frames, fragments_per_frame=1 if sparse else 2)
    dataset["PixelData"].VR = "OB"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


SOUND = {"a.tif": tiff(), "full.dcm": dicom(sparse=False), "sparse.dcm": dicom(sparse=True)}


def read(path):
    """Open a slide and read its corner; return what was damaged."""
    slide = open_slide(path)
    slide.sampled_record()
    return slide.read(0, (slice(0, min(slide.shape[0], 200)), slice(0, min(slide.shape[1], 200))))[1]


@pytest.mark.parametrize("name", SOUND)
def test_sound(tmp_path, name):
    (tmp_path / name).write_bytes(SOUND[name])
    assert is_slide(tmp_path / name)
    assert read(tmp_path / name) == []


@pytest.mark.parametrize("name", SOUND)
def test_damaged(tmp_path, name):
    generator, path, outcomes = random.Random(0), tmp_path / name, set()  # noqa: S311
    for _ in range(100):
        content = bytearray(SOUND[name])
        for _ in range(generator.choice((1, 2, 6))):
            end = generator.choice((600, 2500, len(content)))
            width = generator.choice((1, 1, 2, 4))
            place = generator.randrange(min(end, len(content)))
            content[place : place + width] = generator.randbytes(width)
        if generator.random() < 0.1:
            del content[generator.randrange(len(content)) :]
        path.write_bytes(content)
        tracemalloc.start()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcomes.add(bool(read(path)))
        except ValueError as error:
            assert name in str(error)
            outcomes.add(str(error))
        assert tracemalloc.get_traced_memory()[1] < BYTES
        tracemalloc.stop()
    assert len(outcomes) > 3
