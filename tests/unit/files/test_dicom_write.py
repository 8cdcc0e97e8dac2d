"""A restored DICOM file is DICOM again: its tags are kept, and it says what happened to it."""

from __future__ import annotations

import sys

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID
from skimage import data

from napari_deartifact.files.batch import restore_files
from napari_deartifact.files.plan import plan_jobs
from napari_deartifact.files.read import read_image
from napari_deartifact.files.write import write_image

PLAIN, BIG_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
GREY = np.ascontiguousarray(data.camera()[100:149, 100:163])
DEEP = GREY.astype(np.uint16) << 4
COLOR = np.ascontiguousarray(data.astronaut()[:49, 100:163])
OWN = ("SOPInstanceUID", "SeriesInstanceUID")


def deep_jpeg(pixels):
    return imagecodecs.jpeg_encode(pixels, level=50, bitspersample=12)


@pytest.fixture
def made(write_dicom):
    """Write the data set of one patient; `pixels` is the first frame before coding."""

    def write(path, frames, syntax, pixels, **tags):
        dataset = pydicom.Dataset()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID("1.2.3"), UID("1.2.3.5")
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", "Müller^Änne"
        dataset.PixelSpacing, dataset.WindowCenter, dataset.RescaleSlope = [0.5, 0.25], 40, 2
        dataset.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "private")
        photometric = "YBR_FULL_422" if pixels.ndim == 3 else "MONOCHROME1"
        tags = {"PhotometricInterpretation": photometric} | tags
        write_dicom(path, frames, syntax, pixels=pixels, begun=dataset, **tags)
        return pydicom.dcmread(path)

    return write


CASES = {
    "12 bits": ([deep_jpeg(DEEP)], EXTENDED, DEEP, {"BitsStored": 12, "HighBit": 11}),
    "12 bits, frames": ([deep_jpeg(DEEP), deep_jpeg(DEEP[::-1].copy())], EXTENDED, DEEP, {"BitsStored": 12}),
    "8 bits": ([imagecodecs.jpeg_encode(GREY, level=50)], BASELINE, GREY, {}),
    "colour": ([imagecodecs.jpeg_encode(COLOR, level=50)], BASELINE, COLOR, {}),
    "signed": ([(DEEP.astype(np.int16) - 900).tobytes()], PLAIN, DEEP.astype(np.int16), {}),
}


@pytest.fixture(params=CASES)
def original(request, tmp_path, made):
    frames, syntax, pixels, tags = CASES[request.param]
    return made(tmp_path / "a.dcm", frames, syntax, pixels, **tags)


def restored(tmp_path, model, **options):
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "out", model, force=True, **options)
    assert (result.status, result.message, result.target.name) == ("restored", "", "a.dcm")
    return pydicom.dcmread(result.target)


def test_pixels(tmp_path, original, model):
    answer = restored(tmp_path, model)
    before, after = read_image(tmp_path / "a.dcm"), read_image(tmp_path / "out" / "a.dcm")
    assert after.pixels.dtype == before.pixels.dtype
    assert after.pixels.shape == before.pixels.shape
    assert not (after.pixels == before.pixels).all()
    assert answer.file_meta.TransferSyntaxUID == PLAIN
    assert answer.HighBit == answer.BitsStored - 1
    assert answer.BitsStored == original.BitsStored
    assert answer.PhotometricInterpretation == ("RGB" if before.rgb else "MONOCHROME1")
    assert (answer.pixel_array == after.pixels).all()


def test_all_else_is_kept(tmp_path, original, model):
    answer = restored(tmp_path, model)
    changed = {
        element.keyword for element in original if element.tag not in answer or answer[element.tag] != element
    }
    assert changed <= {*OWN, "PixelData", "PhotometricInterpretation", "HighBit"}
    assert answer.PatientName == "Müller^Änne"
    assert answer[0x0009, 0x1001].value == "private"


def test_it_says_what_happened(tmp_path, original, model):
    answer = restored(tmp_path, model, strength=0.5)
    assert answer.ImageType == ["DERIVED", "SECONDARY"]
    assert "model brightener, strength 0.5" in answer.DerivationDescription
    assert "Not for diagnosis" in answer.ImageComments
    assert answer.ContentQualification == "RESEARCH"
    (source,) = answer.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "1.2.3.4"
    assert source.ReferencedSOPClassUID == original.SOPClassUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    (equipment,) = answer.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109103"
    lossy = original.file_meta.TransferSyntaxUID != PLAIN
    assert answer.get("LossyImageCompression") == ("01" if lossy else None)
    assert answer.get("LossyImageCompressionMethod") == ("ISO_10918_1" if lossy else None)
    assert not lossy or answer.LossyImageCompressionRatio > 1


def test_it_says_how_perceptual_the_model_was(tmp_path, original, pair):
    answer = restored(tmp_path, "pair", perceptual=0.5, device="cpu")
    assert answer.DerivationDescription.endswith("model pair, perceptual 0.5")


def test_every_answer_is_an_instance_of_its_own_in_one_series(tmp_path, original, model):
    answers = [restored(tmp_path, model, overwrite=True) for _ in range(2)]
    assert len({"1.2.3.4", *(answer.SOPInstanceUID for answer in answers)}) == 3
    assert len({"1.2.3.5", *(answer.SeriesInstanceUID for answer in answers)}) == 2
    for answer in answers:
        assert answer.StudyInstanceUID == "1.2.3"
        assert answer.file_meta.MediaStorageSOPInstanceUID == answer.SOPInstanceUID
        assert UID(answer.SeriesInstanceUID).is_valid


def test_history_is_added_to(tmp_path, model, made):
    earlier = pydicom.Dataset()
    earlier.ReferencedSOPClassUID, earlier.ReferencedSOPInstanceUID = (
        UID("1.2.840.10008.5.1.4.1.1.2"),
        UID("9.8"),
    )
    made(
        tmp_path / "a.dcm", [deep_jpeg(DEEP)], EXTENDED, DEEP,
        ImageType=["DERIVED", "PRIMARY", "AXIAL"], DerivationDescription="x" * 1000,
        LossyImageCompression="01", LossyImageCompressionRatio=[12, 17], SourceImageSequence=[earlier],
        LossyImageCompressionMethod=["ISO_15444_1", "ISO_10918_1"], ImageComments="Thorax",
        DigitalSignaturesSequence=[pydicom.Dataset()], SmallestImagePixelValue=0, LargestImagePixelValue=9,
    )  # fmt: skip
    answer = restored(tmp_path, model)
    assert answer.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert answer.LossyImageCompressionRatio == [12, 17]
    assert answer.LossyImageCompressionMethod == ["ISO_15444_1", "ISO_10918_1"]
    assert [item.ReferencedSOPInstanceUID for item in answer.SourceImageSequence] == ["9.8", "1.2.3.4"]
    assert len(answer.DerivationDescription) == 1024
    assert answer.DerivationDescription.endswith("model brightener")
    assert answer.ImageComments.startswith("Thorax; ")
    assert "DigitalSignaturesSequence" not in answer
    pixels = read_image(tmp_path / "out" / "a.dcm").pixels
    assert (answer.SmallestImagePixelValue, answer.LargestImagePixelValue) == (pixels.min(), pixels.max())


def test_frames_of_enhanced_images_are_derived_too(tmp_path, model, made):
    group, kind = pydicom.Dataset(), pydicom.Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    group.CTImageFrameTypeSequence = [kind]
    made(
        tmp_path / "a.dcm", [deep_jpeg(DEEP)] * 2, EXTENDED, DEEP,
        SharedFunctionalGroupsSequence=[group], ContentQualification="PRODUCT",
    )  # fmt: skip
    answer = restored(tmp_path, model)
    (shared,) = answer.SharedFunctionalGroupsSequence
    assert shared.CTImageFrameTypeSequence[0].FrameType == ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    assert answer.ContentQualification == "RESEARCH"


def test_unchanged_pixels_are_not_called_restored(tmp_path, model, made):
    made(tmp_path / "a.dcm", [GREY.tobytes()], PLAIN, GREY)
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "b.dcm", model)
    assert result.status == "unchanged"
    assert "Left as it was" in pydicom.dcmread(tmp_path / "b.dcm").DerivationDescription


def test_it_is_read_and_restored_again(tmp_path, model, made):
    made(tmp_path / "a.dcm", [deep_jpeg(DEEP)], EXTENDED, DEEP, BitsStored=12)
    restored(tmp_path, model)
    (tmp_path / "a.dcm").unlink()
    (tmp_path / "out" / "a.dcm").rename(tmp_path / "a.dcm")
    again = restored(tmp_path, model)
    assert len(again.SourceImageSequence) == len(again.ContributingEquipmentSequence) == 2
    assert again.DerivationDescription.count("JPEG artifacts reduced") == 2


def test_tiff_instead_keeps_the_scale(tmp_path, model, made):
    made(tmp_path / "a.dcm", [deep_jpeg(DEEP)], EXTENDED, DEEP)
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "out", model, suffix=".tif")
    assert result.target.name == "a.tif"
    tags = read_image(result.target).metadata.tiff
    assert tags.resolution == pytest.approx((25.4 / 0.25, 25.4 / 0.5))


def test_names_of_dicom_files(tmp_path, made):
    for name in ("IM-0001", "1.2.840.7", "b.dcm", "DICOMDIR"):
        made(tmp_path / name, [GREY.tobytes()], PLAIN, GREY)
    (tmp_path / "notes").write_text("no picture")
    targets = {job.source.name: job.target.name for job in plan_jobs(tmp_path, tmp_path / "out")}
    assert targets == {"IM-0001": "IM-0001.dcm", "1.2.840.7": "1.2.840.7.dcm", "b.dcm": "b.dcm"}


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (GREY[1:], "pixels of shape"),
        (GREY.astype(np.uint16), "uint16 pixels, where the data set says 8 bits"),
        (GREY.astype(np.float32), "float32 pixels"),
    ],
)
def test_other_pixels_are_refused(tmp_path, pixels, message, made):
    made(tmp_path / "a.dcm", [GREY.tobytes()], PLAIN, GREY)
    with pytest.raises(ValueError, match=rf"b\.dcm cannot hold .*{message}.*b\.tif"):
        write_image(tmp_path / "b.dcm", pixels, read_image(tmp_path / "a.dcm"))
    assert not (tmp_path / "b.dcm").exists()


def test_other_files_do_not_become_dicom(tmp_path, jpeg_file, model):
    (result,) = restore_files(jpeg_file, tmp_path / "a.dcm", model)
    assert result.status == "failed"
    assert "without a patient or a study" in result.message
    with pytest.raises(ValueError, match="without a patient"):
        write_image(tmp_path / "a.dcm", GREY)


def test_without_the_extra(tmp_path, monkeypatch, model, made):
    made(tmp_path / "a.dcm", [GREY.tobytes()], PLAIN, GREY)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (result,) = restore_files(tmp_path / "a.dcm", tmp_path / "out", model)
    assert "pip install 'napari-deartifact[dicom]'" in result.message


def test_a_negative_stays_one_in_tiff_and_png_says_that_it_cannot(tmp_path, made):
    made(tmp_path / "a.dcm", [GREY.tobytes()], PLAIN, GREY)
    source = read_image(tmp_path / "a.dcm")
    assert source.metadata.is_inverted
    write_image(tmp_path / "a.tif", source.pixels, source)
    again = read_image(tmp_path / "a.tif")
    assert again.metadata.is_inverted
    assert (again.pixels == source.pixels).all()
    for image in (source, again):
        with pytest.warns(UserWarning, match="viewers show the negative; write .tif"):
            write_image(tmp_path / "a.png", image.pixels, image)
        assert (read_image(tmp_path / "a.png").pixels == source.pixels).all()
