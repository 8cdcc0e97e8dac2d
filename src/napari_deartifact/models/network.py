"""A generator on a device, as a restorer of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.devices import Precision, batch_size, is_out_of_memory, resolve_precision
from napari_deartifact.threads import side_by_side

if TYPE_CHECKING:
    from pathlib import Path

    import torch

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
    precision : {"float32", "bfloat16"}
        In which the convolutions multiply.  What they find is added to the tile in float32.
    """

    needs_tables = False
    path: Path | None = None
    """The model file, if it came from one."""
    perceptual: float = 0.0
    """How far the weights have gone from those of that file to those of its perceptual twin, 0 to 1."""

    def __init__(
        self, generator: Generator, card: ModelCard, device: str = "cpu", precision: Precision = "float32"
    ) -> None:
        import torch

        # Convolutions are faster so; benchmarks/networks.py shows by how much.
        self.generator: Generator = generator.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.card = card
        self.device = device
        self.precision: Precision = precision

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def color(self) -> Literal["rgb", "luma", "any"]:
        return self.generator.color

    @property
    def size_multiple(self) -> int:
        return self.generator.size_multiple

    @property
    def halo(self) -> int:
        return self.generator.receptive_radius

    @property
    def grey_halo(self) -> int:
        """See :class:`~napari_deartifact.models.restorer.GreyRestorer`."""
        return self.generator.grey_radius or self.generator.receptive_radius

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
        try:
            if self.device != "cpu" or len(tiles) == 1:
                return self._answer(tiles)
            with side_by_side(len(tiles)) as threads:
                return np.concatenate(list(threads.map(self._answer, tiles[:, np.newaxis])))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise

    def _answer(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        batch = self._batch(tiles)
        with torch.inference_mode(), self._autocast(batch):
            answer: NDArray[np.float32] = self.generator(batch).float().cpu().numpy()
        return answer

    def batch_size(self, height: int, width: int) -> int:
        """See :class:`~napari_deartifact.models.restorer.DeviceRestorer`."""
        return batch_size(self.device, height * width)

    def on_cpu(self) -> NetworkRestorer | None:
        """See :class:`~napari_deartifact.models.restorer.DeviceRestorer`."""
        if self.device == "cpu":
            return None
        # A copy of the weights on a device without memory would be one too many.
        twin = type(self.generator)(**self.generator.arguments)
        twin.load_state_dict({key: value.cpu() for key, value in self.generator.state_dict().items()})
        twin.eval().requires_grad_(False)
        wanted = "float32" if self.precision == "float32" else "auto"
        restorer = NetworkRestorer(twin, self.card, "cpu", resolve_precision(wanted, "cpu"))
        restorer.path, restorer.perceptual = self.path, self.perceptual
        return restorer

    def _autocast(self, batch: torch.Tensor) -> torch.autocast:
        import torch

        wanted = self.precision == "bfloat16" and not self.generator.is_narrow(batch)
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=wanted)

    def _batch(self, tiles: NDArray[np.float32]) -> torch.Tensor:
        import torch

        batch = torch.from_numpy(tiles)
        if self.device.startswith("cuda"):
            # From locked pages the copy needs no detour, and the processor need not wait for it.
            batch = batch.pin_memory()
        return batch.to(self.device, non_blocking=True).to(memory_format=torch.channels_last)
