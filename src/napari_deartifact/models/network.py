"""A generator on a device, as a restorer of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from napari_deartifact.generators.base import Generator
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.model_file import ModelCard


class NetworkRestorer:
    """A trained generator, ready to restore.

    Parameters
    ----------
    generator : Generator
        In evaluation mode.
    card : ModelCard
        What its file says about it.
    device : str
        Such as ``"cpu"`` or ``"cuda:0"``.
    """

    needs_tables = False
    path: Path | None = None
    """The model file, if it came from one."""

    def __init__(self, generator: Generator, card: ModelCard, device: str = "cpu") -> None:
        import torch

        # Convolutions are faster so; benchmarks/networks.py shows by how much.
        self.generator: Generator = generator.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.card = card
        self.device = device

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def color(self) -> Literal["rgb", "luma", "any"]:
        return self.card.color

    @property
    def size_multiple(self) -> int:
        return self.generator.size_multiple

    @property
    def halo(self) -> int:
        return self.generator.receptive_radius

    @property
    def fixed_tile(self) -> int | None:
        return self.generator.fixed_tile

    def restore(self, tiles: NDArray[np.float32], jpeg: JPEGInfo | None = None) -> NDArray[np.float32]:
        """Restore a batch of tiles; see :class:`~napari_deartifact.models.restorer.Restorer`.

        Raises
        ------
        MemoryError
            When the device cannot hold the batch.
        """
        import torch

        try:
            with torch.inference_mode():
                batch = torch.from_numpy(tiles).to(self.device).to(memory_format=torch.channels_last)
                answer: NDArray[np.float32] = self.generator(batch).float().cpu().numpy()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return answer
