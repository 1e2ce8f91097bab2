"""Model files from the network to the disk: listed, fetched, checked. No torch here."""

from __future__ import annotations
