"""Any picture through any model: grey through a colour net, colour through a luma net."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deartifact.jpeg.color import LUMA_WEIGHTS

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo
    from napari_deartifact.models.restorer import Restorer

_LUMA = np.array(LUMA_WEIGHTS, np.float32)


def restore_colors(model: Restorer, tiles: NDArray[np.float32], jpeg: JPEGInfo | None) -> NDArray[np.float32]:
    """Restore tiles whose channels need not be the model's.

    A colour model gets grey three times over, and its three answers are averaged.  A luma model
    restores Y of a colour picture and leaves Cb and Cr, which is to add the same correction to
    R, G and B.

    Parameters
    ----------
    model : Restorer
    tiles : ndarray of float32, shape (N, C, Y, X)
        C is 1 or 3.
    jpeg : JPEGInfo or None
        What is known of these pixels' JPEG.

    Returns
    -------
    ndarray of float32, shape (N, C, Y, X)
    """
    channels = tiles.shape[1]
    if model.color == "rgb" and channels == 1:
        repeated = np.repeat(tiles, 3, axis=1)
        grey: NDArray[np.float32] = model.restore(repeated, jpeg).mean(axis=1, keepdims=True)
        return grey
    if model.color == "luma" and channels == 3:
        luma = np.tensordot(tiles, _LUMA, axes=(1, 0))[:, np.newaxis]
        return tiles + (model.restore(luma, jpeg) - luma)
    return model.restore(np.ascontiguousarray(tiles), jpeg)
