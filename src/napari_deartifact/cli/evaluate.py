"""``deartifact evaluate``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_deartifact._version import __version__
from napari_deartifact.cli.console import FAILED, OK, bar, complain, one_line, tell
from napari_deartifact.cli.options import add_model_options, chosen_model

if TYPE_CHECKING:
    from napari_deartifact.evaluation import Measure, Quality

_CODECS = ("jpeg", "webp", "jpeg2000", "avif", "jpegxl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_options(parser)
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of 8-bit originals")
    parser.add_argument(
        "--qualities", type=_qualities, default=(10, 20, 30, 40), metavar="Q,…",
        help="JPEG qualities, 10:30 for one after another, shifted by 4,4, and 'clean' for none "
        "(default: 10,20,30,40)",
    )  # fmt: skip
    parser.add_argument(
        "--codec", choices=_CODECS, default="jpeg",
        help="what compresses; others than JPEG at the bitrate of the JPEG of each quality",
    )  # fmt: skip
    parser.add_argument(
        "--shift", type=_shift, metavar="Y,X",
        help="cut rows and columns off the decoded picture, and compare with the answer without the cut; "
        "of 10:30, off the first JPEG",
    )  # fmt: skip
    parser.add_argument(
        "--passes", type=int, default=1, metavar="N",
        help="restore N times, and compare with the answer of the first time",
    )  # fmt: skip
    parser.add_argument(
        "--luma", choices=("full", "studio"), default="full",
        help="what colour pictures become: JPEG's luma (default), or 16 to 235 as in published tables",
    )  # fmt: skip
    parser.add_argument("--color", action="store_true", help="evaluate in RGB instead, 4:2:0")
    parser.add_argument("--jpeg-info", action="store_true", help="tell the model the quantization tables")
    parser.add_argument(
        "--consistency", action="store_true", help="project onto the quantization cells; implies --jpeg-info"
    )
    parser.add_argument(
        "--defaults",
        action="store_true",
        help="do as 'restore' does: leave alone what shows no JPEG history, obey tables found beyond doubt",
    )
    parser.add_argument(
        "--features", metavar="FILE",
        help="measure how differently a feature network sees the pictures, too (less is better; not LPIPS): "
        "a file of weights (SqueezeNet, VGG), or vgg19, vgg16 or squeezenet1_1 of torchvision",
    )  # fmt: skip
    parser.add_argument(
        "--niqe", metavar="FILE",
        help="measure how natural pictures look too, without their originals: NIQE, less is better; the file "
        "says what undamaged photographs look like, such as niqe_pris_params.npz of BasicSR or "
        "modelparameters.mat of the authors",
    )  # fmt: skip
    parser.add_argument("--json", metavar="OUT", help="write all measurements to this file")


def _qualities(text: str) -> tuple[Quality, ...]:
    from napari_deartifact.evaluation import parse_quality

    try:
        return tuple(parse_quality(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of qualities such as 10,10:30,clean") from None


def _shift(text: str) -> tuple[int, int]:
    try:
        y, x = (int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no shift such as 3,5") from None
    return y, x


def _measures(options: argparse.Namespace) -> list[Measure]:
    """Load what else is to be measured."""
    measures: list[Measure] = []
    if options.features is not None:
        from napari_deartifact.devices import resolve_device
        from napari_deartifact.training.features import FeatureDistance, load_features

        measures.append(FeatureDistance(load_features(options.features), resolve_device(options.device)))
    if options.niqe is not None:
        from napari_deartifact.niqe import NIQE, PristineModel

        measures.append(NIQE(PristineModel.read(options.niqe)))
    return measures


def run(options: argparse.Namespace) -> int:
    from napari_deartifact.atomic import check_target, replacing
    from napari_deartifact.evaluation import evaluate, format_table, to_json

    if options.json is not None:
        check_target(options.json)
    measures = _measures(options)
    with bar(None, "picture") as pictures:

        def show(done: int, total: int) -> None:
            pictures.total = total
            pictures.update(done - pictures.n)

        evaluation = evaluate(
            chosen_model(options),
            options.images,
            options.qualities,
            luma=options.luma,
            color=options.color,
            codec=options.codec,
            shift=options.shift,
            passes=options.passes,
            jpeg_info=options.jpeg_info,
            consistency=options.consistency,
            defaults=options.defaults,
            perceptual=options.perceptual,
            measures=measures,
            device=options.device,
            tile_size=options.tile_size,
            progress=show,
        )
    for reason in evaluation.skipped.values():
        complain(one_line(reason))
    if options.json is not None:
        with replacing(options.json) as temporary:
            text = to_json(evaluation, version=__version__, command=options.command_line)
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    tell(format_table(evaluation))
    return FAILED if evaluation.skipped else OK
