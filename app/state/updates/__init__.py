"""Looks for a newer Redraft in a signed feed, fetches it and has it installed, without widgets."""

from __future__ import annotations
