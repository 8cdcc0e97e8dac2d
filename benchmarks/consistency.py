"""Does the answer agree with the file, and what does that cost?  ``python benchmarks/consistency.py FOLDER``.

Every original is compressed by libjpeg and restored with its tables known: in float64, where each DCT
coefficient must lie in its cell, and in uint8, where libjpeg must write the same coefficients again.
Needs the extra ``coefficients``, because the coefficients themselves are compared.
"""

import argparse

import numpy as np

from napari_deartifact import JPEGInfo, consistency_report, deartifact, load_model
from napari_deartifact.degradation import jpeg_decode, jpeg_encode
from napari_deartifact.evaluation.originals import find_images, read_original
from napari_deartifact.jpeg.coefficients import read_coefficients
from napari_deartifact.jpeg.consistency import project
from napari_deartifact.metrics import psnr


def coefficients(data: bytes) -> np.ndarray:
    """Return all quantization indices of a JPEG, one after the other."""
    return np.concatenate([part.ravel() for part in read_coefficients(data, JPEGInfo.from_bytes(data))])


def measure(original: np.ndarray, quality: int, model: object, *, read: bool) -> tuple[float, ...]:
    """Return a picture's row of the table."""
    data = jpeg_encode(original, quality)
    degraded, info = jpeg_decode(data), JPEGInfo.from_bytes(data, coefficients=read)
    options = {"channel_axis": -1 if degraded.ndim == 3 else None, "data_range": 255, "jpeg": info}
    free = deartifact(degraded.astype(np.float64), model, consistency=False, **options)
    plain = np.rint(free).clip(0, 255).astype(np.uint8)
    exact, whole = (
        deartifact(degraded.astype(dtype), model, consistency=True, **options)
        for dtype in (np.float64, np.uint8)
    )
    unweighed, at_walls = (project(free, degraded, info, **margin) for margin in ({}, {"margin": 0.0}))
    report, own = (consistency_report(picture, info, degraded) for picture in (exact, original))
    wanted = coefficients(data)
    again, untouched = (
        (coefficients(jpeg_encode(picture, quality)) == wanted).mean() for picture in (whole, degraded)
    )
    before, without, after = (psnr(original, picture) for picture in (degraded, plain, whole))
    weighed = psnr(original, exact) - psnr(original, unweighed)
    off_walls = psnr(original, unweighed) - psnr(original, at_walls)
    shares = own.inside, report.inside, again, untouched, report.unknown
    return *shares, report.worst_excess, after - before, after - without, weighed, off_walls


def main() -> None:
    """Print a row for each quality."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--model", default="general")
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 20, 40, 75, 90, 95])
    parser.add_argument("--color", action="store_true", help="RGB, 4:2:0, instead of luma")
    parser.add_argument("--from-pixels", action="store_true", help="find the coefficients from the pixels")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    options = parser.parse_args()
    model = load_model(options.model, "cpu")
    paths = find_images(options.folder)[: options.limit]
    print(f"{options.model}, {len(paths)} pictures, {'RGB 4:2:0' if options.color else 'luma'}, coefficients "
          f"{'found from the pixels' if options.from_pixels else 'read from the file'}")  # fmt: skip
    print(" QF  original %   inside %  excess   again %  (worst)  untouched %  unknown %   gain  (worst)"
          "  by cells  (worst)  weighed  (worst)  off the walls  (worst)")  # fmt: skip
    for quality in options.qualities:
        rows = []
        for path in paths:
            original = read_original(path, luma="studio", color=options.color)
            rows.append(measure(original, quality, model, read=not options.from_pixels))
        columns = np.transpose(rows)
        own, inside, again, untouched, unknown = 100 * columns[:5]
        excess, gain, by_cells, weighed, off_walls = columns[5:]
        cells = f"{own.mean():10.3f}  {inside.mean():9.4f}  {excess.max():6.3f}"
        pixels = f"{again.mean():8.3f}  ({again.min():.3f})  {untouched.mean():10.3f}  {unknown.mean():9.3f}"
        decibels = (
            f"{gain.mean():+6.2f}  ({gain.min():+.2f})  {by_cells.mean():+8.3f}  ({by_cells.min():+.3f})"
            f"  {weighed.mean():+7.3f}  ({weighed.min():+.3f})"
            f"  {off_walls.mean():+13.3f}  ({off_walls.min():+.3f})"
        )
        print(f"{quality:3}  {cells}  {pixels} {decibels}", flush=True)


if __name__ == "__main__":
    main()
