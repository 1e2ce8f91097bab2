"""What the window says of newer versions."""

from __future__ import annotations
