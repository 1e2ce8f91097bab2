"""A finished answer, from Markdown to blocks that are safe to show."""

from __future__ import annotations
