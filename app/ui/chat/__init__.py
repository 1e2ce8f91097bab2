"""The talk: questions, answers, the list of chats, and where one types."""

from __future__ import annotations
