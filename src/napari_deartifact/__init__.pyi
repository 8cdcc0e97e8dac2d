from .jpeg.estimation import JPEGEstimate, estimate_jpeg
from .jpeg.info import JPEGInfo
from .models.registry import list_models, load_model
from .restoration import deartifact, restoration_steps

__all__ = [
    "JPEGEstimate",
    "JPEGInfo",
    "deartifact",
    "estimate_jpeg",
    "list_models",
    "load_model",
    "restoration_steps",
]
__version__: str
