"""Measure restored 12-bit DICOM JPEGs against their originals: ``python benchmarks/dicom_jpeg.py FOLDER``.

The folder holds pairs of files whose names begin alike up to the second underscore: a lossy
``wg04_MR2_JPLY.dcm``, say, as NEMA publishes them, and its original ``wg04_MR2_*.tif`` or ``.dcm``, in the
same folder or in any below it.  Everything is in stored units, after rounding to the stored dtype.

Slope is that of the answer over the original, below 1 in whatever evens out noise; scale is that of the
original over the answer, 1 where an answer says on the average what the original is.
"""

import argparse
from pathlib import Path

import numpy as np

from napari_deartifact import deartifact
from napari_deartifact.files.read import ImageFile, read_image


def pairs(folders: list[Path]) -> list[tuple[Path, Path]]:
    files = sorted(
        file for folder in folders for file in folder.rglob("*") if file.suffix in (".dcm", ".tif")
    )
    lossy = [file for file in files if file.stem.endswith("_JPLY")]
    return [(file, other) for file in lossy for other in files if stem(other) == stem(file) and other != file]


def stem(file: Path) -> str:
    return "_".join(file.stem.split("_")[:2])


def report(label: str, pixels: np.ndarray, original: np.ndarray) -> None:
    error = pixels.astype(float) - original
    both = original.ravel(), pixels.astype(float).ravel()
    slope, scale = (np.polyfit(*axes, 1)[0] for axes in (both, both[::-1]))
    rmse = np.sqrt(np.square(error).mean())
    told = f"RMSE {rmse:7.4f}  offset {error.mean():+.4f}  slope {slope:.5f}  scale {scale:.5f}"
    print(f"  {label:34} {told}", flush=True)


def restored(lossy: ImageFile, model: str, *, consistent: bool, device: str) -> np.ndarray:
    return deartifact(lossy.pixels, model, jpeg=lossy.jpeg, consistency=consistent, device=device)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", action="append", help="a name or a file; may be given several times")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    for file, other in pairs(options.folders):
        lossy, original = read_image(file), read_image(other).pixels.astype(float)
        print(f"{file.name}: {lossy.jpeg}")
        report("lossy", lossy.pixels, original)
        for model in options.model or ["general", "compact-cnn", "spp"]:
            for consistent in (False, True):
                answer = restored(lossy, model, consistent=consistent, device=options.device)
                report(f"{Path(model).stem}{', consistent' * consistent}", answer, original)


if __name__ == "__main__":
    main()
