"""The coefficients of the file are those that its pixels were decoded from."""

from __future__ import annotations

import io
import os
import sys

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from napari_deartifact.files.read import read_image
from napari_deartifact.jpeg.coefficients import block_counts
from napari_deartifact.jpeg.complaints import caught_complaints
from napari_deartifact.jpeg.dct import block_dct, block_idct
from napari_deartifact.jpeg.info import JPEGInfo


def encode(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", **options)
    return stream.getvalue()


def decoded(indices, table):
    """Decode blocks as T.81 says, to whole levels."""
    samples = block_idct(torch.from_numpy(indices * table).double()) + 128
    return samples.round().clamp(0, 255).numpy()


@pytest.mark.parametrize("progressive", [False, True])
def test_grey_coefficients_decode_to_the_pixels(tmp_path, progressive):
    content = encode(data.camera()[:45, :61], quality=40, progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(content)
    info = JPEGInfo.from_file(tmp_path / "a.jpg", coefficients=True)
    (indices,) = info.indices
    assert indices.dtype == np.int16
    assert indices.shape == (6, 8, 8, 8)
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    assert np.abs(decoded(indices, info.table(0))[:45, :61] - pixels).max() <= 1
    vertical = indices[..., 1:, 0] != 0  # a transposed reading would fail on these
    exact = block_dct(torch.from_numpy(pixels[:40, :56] - 128.0)).numpy() / info.table(0)
    assert vertical.any()
    assert np.abs(exact - indices[:5, :7])[..., 1:, 0].max() < 1


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "411", "440"])
@pytest.mark.parametrize("shape", [(45, 61), (8, 8), (1, 17), (33, 32)])
def test_whole_coded_units(subsampling, shape):
    pixels = np.ascontiguousarray(data.astronaut()[: shape[0], : shape[1]])
    content = imagecodecs.jpeg_encode(pixels, subsampling=subsampling)
    info = JPEGInfo.from_bytes(content, coefficients=True)
    assert [part.shape[:2] for part in info.indices] == block_counts(info)
    rows, columns = (-(-side // unit) for side, unit in zip(info.shape, info.mcu, strict=True))
    for part, (horizontal, vertical) in zip(info.indices, info.sampling, strict=True):
        assert part.shape == (rows * vertical, columns * horizontal, 8, 8)
    luma = info.indices[0]
    beyond = luma[:, -(-info.width // 8) :]
    assert not beyond.reshape(-1, 64)[:, 1:].any()


def test_they_do_not_count_in_comparisons_and_stay_in_a_crop():
    content = encode(data.camera()[:32, :32])
    bare, full = (JPEGInfo.from_bytes(content, coefficients=read) for read in (False, True))
    assert bare.indices is None
    assert bare == full
    assert hash(bare) == hash(full)
    part = full.crop(slice(9, None), slice(8, None))
    assert part.offset == (9, 8)
    assert (part.indices[0] == full.indices[0]).all()
    (whole,) = full.crop(slice(9, 20), slice(0, 9)).indices  # of the blocks that the cut-out does not cut
    assert (whole == full.indices[0][:2, :1]).all()
    assert "with coefficients" in repr(full)
    assert "with coefficients" not in repr(bare)
    with pytest.raises(ValueError, match="indices of 2 components and 1 tables"):
        JPEGInfo(8, 8, bare.tables, indices=(full.indices[0],) * 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (imagecodecs.jpeg_encode(np.full((16, 16), 900, np.uint16), bitspersample=12), "12 bits per sample"),
        (encode(data.camera()[:64, :64])[:-40], "no end of image"),
        (encode(data.camera()[:64, :64]).replace(b"\xff\xc4\0\x1f\0", b"\xff\xc4\0\x1f\0\xff"), "cannot be"),
    ],
)
def test_what_has_no_coefficients(content, message):
    with pytest.raises(ValueError, match=message):
        JPEGInfo.from_bytes(content, coefficients=True)


def harmed(content, *, cut):
    """Harm a JPEG behind its header, so that decoders still make a picture of it."""
    scan = content.index(b"\xff\xda") + 20
    if cut:
        return content[: scan + (len(content) - scan) // 2] + b"\xff\xd9"
    return content[: scan + 300] + bytes(range(1, 41)) + content[scan + 340 :]


@pytest.mark.parametrize(
    ("cut", "options"), [(True, {}), (True, {"progressive": True}), (False, {"progressive": True})]
)
def test_damage_behind_the_header_is_a_warning_and_nothing_else(tmp_path, capfd, cut, options):
    path = tmp_path / "a.jpg"
    path.write_bytes(harmed(encode(data.camera()[:128, :128], **options), cut=cut))
    for read in (JPEGInfo.from_file, read_image):
        with pytest.warns(UserWarning, match=r"a\.jpg is damaged \(.*complete copy") as told:
            read(path)
        assert len(told) == 1
    assert capfd.readouterr().err == ""
    assert JPEGInfo.from_file(path, coefficients=False).indices is None  # it was not looked at


def test_what_others_say_meanwhile_is_let_through(capfd):
    with caught_complaints() as complaints:
        os.write(2, b"Corrupt JPEG data: bad Huffman code\nhello\n" * 2)
    assert complaints == ["Corrupt JPEG data: bad Huffman code"]
    assert capfd.readouterr().err == "hello\n" * 2


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    content = encode(data.camera()[:16, :16])
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'napari-deartifact\[coefficients\]'"):
        JPEGInfo.from_bytes(content, coefficients=True)
    assert JPEGInfo.from_bytes(content).shape == (16, 16)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_scan_is_a_warning(share):
    content = encode(data.camera()[100:228, 100:228])
    with pytest.warns(UserWarning, match="coefficients of .* cannot be read: no end of image"):
        info = JPEGInfo.from_bytes(content[: int(share * len(content))])
    assert info.indices is None
