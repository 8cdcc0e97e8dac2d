"""How far can a restored picture be trusted?  The file's own word, and a standard error for every pixel.

``python examples/trust_a_restoration.py --output demo`` writes the restored picture and its standard error.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import camera

from napari_deartifact import JPEGInfo, consistency_report, estimate_jpeg, restore_with_uncertainty
from napari_deartifact.degradation import jpeg_decode, jpeg_encode

QUALITY = 30


def main() -> None:
    """Restore a photograph and check the answer against its JPEG and against the original."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder to write to")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)

    original = camera()
    data = jpeg_encode(original, QUALITY)
    decoded, info = jpeg_decode(data), JPEGInfo.from_bytes(data)
    answer = restore_with_uncertainty(decoded, jpeg=info)

    report = consistency_report(answer.image, info, decoded)
    print(f"{100 * report.inside:.3f} % of {report.coefficients:,} DCT coefficients agree with the file")
    again = jpeg_decode(jpeg_encode(answer.image, QUALITY))
    print(f"compressed again, {100 * (again == decoded).mean():.3f} % of the pixels are those of the file")

    error = np.abs(answer.image.astype(float) - original)
    for count in (1, 2):
        share = (error <= count * answer.standard_error).mean()
        print(f"{100 * share:.1f} % of the errors are within {count} standard error{'s' * (count > 1)}")

    cut = decoded[3:200, 5:300]
    estimate = estimate_jpeg(cut)
    print(f"a cut-out without its file: {estimate.history}, quality {estimate.quality}, grid {estimate.grid}")
    print(f"the answer itself: {estimate_jpeg(answer.image).history}")

    Image.fromarray(answer.image).save(folder / "restored.png")
    shown = np.clip(answer.standard_error * (255 / answer.standard_error.max()), 0, 255)
    Image.fromarray(np.rint(shown).astype(np.uint8)).save(folder / "standard_error.png")
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
