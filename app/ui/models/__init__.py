"""The place of the models: what runs, what is here, what is on offer, and what this PC has."""

from __future__ import annotations
