"""JFIF's colours, which are those of ITU-R BT.601 in full range, without torch."""

from __future__ import annotations

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue."""
