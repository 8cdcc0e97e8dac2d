"""Several processes that train one model, as torchrun starts them; alone, they cost nothing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Attributes
    ----------
    rank : int
        Its number; 0 measures and writes the files.
    world : int
        How many there are.

    Examples
    --------
    >>> Ranks().is_first, Ranks().largest(0.25, 1.0)
    (True, (0.25, 1.0))
    """

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def share(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Let all processes go down the mean of their gradients.

        Parameters
        ----------
        network : Module
            With the same weights everywhere; those that do not learn are left out.
        device : torch.device

        Returns
        -------
        Module
            What to call in place of `network`, which remains the owner of the weights.
        """
        if self.world == 1 or not any(parameter.requires_grad for parameter in network.parameters()):
            return network
        from torch.nn.parallel import DistributedDataParallel

        # Buffers are running means of BatchNorm, which only the first process writes, and those of
        # spectral normalisation, which follow from the weights.
        places = [device] if device.type == "cuda" else None
        with warnings.catch_warnings():
            # Newer versions of torch have another name for this, which older ones do not know.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(network, device_ids=places, broadcast_buffers=False)

    def largest(self, *values: float) -> tuple[float, ...]:
        """Return of each number the largest that any process holds."""
        if self.world == 1:
            return values
        from torch import distributed

        backend = str(distributed.get_backend())
        shared = torch.tensor(values, dtype=torch.float64, device="cuda" if backend == "nccl" else "cpu")
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return tuple(shared.tolist())


def asked_device(device: str, environment: Mapping[str, str] = os.environ) -> str:
    """Give each process on a machine a GPU of its own when the device is left open."""
    if device in ("auto", "cuda") and "LOCAL_RANK" in environment and torch.cuda.is_available():
        return f"cuda:{int(environment['LOCAL_RANK']) % torch.cuda.device_count()}"
    return device


@contextmanager
def joined(device: torch.device, environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, and part from them at the end.

    Parameters
    ----------
    device : torch.device
        They talk by NCCL on GPUs and by Gloo elsewhere.
    environment : mapping
        ``RANK`` and ``WORLD_SIZE`` as torchrun sets them; without, this process is alone.

    Yields
    ------
    Ranks
    """
    world = int(environment.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    from torch import distributed

    if distributed.is_initialized():  # the caller's own group, which is not ours to end
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()
