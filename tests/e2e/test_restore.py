"""``deartifact restore`` on real files, good and bad."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_deartifact.metrics import psnr

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def one_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def test_a_jpeg_is_restored(run, pictures, tmp_path):
    """The weightless method gains on both, so this says that the whole path works."""
    for name in ("photo", "grey"):
        done = run("restore", pictures / f"{name}.jpg", "-o", f"{name}.png", "--model", "spp")
        assert (done.returncode, done.stderr) == (0, "")
        original = pixels(pictures / "originals" / f"{name}.png")
        before = psnr(original, pixels(pictures / f"{name}.jpg"))
        assert psnr(original, pixels(tmp_path / f"{name}.png")) > before + 0.2


def test_a_network_in_a_file_restores_a_tree(run, pictures, model_file, tmp_path):
    done = run("restore", pictures, "-o", "out", "--model", model_file, "--tile-size", "64", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    restored = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.png")}
    assert restored == {"photo.png", "grey.png", "originals/photo.png", "originals/grey.png"}
    assert len(done.stdout.splitlines()) == 5
    assert done.stdout.splitlines()[-1].endswith(", 0 skipped, 0 failed")
    assert pixels(tmp_path / "out" / "photo.png").shape == pixels(pictures / "photo.jpg").shape
    with Image.open(tmp_path / "out" / "photo.png") as picture:
        assert picture.getexif()[0x0112] == 3

    again = run("restore", pictures, "-o", "out", "--model", model_file)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1] == "0 restored, 4 skipped, 0 failed"


def test_16_bit_stack_keeps_dtype_axes_and_scale(run, model_file, tmp_path):
    stack = np.random.default_rng(0).integers(100, 4000, (3, 40, 50), dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", stack, imagej=True, resolution=(10, 10), metadata={"axes": "ZYX", "unit": "um"}
    )
    done = run("restore", "a.tif", "-o", "b.tif", "--model", model_file, "--force")
    assert (done.returncode, done.stderr) == (0, "")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert (file.series[0].shape, file.series[0].dtype, file.series[0].axes) == (
            stack.shape,
            stack.dtype,
            "ZYX",
        )
        assert file.imagej_metadata["unit"] == "um"


def test_strength_zero_returns_the_input(run, pictures, model_file, tmp_path):
    done = run("restore", pictures / "photo.jpg", "-o", "a.png", "--model", model_file, "--strength", "0")
    assert done.returncode == 0
    assert (pixels(tmp_path / "a.png") == pixels(pictures / "photo.jpg")).all()


def test_bad_files_cost_a_line_each_and_the_rest_is_restored(run, pictures, model_file, tmp_path):
    whole = (pictures / "photo.jpg").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jpg").write_bytes(whole)
    (tmp_path / "in" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "text.jpg").write_text("hello")
    done = run("restore", "in", "missing.jpg", "-o", "out", "--model", model_file)
    assert done.returncode == 1
    cut, text, missing = done.stderr.splitlines()
    assert "cut.jpg is truncated" in cut
    assert "text.jpg is not a picture" in text
    assert "no file at missing.jpg" in missing
    assert done.stdout.splitlines()[-1] == "1 restored, 0 skipped, 3 failed"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.png", "deartifact.csv"}


def test_unknown_model_is_one_line_that_names_the_nearest(run, pictures, tmp_path):
    done = run("restore", pictures / "photo.jpg", "-o", "a.png", "--model", "sppp")
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert line.startswith("deartifact: error: unknown model 'sppp' (did you mean 'spp'?)")
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(run, pictures):
    done = run("restore", pictures / "photo.jpg", "-o", "a.png", "--model", "sppp", "--debug")
    assert "Traceback" in done.stderr
    assert done.returncode == 1


def test_jpeg_output_warns(run, pictures, model_file, tmp_path):
    done = run("restore", pictures / "photo.jpg", "-o", "a.jpg", "--model", model_file)
    assert done.returncode == 0
    assert "brings artifacts back" in one_line(done.stderr)
    assert (tmp_path / "a.jpg").exists()


def on_terminal(command, environment, folder):
    """Start a program whose standard error is a terminal."""
    import fcntl
    import pty
    import struct
    import termios

    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=inner,
        text=True,
        # Jobs in the background of a shell inherit that they ignore an interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(inner)
    return process, outer


def read_until(outer: int, word: bytes, seconds: float = 120) -> bytes:
    seen, end = b"", time.monotonic() + seconds
    while word not in seen and time.monotonic() < end:
        try:
            seen += os.read(outer, 4096)
        except OSError:  # the program has ended
            break
    return seen


@needs_terminal
def test_bar_on_a_terminal(program, environment, pictures, model_file, tmp_path):
    command = [program, "restore", pictures / "photo.jpg", "-o", "a.png", "--model", model_file]
    process, outer = on_terminal(command, environment, tmp_path)
    seen = read_until(outer, b"never")
    output, _ = process.communicate(timeout=300)
    os.close(outer)
    assert b"tile" in seen
    assert process.returncode == 0
    assert "a.png" in output


@needs_terminal
def test_interrupt_leaves_nothing_half_written(program, environment, large_picture, model_file, tmp_path):
    command = [
        program,
        "restore",
        large_picture,
        "-o",
        "a.png",
        "--model",
        model_file,
        "--tile-size",
        "64",
        "--force",
    ]
    process, outer = on_terminal(command, environment, tmp_path)
    # Tiles are counted once everything is imported; some imports swallow an interrupt.
    assert b"/2304" in read_until(outer, b"/2304")
    process.send_signal(signal.SIGINT)
    read_until(outer, b"interrupted", 300)
    process.communicate(timeout=300)
    os.close(outer)
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())
