"""A run seen again, and saved as a picture."""

from __future__ import annotations
