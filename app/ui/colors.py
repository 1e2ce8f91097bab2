"""The colours of both looks. A test computes the contrast of every pair that meets on the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Colors:
    """Text, `muted`, `accent` and `danger` have a contrast of at least 4.5 to 1 on `window`,
    `surface` and `raised`; `outline` has at least 3 to 1.
    """

    window: str
    surface: str  # where one types
    raised: str  # what the user said
    border: str  # parts things, and means nothing
    outline: str  # shows where a control is
    text: str
    muted: str
    accent: str
    on_accent: str
    danger: str
    danger_surface: str


LIGHT = Colors(
    window="#FAF9F7",
    surface="#FFFFFF",
    raised="#EFEDE8",
    border="#DDD9D1",
    outline="#8A857B",
    text="#1F2430",
    muted="#626875",
    accent="#3B5BDB",
    on_accent="#FFFFFF",
    danger="#A82A1B",
    danger_surface="#FCEFEC",
)
DARK = Colors(
    window="#16181D",
    surface="#1E2128",
    raised="#292D37",
    border="#3A3F4B",
    outline="#767D8B",
    text="#E7E9ED",
    muted="#9BA2AE",
    accent="#93A6FF",
    on_accent="#12141A",
    danger="#FF9D8F",
    danger_surface="#33211F",
)
