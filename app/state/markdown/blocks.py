"""What a finished answer is made of: blocks that are safe to show.

All texts have their hidden controls made visible. Nothing is HTML and nothing has to be loaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from app.state.markdown.code import Span
from app.state.text import LINE_CHARACTERS

_LONG_LINE = re.compile(rf"([^\n]{{{LINE_CHARACTERS}}})(?=[^\n])")


class Style(IntFlag):
    PLAIN = 0
    BOLD = 1
    ITALIC = 2
    STRUCK = 4
    CODE = 8


class Gap(IntEnum):
    """How far a block stands from the one above."""

    NONE = 0
    TIGHT = 1
    HALF = 2
    FULL = 3  # one empty line, as in the plain text


class Align(IntEnum):
    START = 0
    CENTER = 1
    END = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one style. `\\n` begins a new line of the same paragraph."""

    text: str
    style: Style = Style.PLAIN
    link: str = ""  # http, https or mailto; empty for none


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    number: int  # tells it from other quotes of the page


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list."""

    number: int  # tells it from other items of the page
    marker: str  # "•", "3."
    widest: str  # marker of its list
    depth: int  # 0 in a list that is in no other
    is_done: bool | None = None  # for a task


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Where a block stands: inside which quotes and items, from the outermost."""

    inside: tuple[Quote | Item, ...] = ()
    gap: Gap = Gap.FULL


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph(Block):
    runs: Runs
    level: int = 0  # of a heading, 1 to 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Code(Block):
    text: str
    language: str = ""
    spans: tuple[Span, ...] = ()

    @property
    def shown(self) -> str:
        """With very long lines broken, because laying them out takes long."""
        return _LONG_LINE.sub(r"\1\n", self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table(Block):
    """The first row is the head. All rows have as many cells as `aligns`."""

    rows: tuple[tuple[Runs, ...], ...]
    aligns: tuple[Align, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule(Block):
    pass


AnyBlock = Paragraph | Code | Table | Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    blocks: tuple[AnyBlock, ...]
    rest: int = 0  # characters that were left out at the end


def plain_text(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)
