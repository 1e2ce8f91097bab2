"""All chats on the disk: one SQLite file, what can go wrong with it, and search."""

from __future__ import annotations
