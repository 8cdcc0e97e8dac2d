"""Time what ships against a DnCNN-3-shaped net, in one run: ``python benchmarks/networks.py``.

It also shows what the memory format of the tensors is worth.
"""

import statistics
import time

import numpy as np
import torch
from skimage.data import astronaut
from torch import nn

from napari_deartifact import JPEGInfo, list_models, load_model
from napari_deartifact.degradation import jpeg_round_trip

REPEATS = 5
QUALITY = 20


def dncnn_shaped() -> nn.Sequential:
    """Twenty 3×3 convolutions of 64 maps on luma, 0.67 million parameters."""
    layers = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU()]
    for _ in range(18):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1)).eval()


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    """Print the median of paired ratios."""
    decoded = jpeg_round_trip(astronaut(), QUALITY)
    height, width = decoded.shape[:2]
    info = JPEGInfo.from_quality(QUALITY, height=height, width=width, subsampling="4:2:0")
    tile = np.ascontiguousarray(np.moveaxis(decoded, -1, 0)[np.newaxis] / np.float32(255))
    peer = dncnn_shaped().to(memory_format=torch.channels_last)
    luma = torch.from_numpy(tile[:, :1]).to(memory_format=torch.channels_last)

    def run_peer() -> None:
        with torch.inference_mode():
            peer(luma)

    run_peer()
    for summary in list_models():
        model = load_model(summary.name, "cpu")
        model.restore(tile, info)
        pairs = [(seconds(model.restore, tile, info), seconds(run_peer)) for _ in range(REPEATS)]
        ratio = statistics.median(theirs / ours for ours, theirs in pairs)
        ours = statistics.median(ours for ours, _ in pairs)
        megapixels = height * width / 1e6
        print(f"{summary.name:12} {ours / megapixels:6.2f} s/MP, {ratio:5.1f} × as fast as the DnCNN-3 shape")
        if summary.kind == "network":
            generator = model.generator.to(memory_format=torch.contiguous_format)
            with torch.inference_mode():
                generator(torch.from_numpy(tile))
                times = [seconds(generator, torch.from_numpy(tile)) for _ in range(REPEATS)]
            generator.to(memory_format=torch.channels_last)
            print(f"{'':12} {statistics.median(times) / ours:.1f} times as long with channels first")


if __name__ == "__main__":
    main()
