"""How near training comes to its own convolutions, and what data costs it: ``python benchmarks/training.py``.

First the agreement of the simulated JPEG with libjpeg's.  Then, alternating within one run:

- the recipe's training as the command ``train`` does it, data loading and all;
- a bare stack of the same convolutions: forward and backward on patches of the same shapes, in the same
  precision, with nothing between them, no loss, and no optimiser;
- a step on a batch that is there already;
- a batch of pairs made by libjpeg in one thread, and by the simulation on the device that trains, which on a
  GPU is what ``train`` uses.

``--variants`` adds a step with PyTorch's own PReLU, and one that is compiled (``train --compile``).

``--clock cpu`` counts the processor time of all threads, for a machine that does other work meanwhile: then
data loading adds to a step as if there were one core only.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from skimage.data import astronaut, camera, coffee
from torch import Tensor, nn

from napari_deartifact.degradation import jpeg_round_trip
from napari_deartifact.devices import resolve_device
from napari_deartifact.generators import build
from napari_deartifact.generators.prelu import PReLU
from napari_deartifact.jpeg.info import JPEGInfo
from napari_deartifact.jpeg.simulation import simulate_jpeg
from napari_deartifact.metrics import psnr
from napari_deartifact.training import Trainer, read_recipe
from napari_deartifact.training.data import Picture
from napari_deartifact.training.data_recipe import DataRecipe
from napari_deartifact.training.device_pairs import DevicePairSource
from napari_deartifact.training.pairs import PREFETCH, PairSource

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
STEPS = 8
TORCHS_PRELU, COMPILED = "a step with PyTorch's own PReLU", "a step that is compiled"
REST = 0.002


class BareStack:
    """The convolutions of a network, each on random features of the shape that it gets within it.

    Parameters
    ----------
    trainer : Trainer
        Whose network, device, memory format and precision are taken.
    batch : Tensor of uint8
        A batch as it trains on.
    """

    def __init__(self, trainer: Trainer, batch: Tensor) -> None:
        self.trainer = trainer
        self.calls: list[tuple[nn.Module, Tensor]] = []
        modules = [module for module in trainer.generator.modules() if isinstance(module, CONVOLUTIONS)]
        hooks = [module.register_forward_pre_hook(self._record) for module in modules]
        trainer.generator(self._like(batch))
        for hook in hooks:
            hook.remove()

    def _like(self, batch: Tensor) -> Tensor:
        device, layout = self.trainer.device, self.trainer.memory_format
        return batch.to(device, memory_format=layout).float() / 255

    def _record(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features = torch.randn_like(inputs[0].detach())
        # The gradient of the picture itself is not needed, in training either.
        self.calls.append((module, features.requires_grad_(bool(self.calls))))

    def __call__(self) -> None:
        """Compute all of them, forward and backward."""
        for module, features in self.calls:
            with torch.autocast(self.trainer.device.type, torch.bfloat16, enabled=self.trainer.bfloat16):
                answer = module(features)
            answer.backward(answer.detach())
            features.grad = module.weight.grad = None


def agreement(image: np.ndarray, quality: int, subsampling: str | None) -> str:
    """Compare the simulation with libjpeg."""
    height, width = image.shape[:2]
    info = JPEGInfo.from_quality(quality, height=height, width=width, subsampling=subsampling)
    tables = [torch.tensor(table, dtype=torch.float32).reshape(8, 8) for table in info.tables]
    tables = [tables[min(index, len(tables) - 1)] for index in range(len(info.sampling))]
    batch = torch.from_numpy(image.reshape(1, height, width, -1)).permute(0, 3, 1, 2).float()
    ours = simulate_jpeg(batch, tables, info.sampling)[0].permute(1, 2, 0).numpy().reshape(image.shape)
    theirs = jpeg_round_trip(image, quality, subsampling=subsampling or "4:2:0").astype(float)
    near = 100 * np.mean(np.abs(ours - theirs) <= 1)
    return f"{near:7.2f} {np.mean(ours - theirs):+8.4f} {psnr(image, ours) - psnr(image, theirs):+8.4f}"


def print_agreement() -> None:
    """Print it for grey and colour at several qualities."""
    print("picture           QF   ±1 level %   mean  PSNR, dB, simulation minus libjpeg")
    for name, image, subsampling in (("grey", camera(), None), ("4:2:0", astronaut(), "4:2:0")):
        for quality in (5, 10, 30, 50, 75, 90, 95):
            print(f"{name:16} {quality:3}  {agreement(image, quality, subsampling)}")


def timed(work: Callable[[], object], times: int, clock: str, device: torch.device) -> float:
    """Time several runs after one, to the end of what the device has queued, and return the mean of one."""
    work()  # whatever was done before, the caches are its own
    start = CLOCKS[clock]()
    for _ in range(times):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (CLOCKS[clock]() - start) / times


def let_threads_rest() -> None:
    """Wait until the pairs of the next steps are prepared."""
    before = -1.0
    while time.process_time() - before > REST:
        before = time.process_time()
        time.sleep(20 * REST)


def main() -> None:
    """Print the agreement with libjpeg, then the shares of a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="general")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=STEPS, help="timed at once")
    parser.add_argument("--variants", action="store_true", help="time also other ways to make a step")
    parser.add_argument("--no-agreement", action="store_true", help="only time")
    options = parser.parse_args()
    if not options.no_agreement:
        print_agreement()
    recipe, device = read_recipe(options.recipe), torch.device(resolve_device(options.device))
    pictures = [Picture("astronaut", astronaut()), Picture("coffee", coffee())]
    generator = build(recipe.generator.architecture, recipe.generator.arguments)
    libjpeg = PairSource(pictures, recipe.data, generator.channels, 0)
    simulated = DevicePairSource(pictures, recipe.data, generator.channels, 0, device)
    source = simulated if device.type == "cuda" else libjpeg
    trainer = Trainer(recipe, generator, source, steps=10**6, device=device)
    batch = simulated.batch(0)
    training = trainer.steps()
    next(training)
    numbers = iter(range(10**9))
    stack = BareStack(trainer, batch[0])
    works = {
        "stack": stack,
        "step": lambda: trainer.descend(*batch),
        "libjpeg": lambda: libjpeg.batch(next(numbers)),
        "simulation": lambda: simulated.batch(next(numbers)),
    }
    if options.variants:
        works |= variants(trainer, batch)
    rows = []
    for repeat in range(options.repeats + 1):
        for _ in range(PREFETCH + 1):  # until batches come as fast as they go
            next(training)
        row = {"training": timed(lambda: next(training), options.steps, options.clock, device)}
        let_threads_rest()
        row |= {name: timed(work, options.steps, options.clock, device) for name, work in works.items()}
        if repeat:  # the first is for warming up
            rows.append(row)
    training.close()
    print_shares(rows, recipe.name, recipe.data, device)


def variants(trainer: Trainer, batch: tuple[Tensor, Tensor]) -> dict[str, Callable[[], object]]:
    """Return steps of the same network that are made in other ways, each made once already."""
    works: dict[str, Callable[[], object]] = {}
    for name in (TORCHS_PRELU, COMPILED):
        generator = copy.deepcopy(trainer.generator)
        for module in generator.modules():
            if isinstance(module, PReLU) and name == TORCHS_PRELU:
                module.__class__ = nn.PReLU
        other = Trainer(
            trainer.recipe,
            generator,
            trainer.pairs,
            steps=10**6,
            device=trainer.device,
            compiled=name == COMPILED,
        )
        works[name] = partial(other.descend, *batch)
        works[name]()
    return works


def print_shares(rows: list[dict[str, float]], name: str, data: DataRecipe, device: torch.device) -> None:
    """Print medians of what was timed side by side."""

    def share(of: str, by: str) -> float:
        return 100 * statistics.median(row[of] / row[by] for row in rows)

    seconds = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    pixels = data.batch_size * data.patch_size**2 / 1e6
    print(f"{name} on {device}, {data.batch_size} × {data.patch_size}²: {seconds['step']:.4f} s a step")
    speed = pixels / seconds["training"]
    print(f"  training, data and all, {seconds['training']:.4f} s a step, {speed:.2f} MP/s")
    print(f"  of the speed of its bare convolutions  {share('stack', 'training'):6.1f} %")
    for name in [key for key in (TORCHS_PRELU, COMPILED) if key in seconds]:
        print(f"  {name:38} {share(name, 'step'):6.1f} % of a step's time")
    for key, title in (("libjpeg", "pairs by libjpeg, one thread"), ("simulation", "pairs by simulation")):
        rate = data.batch_size / seconds[key]
        print(
            f"  {title:28} {share(key, 'step'):6.1f} % of a step, {rate:8.0f} pairs/s, "
            f"{pixels / seconds[key]:6.2f} MP/s, {100 / share(key, 'step'):6.1f} times what training takes"
        )


if __name__ == "__main__":
    main()
