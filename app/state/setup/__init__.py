"""Sets the engine up in an installed Redraft: torch for this PC, in layers, without widgets."""

from __future__ import annotations
