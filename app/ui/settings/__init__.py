"""Settings, presets and how answers are made."""

from __future__ import annotations
