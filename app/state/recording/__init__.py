"""A run kept for replay: all its denoising steps, as bytes and back."""

from __future__ import annotations
