import pytest
import torch
from torch import nn

from napari_deartifact.training.muon import Muon, orthogonal
from napari_deartifact.training.optimization import build_optimizer
from napari_deartifact.training.phase_recipe import OptimizerRecipe

RATE = 0.01


def descend(optimizer, parameter, steps, *, seed=0):
    for group in optimizer.param_groups:
        group["lr"] = RATE
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        parameter.grad = torch.randn(parameter.shape, generator=draw)
        optimizer.step()


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_singular_values_are_about_one_and_the_vectors_are_kept(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    answer = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inner = left.T @ answer @ right.T
    assert torch.allclose(inner - torch.diag(inner.diag()), torch.zeros_like(inner), atol=0.06)
    assert inner.diag().min() > 0.5
    assert inner.diag().max() < 1.3


def test_a_gradient_of_zero_moves_nothing():
    bank = nn.Parameter(torch.ones(4, 4))
    bank.grad = torch.zeros(4, 4)
    optimizer = Muon([bank], (0.9, 0.999), 0.0)
    optimizer.param_groups[0]["lr"] = RATE
    optimizer.step()
    assert torch.equal(bank.detach(), torch.ones(4, 4))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon came with torch 2.9")
@pytest.mark.parametrize("shape", [(8, 36), (36, 8)])
def test_matrices_move_as_by_torch(shape):
    mine, theirs = (nn.Parameter(torch.full(shape, 0.5)) for _ in range(2))
    descend(Muon([mine], (0.9, 0.999), 0.1), mine, 5)
    optimizer = torch.optim.Muon([theirs], momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    descend(optimizer, theirs, 5)
    assert (mine - theirs).norm() < 0.05 * (theirs - 0.5).norm()  # both compute in bfloat16


def test_vectors_move_as_by_adam():
    mine, theirs = (nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    descend(Muon([mine], (0.9, 0.99), 0.1), mine, 20)
    descend(torch.optim.Adam([theirs], betas=(0.9, 0.99)), theirs, 20)
    assert torch.allclose(mine, theirs, atol=1e-6)


def test_banks_move_alike_however_they_lie_in_memory():
    banks = [nn.Parameter(torch.zeros(6, 3, 3, 3)), nn.Parameter(torch.zeros(6, 3, 3, 3))]
    banks[1].data = banks[1].data.contiguous(memory_format=torch.channels_last)
    for bank in banks:
        descend(Muon([bank], (0.9, 0.999), 0.0), bank, 3)
    assert torch.allclose(banks[0], banks[1], atol=1e-6)


def test_a_run_that_was_stopped_goes_on_as_one_that_was_not():
    recipe = OptimizerRecipe("muon")
    whole, stopped = (nn.Parameter(torch.zeros(4, 9)) for _ in range(2))
    optimizers = [build_optimizer(recipe, [bank]) for bank in (whole, stopped)]
    for optimizer, bank in zip(optimizers, (whole, stopped), strict=True):
        descend(optimizer, bank, 3)
    resumed = build_optimizer(recipe, [stopped])
    resumed.load_state_dict(optimizers[1].state_dict())
    descend(optimizers[0], whole, 2, seed=1)
    descend(resumed, stopped, 2, seed=1)
    assert torch.equal(whole, stopped)
