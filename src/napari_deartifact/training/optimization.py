"""What a phase's optimiser, schedule and precision amount to on a given machine."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from napari_deartifact.devices import has_fast_bfloat16
from napari_deartifact.training.muon import Muon
from napari_deartifact.training.phase_recipe import OptimizerRecipe, ScheduleRecipe

ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25


def build_optimizer(recipe: OptimizerRecipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    betas = (recipe.betas[0], recipe.betas[1])
    if recipe.name == "muon":
        return Muon(parameters, betas, recipe.weight_decay)
    kind = torch.optim.AdamW if recipe.name == "adamw" else torch.optim.Adam
    return kind(parameters, betas=betas, weight_decay=recipe.weight_decay)


def schedule(recipe: ScheduleRecipe, local: float, steps: int) -> float:
    """Learning rate as a share of the full one, at a fraction of the phase and after some steps in it."""
    rise = min((steps + 1) / recipe.warmup, 1.0) if recipe.warmup else 1.0
    if recipe.name == "constant":
        return rise
    if recipe.name == "one-cycle":
        if local < ONE_CYCLE_RISE:
            return rise * (ONE_CYCLE_START + (1 - ONE_CYCLE_START) * (1 - _fall(local / ONE_CYCLE_RISE)))
        local = (local - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE)
    return rise * (recipe.floor + (1 - recipe.floor) * _fall(local))


def _fall(share: float) -> float:
    """From 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * share)) / 2


@torch.no_grad()
def move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move a running mean of a network's weights towards them; its buffers are taken as they are."""
    for mean, current in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
    for copied, buffer in zip(average.buffers(), network.buffers(), strict=True):
        copied.copy_(buffer)


@torch.no_grad()
def settle(network: nn.Module, average: nn.Module, frozen: Iterable[str]) -> None:
    """Let frozen parameters be what they are in the running mean, which would go on moving towards them."""
    settled = dict(average.named_parameters())
    current = dict(network.named_parameters())
    for name in frozen:
        current[name].copy_(settled[name])


def memory_format(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last is faster, but for one case in which oneDNN computes it wrongly.

    The bfloat16 gradient of a dilated convolution's weights comes out up to 30 % wrong, and now
    and then not finite, with channels last on the CPU (seen with torch 2.13).
    """
    dilated = any(max(layer.dilation) > 1 for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return torch.contiguous_format if dilated and device.type == "cpu" else torch.channels_last


def use_bfloat16(precision: str, device: torch.device) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    return has_fast_bfloat16(str(device))
