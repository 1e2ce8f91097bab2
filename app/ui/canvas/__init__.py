"""The live canvas: an answer while it comes into focus."""

from __future__ import annotations
