"""Time `spp` against 64 Pillow round trips of the same picture, in one run: ``python benchmarks/spp.py``."""

import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from skimage.data import astronaut, camera

from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.models.spp import ShiftedRecompression

QUALITY = 20
REPEATS = 5


def compressed(picture: Image.Image) -> io.BytesIO:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return stream


def round_trips(pixels: np.ndarray) -> None:
    for _ in range(64):
        np.asarray(Image.open(compressed(Image.fromarray(pixels))))


def seconds(function: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


for name, clean in (("grey", np.tile(camera(), (2, 2))), ("4:2:0", np.tile(astronaut(), (2, 2, 1)))):
    file = compressed(Image.fromarray(clean))
    pixels = np.asarray(Image.open(file))
    tile = np.moveaxis(np.atleast_3d(pixels), -1, 0)[np.newaxis].astype(np.float32) / 255
    info = JPEGInfo.from_bytes(file.getvalue())
    restore = ShiftedRecompression().restore
    times = [(seconds(restore, tile, info), seconds(round_trips, pixels)) for _ in range(REPEATS)]
    ours, theirs = np.min(times, axis=0)
    print(
        f"{name:6} {clean.shape[0]}×{clean.shape[1]}: spp takes {ours / theirs:.2f} of 64 Pillow round trips"
    )
