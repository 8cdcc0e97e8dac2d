"""Restores a slide in processes that kill themselves before a given file operation, and goes on."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import warnings
from itertools import count
from pathlib import Path

import imagecodecs  # noqa: F401  (what a fork finds loaded it need not load)
import numpy as np
import scipy.ndimage  # noqa: F401
import tifffile  # noqa: F401
import zarr.codecs  # noqa: F401

from napari_deartifact.files.slides import restore_slide

OPERATIONS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}


class Brightener:
    """A restorer that adds a hundredth of the range."""

    name, color, size_multiple, halo, fixed_tile, needs_tables = "brightener", "any", 8, 8, None, False

    def restore(self, tiles, jpeg):
        return tiles + np.float32(3 / 255)


def restore(source: Path, target: Path, kill_at: int | None, counted: Path) -> None:
    """Restore in a child; `kill_at` is the number of the file operation before which it is killed."""
    numbers = count(1)  # gives each thread a number of its own

    def watch(event: str, arguments: tuple) -> None:
        if event not in OPERATIONS or (event == "open" and not _writes(arguments)):
            return
        if next(numbers) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    for _ in restore_slide(source, target, Brightener(), consistency=False, overwrite=True, chunk_size=32):
        pass
    counted.write_text(str(next(numbers) - 1))


def _writes(arguments: tuple) -> bool:
    _, mode, flags = arguments
    return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))


def child(*arguments) -> int:
    """Run `restore` in a fork and return its wait status."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            warnings.simplefilter("ignore")
            restore(*arguments)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(process, 0)[1]


def digest(path: Path) -> str:
    """Hash a file, or the names and contents of all files in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    content = hashlib.sha256()
    for file in files:
        content.update(str(file.relative_to(path.parent)).encode())
        if file.is_file():
            content.update(file.read_bytes())
    return content.hexdigest()


def main(source: Path, target: Path, times: int) -> None:
    """Print how many operations there are, and raise when a resumed answer differs."""
    sys.dont_write_bytecode = True  # the first run would do it, and be counted, and the others not
    folder = target.parent
    counted = folder / "count"
    assert child(source, target, None, counted) == 0
    expected, operations = digest(target), int(counted.read_text())
    # The first ones, many in the middle, and all around the moment when the target gets its name.
    moments = {
        *np.linspace(1, operations, times).astype(int).tolist(),
        *range(operations - 30, operations, 6),
    }
    for moment in sorted(moments):
        while (status := child(source, target, moment, counted)) == 0:
            moment -= 1  # threads that meet otherwise may need some operations less
            assert moment > operations - 30, moment
        assert os.WIFSIGNALED(status), moment
        assert os.WTERMSIG(status) == signal.SIGKILL, moment
        assert child(source, target, None, counted) == 0, moment
        assert digest(target) == expected, moment
        assert sorted(entry.name for entry in folder.iterdir()) == sorted(
            {"count", target.name} | ({source.name} if source.parent == folder else set())
        ), moment
    print(operations, len(moments))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
