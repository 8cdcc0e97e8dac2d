"""Compress a photograph at quality 10, restore it, and put the three pictures side by side.

Run it with a JPEG of your own to restore that instead::

    python examples/restore_a_jpeg.py --output demo photo.jpg
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from napari_deartifact import JPEGInfo, deartifact
from napari_deartifact.degradation import jpeg_encode
from napari_deartifact.metrics import psnr, psnr_b

QUALITY = 10


def main() -> None:
    """Restore, print what was gained, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jpeg", nargs="?", type=Path, help="a JPEG of yours")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the pictures")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    original = None
    path = arguments.jpeg
    if path is None:
        original = skimage.data.astronaut()
        path = arguments.output / f"astronaut-q{QUALITY}.jpg"
        path.write_bytes(jpeg_encode(original, QUALITY, subsampling="4:2:0"))

    info = JPEGInfo.from_file(path)
    decoded = np.asarray(Image.open(path))
    print(f"{path}: {info.width}×{info.height} pixels, quality {info.quality}, chroma {info.subsampling}")
    restored = deartifact(
        decoded, channel_axis=-1 if decoded.ndim == 3 else None, jpeg=info, progress=sys.stderr.isatty()
    )

    pictures = [decoded, restored]
    if original is not None:
        pictures.append(original)
        for name, picture in (("JPEG", decoded), ("restored", restored)):
            print(
                f"{name:>9}: PSNR {psnr(original, picture):.2f} dB, PSNR-B {psnr_b(original, picture):.2f} dB"
            )
    Image.fromarray(restored).save(arguments.output / "restored.png")
    side_by_side = arguments.output / "side_by_side.png"
    Image.fromarray(np.hstack(pictures)).save(side_by_side)
    print(f"wrote {side_by_side}: JPEG, restored{', original' if original is not None else ''}")


if __name__ == "__main__":
    main()
