"""Documents and what is done to them, without widgets."""

from __future__ import annotations
