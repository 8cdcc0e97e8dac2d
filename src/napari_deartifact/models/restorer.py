"""What a network and a classical method have in common: tiles in, tiles out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_deartifact.jpeg.info import JPEGInfo


class Restorer(Protocol):
    """Restores tiles; everything that differs between models is said here, not guessed by callers.

    Attributes
    ----------
    name : str
        What its file calls it, and how far it has gone towards its perceptual twin.  It is listed by the name
        of the file, which may be another.
    color : {"rgb", "luma", "any"}
        Channels that a tile must have: three, one, or either.
    size_multiple : int
        Tiles start at, and have sizes of, multiples of this, in pixels.
    halo : int
        Pixels farther away than this have no influence.
    fixed_tile : int or None
        The one tile size that works, if there is only one.
    needs_tables : bool
        Whether `restore` wants the JPEG's quantization tables.
    """

    @property
    def name(self) -> str: ...

    @property
    def color(self) -> Literal["rgb", "luma", "any"]: ...

    @property
    def size_multiple(self) -> int: ...

    @property
    def halo(self) -> int: ...

    @property
    def fixed_tile(self) -> int | None: ...

    @property
    def needs_tables(self) -> bool: ...

    def restore(self, tiles: NDArray[np.float32], jpeg: JPEGInfo | None) -> NDArray[np.float32]:
        """Restore a batch of tiles.

        Parameters
        ----------
        tiles : ndarray of float32, shape (N, C, Y, X)
            0 is black, 1 is white; values outside are legal.
        jpeg : JPEGInfo or None
            What is known of these pixels' JPEG; its shape is (Y, X).

        Returns
        -------
        ndarray of float32, shape (N, C, Y, X)
        """
        ...


@runtime_checkable
class GreyRestorer(Restorer, Protocol):
    """A restorer that says how far it looks on a picture of one channel.

    Attributes
    ----------
    grey_halo : int
        The `halo` of a picture of one channel, in pixels.
    """

    @property
    def grey_halo(self) -> int: ...


@runtime_checkable
class DeviceRestorer(Restorer, Protocol):
    """A restorer that may compute elsewhere than on the CPU.

    It says how much its device takes, and how to go on when the device takes nothing any more.
    """

    def batch_size(self, height: int, width: int) -> int:
        """Return how many tiles of this size it restores at once.

        In a batch of more than one, `restore` is given no `jpeg`: a model that needs it says 1.
        """
        ...

    def on_cpu(self) -> Restorer | None:
        """Return its twin on the CPU, or None when it computes there already."""
        ...
