"""Time what ships against a DnCNN-3-shaped net, in one run: ``python benchmarks/networks.py``.

Each pair runs in the same precision.  It also shows what the memory format of the tensors is worth.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from skimage.data import astronaut
from torch import nn

from napari_deartifact import JPEGInfo, list_models, load_model
from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.devices import has_fast_bfloat16
from napari_deartifact.generators import build

REPEATS = 5
QUALITY = 20


def dncnn_shaped() -> nn.Sequential:
    """Twenty 3×3 convolutions of 64 maps on luma, 0.67 million parameters."""
    layers = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU()]
    for _ in range(18):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1)).eval()


def seconds(function: Callable[..., object], *arguments: object) -> float:
    start = clock()
    function(*arguments)
    return clock() - start


clock = time.perf_counter


def run(network: nn.Module, tile: torch.Tensor, precision: str) -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        network(tile)


def report(name: str, function: Callable[[], object], peer: Callable[[], object], megapixels: float) -> float:
    """Print the median of paired ratios, and return our own median."""
    function()
    pairs = [(seconds(function), seconds(peer)) for _ in range(REPEATS)]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    ours = statistics.median(ours for ours, _ in pairs)
    print(f"{name:26} {ours / megapixels:6.2f} s/MP, {ratio:5.1f} × as fast as the DnCNN-3 shape", flush=True)
    return ours


def shape(text: str) -> dict[str, list[int]]:
    widths, blocks = ([int(number) for number in part.split(",")] for part in text.split("/"))
    return {"widths": widths, "blocks": blocks}


def main() -> None:
    global clock
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=shape, action="append", default=[], metavar="32,64,96/1,1,2",
                        help="widths and blocks of an untrained residual U-Net to time as well")  # fmt: skip
    parser.add_argument("--models", nargs="+", metavar="NAME", help="of those that ship; all by default")
    parser.add_argument("--cpu-time", action="store_true", help="processor time: for a busy machine")
    options = parser.parse_args()
    if options.cpu_time:
        clock = time.process_time
    decoded = jpeg_round_trip(astronaut(), QUALITY)
    height, width = decoded.shape[:2]
    megapixels = height * width / 1e6
    info = JPEGInfo.from_quality(QUALITY, height=height, width=width, subsampling="4:2:0")
    tile = np.ascontiguousarray(np.moveaxis(decoded, -1, 0)[np.newaxis] / np.float32(255))
    color = torch.from_numpy(tile).to(memory_format=torch.channels_last)
    luma = color[:, :1].contiguous(memory_format=torch.channels_last)
    dncnn = dncnn_shaped().to(memory_format=torch.channels_last)
    for precision in ("float32", *(["bfloat16"] if has_fast_bfloat16("cpu") else [])):

        def peer(precision: str = precision) -> None:
            run(dncnn, luma, precision)

        print(f"In {precision}:")
        peer()
        for arguments in options.shape:
            network = build("residual-unet", arguments).eval().to(memory_format=torch.channels_last)
            name = " ".join(str(part) for part in arguments.values())
            report(name, lambda network=network: run(network, color, precision), peer, megapixels)  # noqa: B023
        for summary in list_models():
            if options.models and summary.name not in options.models:
                continue
            if summary.kind != "network" and precision != "float32":
                continue
            model = load_model(summary.name, "cpu", precision=precision)
            seen = tile if model.color != "luma" else np.ascontiguousarray(tile[:, :1])
            ours = report(
                summary.name,
                lambda model=model, seen=seen: model.restore(seen, info),
                peer,
                megapixels,
            )
            if summary.kind == "network":
                first = model.generator.to(memory_format=torch.contiguous_format)
                run(first, torch.from_numpy(seen), precision)
                times = [seconds(run, first, torch.from_numpy(seen), precision) for _ in range(REPEATS)]
                model.generator.to(memory_format=torch.channels_last)
                print(f"{'':26} {statistics.median(times) / ours:.1f} times as long with channels first")


if __name__ == "__main__":
    main()
