from .jpeg.consistency import ConsistencyReport, consistency_report
from .jpeg.estimate import JPEGEstimate
from .jpeg.estimation import estimate_jpeg
from .jpeg.info import JPEGInfo
from .models.registry import list_models, load_model
from .restoration import deartifact, restoration_steps
from .uncertainty import Restoration, restore_with_uncertainty, uncertainty_steps

__all__ = [
    "ConsistencyReport",
    "JPEGEstimate",
    "JPEGInfo",
    "Restoration",
    "consistency_report",
    "deartifact",
    "estimate_jpeg",
    "list_models",
    "load_model",
    "restoration_steps",
    "restore_with_uncertainty",
    "uncertainty_steps",
]
__version__: str
