"""What the header of a JPEG says, in libjpeg's reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

ColorSpace = Literal["grey", "ycbcr", "rgb", "cmyk", "ycck"]
Table = tuple[int, ...]


class UnsupportedJPEGError(ValueError):
    """A sound JPEG of a process that says nothing of quantization cells, or that no decoder here knows."""


@dataclass(frozen=True)
class Component:
    """A component as the frame header names it: sampling factors, and where to look for its table."""

    identifier: int
    horizontal: int
    vertical: int
    selector: int


@dataclass(frozen=True)
class JPEGHeader:
    """What stands before, and sometimes between, the scans of a JPEG.

    Attributes
    ----------
    height, width : int
        In pixels.
    precision : int
        Bits per sample, 8 or 12.
    components : tuple of Component
        One, three or four.
    tables : tuple of tuple of int
        The quantization table of each component, 64 steps row by row.
    progressive : bool
        Whether the scans refine each other.
    jfif : bool
        Whether there is a JFIF marker.
    adobe_transform : int or None
        What Adobe's marker says of the colours.
    orientation : int
        Of EXIF, 1 to 8.
    scan_start : int
        How many bytes come before the data of the first scan.
    """

    height: int
    width: int
    precision: int
    components: tuple[Component, ...]
    tables: tuple[Table, ...]
    progressive: bool
    jfif: bool
    adobe_transform: int | None
    orientation: int
    scan_start: int = field(default=0, compare=False)

    @property
    def color_space(self) -> ColorSpace:
        """What the components are, by libjpeg's rules."""
        return guess_color_space([c.identifier for c in self.components], self.jfif, self.adobe_transform)

    def check_size(self, size: int) -> None:
        """Refuse dimensions that so few bytes cannot fill: every block takes a bit or more.

        Parameters
        ----------
        size : int
            Bytes of the whole JPEG.

        Raises
        ------
        ValueError
        """
        across = max(c.horizontal for c in self.components)
        down = max(c.vertical for c in self.components)
        blocks = sum(
            -(-self.height * c.vertical // (8 * down)) * -(-self.width * c.horizontal // (8 * across))
            for c in self.components
        )
        coded = max(size - self.scan_start, 0)
        if blocks > 8 * coded:
            raise ValueError(
                f"implausible size of {self.height}×{self.width} pixels: {blocks} blocks take more than "
                f"{coded} bytes"
            )


def guess_color_space(identifiers: list[int], jfif: bool, adobe_transform: int | None) -> ColorSpace:
    """Tell what the components are, as libjpeg does.

    Parameters
    ----------
    identifiers : list of int
        Of the components.
    jfif : bool
        Whether there is a JFIF marker, which outdoes Adobe's.
    adobe_transform : int or None
        Of Adobe's marker.

    Returns
    -------
    {"grey", "ycbcr", "rgb", "cmyk", "ycck"}

    Raises
    ------
    ValueError
        For two components, or more than four.

    Examples
    --------
    >>> guess_color_space([82, 71, 66], jfif=False, adobe_transform=None)
    'rgb'
    """
    if len(identifiers) == 1:
        return "grey"
    if len(identifiers) == 4:
        return "cmyk" if adobe_transform in (None, 0) else "ycck"
    if len(identifiers) != 3:
        raise ValueError(f"{len(identifiers)} components; expected 1, 3 or 4")
    if jfif:
        return "ycbcr"
    if adobe_transform is None:
        return "rgb" if identifiers == [0x52, 0x47, 0x42] else "ycbcr"
    return "rgb" if adobe_transform == 0 else "ycbcr"


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Let the errors of a header say whose it is."""
    try:
        yield
    except UnsupportedJPEGError as error:
        raise UnsupportedJPEGError(f"{name} is of a kind that is not read: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{name} has a truncated or damaged JPEG header: {error}; get a complete copy of the file"
        ) from error
