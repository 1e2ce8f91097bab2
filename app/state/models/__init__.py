"""Models on this PC and on offer, and what is done to them; no widgets."""

from __future__ import annotations
