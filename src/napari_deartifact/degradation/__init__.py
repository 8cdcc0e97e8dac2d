"""What compression does to a picture, done by the codecs themselves: the other half of every pair."""

from __future__ import annotations

from napari_deartifact.degradation.bitrate import encode_to_size
from napari_deartifact.degradation.codecs import CODECS, RECIPE_CODECS, Codec, find_codec
from napari_deartifact.degradation.encoding import MCU, Degradation, Encoding
from napari_deartifact.degradation.jpeg import (
    SUBSAMPLINGS,
    UNUSUAL_SUBSAMPLINGS,
    jpeg_decode,
    jpeg_encode,
    jpeg_round_trip,
)
from napari_deartifact.degradation.jpeg12 import jpeg12_decode, jpeg12_encode, jpeg12_round_trip
from napari_deartifact.degradation.sampler import DegradationSampler
from napari_deartifact.degradation.tables import TABLES, find_tables

__all__ = [
    "CODECS",
    "MCU",
    "RECIPE_CODECS",
    "SUBSAMPLINGS",
    "TABLES",
    "UNUSUAL_SUBSAMPLINGS",
    "Codec",
    "Degradation",
    "DegradationSampler",
    "Encoding",
    "encode_to_size",
    "find_codec",
    "find_tables",
    "jpeg12_decode",
    "jpeg12_encode",
    "jpeg12_round_trip",
    "jpeg_decode",
    "jpeg_encode",
    "jpeg_round_trip",
]
