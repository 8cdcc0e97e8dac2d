"""Pairs cut and compressed on the device that trains, so that it never waits for data.

A large GPU takes thousands of patches a second, more than a few threads of libjpeg make.
`napari_deartifact.jpeg.simulation` agrees with libjpeg to a level on almost all pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from napari_deartifact.degradation.encoding import MCU
from napari_deartifact.degradation.sampler import EARLIER_UNALIGNED
from napari_deartifact.degradation.tables import find_tables
from napari_deartifact.jpeg.color import LUMA_WEIGHTS
from napari_deartifact.jpeg.sampling import sampling_factors
from napari_deartifact.jpeg.simulation import simulate_jpeg
from napari_deartifact.jpeg.tables import scale_table
from napari_deartifact.training.data import Picture
from napari_deartifact.training.data_recipe import DataRecipe
from napari_deartifact.training.pairs import SCALES, checked_rank, drawn_up_to, size_before

_TURNS = 8
_ROUNDS = 2
_GREY = -1


class DevicePairSource:
    """Cuts batches of pairs from pictures that lie on the device.

    It draws what `PairSource` draws, from the same distributions, though not the same numbers: batch
    number `step` is the same whenever it is asked for.

    Parameters
    ----------
    pictures : sequence of Picture
        They take 3 bytes a pixel of the device's memory.
    recipe : DataRecipe
        Without `codecs`.
    channels : int
        3 for RGB pairs, 1 for grey ones.
    seed : int
    device : torch.device
    rank, world : int
        Number of this process, from 0, and how many there are.  Each draws other pairs.

    Raises
    ------
    ValueError
        When there are no pictures, the recipe names codecs, which only run on the CPU, or `rank` is
        not below `world`.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        recipe: DataRecipe,
        channels: int,
        seed: int,
        device: torch.device,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not pictures:
            raise ValueError("no pictures to train on; validation took them all or there were none")
        if recipe.codecs:
            names = ", ".join(sorted({entry.name for entry in recipe.codecs}))
            raise ValueError(f"data.codecs names {names}, which cannot be simulated; use PairSource")
        self.pictures = tuple(pictures)
        self.recipe = recipe
        self.channels = channels
        self.seed = seed
        self.device = device
        self.rank = checked_rank(rank, world)
        self.world = world
        self._sizes = np.array([picture.pixels.shape[:2] for picture in pictures])
        self._grey = np.array([picture.pixels.ndim == 2 for picture in pictures])
        areas = self._sizes.prod(axis=1)
        self._up_to = drawn_up_to(pictures)
        self._first = np.cumsum(areas) - areas
        self._pixels = torch.cat([_flat(picture.pixels) for picture in pictures]).to(device)
        kinds = [find_tables(kind) for kind in recipe.tables]
        self._variants = [len(kind) for kind in kinds]
        self._tables = _tables(np.concatenate(kinds)).to(device)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give batches without end from number `first` on."""
        step = first
        while True:
            yield self.batch(step)
            step += 1

    @torch.no_grad()
    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Cut a batch.

        Parameters
        ----------
        step : int

        Returns
        -------
        degraded, clean : Tensor of uint8, shape (N, C, Y, X)
            On the device.
        """
        recipe, draw = self.recipe, np.random.default_rng([self.seed, step, self.rank])
        count = recipe.batch_size
        chosen = np.searchsorted(self._up_to, draw.random(count), side="right").clip(max=len(self._up_to) - 1)
        clean = self._cut_or_shrunk(chosen, recipe.patch_size + _ROUNDS * MCU, draw)
        grey = self._grey[chosen] | (draw.random(count) < recipe.grey_fraction) | (self.channels == 1)
        clean = self._in_grey(clean, grey, grey & (draw.random(count) < recipe.studio_fraction))
        compressed = draw.random(count) >= recipe.clean_fraction
        twice = compressed & (draw.random(count) < recipe.double_fraction)
        degraded = clean
        for wanted, unaligned in ((twice, EARLIER_UNALIGNED), (compressed, recipe.unaligned_fraction)):
            kinds = np.where(grey, _GREY, draw.integers(len(recipe.subsamplings), size=count))
            qualities, tables = self._qualities(draw), self._table_numbers(draw)
            degraded = self._compressed(degraded, np.where(wanted, kinds, _GREY - 1), qualities, tables)
            corners = draw.integers(MCU, size=(2, count)) * (draw.random(count) < unaligned)
            degraded, clean = (self._shifted(side, corners) for side in (degraded, clean))
        return degraded[:, : self.channels].byte(), clean[:, : self.channels].byte()

    def _qualities(self, draw: np.random.Generator) -> NDArray[np.int_]:
        ranges = self.recipe.qualities
        weights = np.array([entry.weight for entry in ranges])
        among = draw.choice(len(ranges), size=self.recipe.batch_size, p=weights / weights.sum())
        low, high = np.array([(entry.low, entry.high) for entry in ranges]).T
        chosen: NDArray[np.int_] = draw.integers(low[among], high[among], endpoint=True)
        return chosen

    def _table_numbers(self, draw: np.random.Generator) -> NDArray[np.int_]:
        """Draw a kind of tables for each patch, and one of that kind."""
        counts = np.array(self._variants)
        if counts.sum() == 1:
            return np.zeros(self.recipe.batch_size, np.int_)
        kinds = draw.integers(len(counts), size=self.recipe.batch_size)
        numbers: NDArray[np.int_] = (np.cumsum(counts) - counts)[kinds] + draw.integers(counts[kinds])
        return numbers

    def _cut_or_shrunk(self, chosen: NDArray[np.int_], size: int, draw: np.random.Generator) -> Tensor:
        """Gather squares, and some that are larger, which are shrunk to the same size."""
        if not self.recipe.shrunk_fraction:
            return self._cut(chosen, size, draw)
        shrunk = draw.random(len(chosen)) < self.recipe.shrunk_fraction
        scales = np.where(shrunk, draw.integers(len(SCALES), size=len(chosen)), -1)
        for number, scale in enumerate(SCALES):
            too_small = self._sizes[chosen].min(axis=1) < size_before(size, scale)
            scales[too_small & (scales == number)] = -1
        batch = self._pixels.new_empty((len(chosen), 3, size, size), dtype=torch.float32)
        for number, scale in ((-1, 1.0), *enumerate(SCALES)):
            members = np.flatnonzero(scales == number)
            if not len(members):
                continue
            patches = self._cut(chosen[members], size_before(size, scale), draw)
            if number >= 0:
                patches = interpolate(patches, (size, size), mode="bicubic", antialias=True)
                patches = patches.round().clamp(0, 255)
            batch[self._moved(members)] = patches
        return batch

    def _cut(self, chosen: NDArray[np.int_], size: int, draw: np.random.Generator) -> Tensor:
        """Gather squares, turned and mirrored; smaller pictures are continued by reflection."""
        spare = self._sizes[chosen].T - size
        start = np.where(spare > 0, draw.integers(np.maximum(spare, 0) + 1), -(-spare // 2))
        turn = draw.integers(_TURNS, size=len(chosen))
        steps = np.arange(size)
        places = []
        for axis in (0, 1):
            reverse = (turn >> axis & 1).astype(bool)[:, None]
            along = start[axis][:, None] + np.where(reverse, steps[::-1], steps)
            places.append(_reflected(along, self._sizes[chosen, axis][:, None]))
        width = self._sizes[chosen, 1][:, None, None]
        index = places[0][:, :, None] * width + places[1][:, None, :] + self._first[chosen][:, None, None]
        index = np.where((turn >> 2 & 1).astype(bool)[:, None, None], index.transpose(0, 2, 1), index)
        return self._pixels[self._moved(index)].movedim(-1, 1).float()

    def _in_grey(self, batch: Tensor, grey: NDArray[np.bool_], studio: NDArray[np.bool_]) -> Tensor:
        weights = torch.tensor(LUMA_WEIGHTS, dtype=torch.float32, device=self.device)
        luma = torch.einsum("c,ncyx->nyx", weights, batch)
        narrow = self._moved(studio)[:, None, None]
        luma = torch.where(narrow, 16 + luma * (219 / 255), luma).round()
        return torch.where(self._moved(grey)[:, None, None, None], luma[:, None], batch)

    def _compressed(
        self, batch: Tensor, kinds: NDArray[np.int_], qualities: NDArray[np.int_], tables: NDArray[np.int_]
    ) -> Tensor:
        """Compress those whose kind is grey or the number of a subsampling, each by its own tables."""
        answer = batch.clone()
        for kind in range(_GREY, len(self.recipe.subsamplings)):
            members = np.flatnonzero(kinds == kind)
            if not len(members):
                continue
            index = self._moved(members)
            luma, chroma = self._tables[
                self._moved(tables[members]), self._moved(qualities[members] - 1)
            ].unbind(1)
            if kind == _GREY:
                coded = simulate_jpeg(batch[index, 0], [luma]).unsqueeze(1).expand(-1, 3, -1, -1)
            else:
                factors = sampling_factors(self.recipe.subsamplings[kind])
                coded = simulate_jpeg(batch[index], [luma, chroma, chroma], factors)
            answer[index] = coded
        return answer

    def _shifted(self, batch: Tensor, corners: NDArray[np.int_]) -> Tensor:
        """Cut `MCU` pixels off, from each patch elsewhere."""
        steps = np.arange(batch.shape[-1] - MCU)
        rows, columns = (self._moved(corner[:, None] + steps) for corner in corners)
        number = torch.arange(len(batch), device=self.device)[:, None, None]
        return batch.movedim(1, -1)[number, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)

    def _moved(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def _flat(pixels: NDArray[np.uint8]) -> Tensor:
    colors = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)
    return torch.from_numpy(np.ascontiguousarray(colors)).reshape(-1, 3)


def _tables(kinds: NDArray[np.float64]) -> Tensor:
    """Return all tables at all qualities, of shape (N, 100, 2, 1, 1, 8, 8): they apply to grids of blocks."""
    tables = np.stack([scale_table(kinds, quality) for quality in range(1, 101)], axis=1)
    return torch.from_numpy(tables).float()[:, :, :, None, None]


def _reflected(places: NDArray[np.int_], length: NDArray[np.int_]) -> NDArray[np.int_]:
    folded = places % (2 * length)
    reflected: NDArray[np.int_] = np.minimum(folded, 2 * length - 1 - folded)
    return reflected
