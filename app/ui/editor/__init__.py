"""The editor pane: documents in tabs, edited in place with the model."""

from __future__ import annotations
