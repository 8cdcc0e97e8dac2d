"""Take JPEG artifacts out of images, in napari and in scripts."""

import lazy_loader as _lazy

from napari_deartifact._version import __version__

__getattr__, __dir__, _names = _lazy.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
