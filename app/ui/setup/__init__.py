"""The place that shows how the engine is set up."""

from __future__ import annotations
