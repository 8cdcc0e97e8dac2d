"""``python -m napari_deartifact`` is ``deartifact``."""

import sys

from napari_deartifact.cli import main

sys.exit(main())
