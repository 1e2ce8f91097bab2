"""A finished answer as rich text."""

from __future__ import annotations
