"""Whether a picture is what a JPEG decodes to, or that of another one."""

from __future__ import annotations

import torch  # noqa: TID253  (nothing loads this module before there is something to project)

from napari_deartifact.jpeg.coded import CodedPicture
from napari_deartifact.jpeg.strips import grid_of
from napari_deartifact.warned import warn_caller

FEWEST_KNOWN = 0.5
"""Share of the blocks that decode to the pixels from which on they are taken for those of the JPEG."""


def blocks_that_tell(picture: CodedPicture, *, luma_alone: bool = False) -> tuple[int, int]:
    """Count the blocks that tell whether it is the right picture, and those of them that are known.

    A cut-out knows no block that it cuts, nor those beside them whose chroma is interpolated with theirs.
    Where there are no others, a single known block tells; where none is whole, nothing speaks against it.
    """
    components = picture.components[: 1 if luma_alone else None]
    whole = [picture.whole_blocks(part) for part in components]
    telling = [_telling(picture, mask) for mask in whole]
    shown = sum(int(mask.sum()) for mask in telling)
    if not shown:
        known = any(bool(part.known.any()) for part in components)
        return 1, int(known or not any(bool(mask.any()) for mask in whole))
    return shown, sum(int((mask & part.known).sum()) for mask, part in zip(telling, components, strict=True))


def _telling(picture: CodedPicture, whole: torch.Tensor) -> torch.Tensor:
    """Of the whole blocks of a component mark those that would be known of any cut-out."""
    mask = whole.clone()
    for axis, units in enumerate(grid_of(picture)):
        if max(other.ratio[axis] for other in picture.components) > 1:
            length = mask.shape[axis]
            unit = length // units
            last = min(2 * unit, length)
            mask.narrow(axis, 0, unit).fill_(False)
            mask.narrow(axis, length - last, last).fill_(False)
    return mask


def warn_of_another_picture(known: float) -> None:
    """Warn when too small a share of a picture's blocks is what its JPEG decodes to."""
    if known < FEWEST_KNOWN:
        warn_caller(
            f"only {100 * known:.0f} % of the blocks decode to these pixels, and the others are not "
            "bound to the JPEG; see that it is the JPEG of this very picture, unchanged and on its own scale"
        )
