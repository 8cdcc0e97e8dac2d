"""A JPEG round trip on tensors, without the bits in between."""

from __future__ import annotations

from collections.abc import Sequence

import torch  # noqa: TID253  (nothing loads this module before there is something to compress)
from torch import Tensor  # noqa: TID253

from napari_deartifact.jpeg.dct import (
    BLOCK,
    block_dct,
    block_idct,
    dequantize,
    pad_to_multiple,
    quantize,
    ties_of_mean,
    whole_levels,
)
from napari_deartifact.jpeg.resampling import downsample, upsample
from napari_deartifact.jpeg.sampling import sampling_ratios
from napari_deartifact.jpeg.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb


def simulate_jpeg(
    batch: Tensor,
    tables: Sequence[Tensor],
    sampling: Sequence[tuple[int, int]] = ((1, 1),),
    *,
    white: float = 255.0,
    rounded: bool = True,
) -> Tensor:
    """Compress and decompress, without the bits in between.

    Parameters
    ----------
    batch : Tensor, shape (..., C, Y, X)
        0 to `white`.  Three channels are RGB coded as YCbCr when `sampling` has three entries;
        otherwise each channel is coded as a grey picture with the first table.
    tables : sequence of Tensor, shape (8, 8)
        A quantization table for each component.
    sampling : sequence of (int, int)
        Horizontal and vertical sampling factor of each component.
    white : float
        The white level, 2^p − 1.
    rounded : bool
        Round and clip samples wherever a codec of whole numbers does.

    Returns
    -------
    Tensor, shape (..., C, Y, X)

    Examples
    --------
    >>> grey = torch.full((1, 1, 9, 9), 77.0)
    >>> simulate_jpeg(grey, [torch.full((8, 8), 16.0)])[0, 0, 0, 0].item()
    76.0
    """

    def settle(samples: Tensor, *, odd_up: bool | None = None) -> Tensor:
        return whole_levels(samples, white, odd_up=odd_up) if rounded else samples

    def code(plane: Tensor, table: Tensor) -> Tensor:
        middle = (white + 1) / 2
        coefficients = block_dct(pad_to_multiple(plane, BLOCK) - middle)
        coded = block_idct(dequantize(quantize(coefficients, table), table))
        return settle(coded[..., : plane.shape[-2], : plane.shape[-1]] + middle)

    if len(sampling) == 1:
        return code(batch, tables[0].to(batch))
    height, width = batch.shape[-2:]
    ratios = sampling_ratios(sampling)
    period = [max(ratio[axis] for ratio in ratios) for axis in (0, 1)]
    ycbcr = settle(rgb_to_ycbcr(pad_to_multiple(batch, *period), white=white))
    planes = []
    for plane, table, (vertical, horizontal) in zip(ycbcr.unbind(-3), tables, ratios, strict=True):
        samples = settle(downsample(plane, vertical, horizontal), odd_up=ties_of_mean(horizontal))
        full = upsample(code(samples, table.to(batch)), vertical, horizontal)[..., :height, :width]
        if (vertical, horizontal) == (2, 1):
            planes.append(settle(full.mT, odd_up=True).mT)
        else:
            planes.append(settle(full, odd_up=vertical == 1))
    return settle(ycbcr_to_rgb(torch.stack(planes, dim=-3), white=white))
