"""A finished answer, read once: from Markdown to blocks that are safe to show.

Pure functions of the text; slow enough (see tests/benchmarks/rich_text.py) to be called on another
thread than the one that draws.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from markdown_it.token import Token

from app.state.markdown.blocks import (
    Align,
    AnyBlock,
    Code,
    Gap,
    Item,
    Page,
    Paragraph,
    Quote,
    Rule,
    Runs,
    Table,
)
from app.state.markdown.code import Highlighter, language_name
from app.state.markdown.rules import new_parser
from app.state.markdown.runs import read_runs, split_task
from app.state.text import LINE_CHARACTERS, SHOWN_CHARACTERS, clean, visible

LINE, CODE_LINE = (
    40,
    10,
)  # letters that a short line costs; of more than fit a part is shown at first
BULLETS = "•◦▪"
_ALIGNS = {"center": Align.CENTER, "right": Align.END}


def parse(text: str, limit: int = SHOWN_CHARACTERS) -> Page:
    """Reads at most `limit` characters. Takes any text; whatever it does not know is text."""
    end = _end(text, limit)
    tokens = new_parser().parse(clean(text[:end]))
    return Page(blocks=tuple(_Reader(tokens, _lists(tokens)).blocks()), rest=len(text) - end)


def _end(text: str, limit: int) -> int:
    """Where to cut, at the end of a line if there is one near: lines cost as letters do."""
    at = spent = 0
    is_code = False
    for line in text[:limit].split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            is_code = not is_code
        letters = len(line.encode("utf-16-le", "surrogatepass")) // 2  # twice for an emoji
        least = CODE_LINE if is_code else LINE
        cost = max(letters, least) if line.strip() else letters
        is_cut = at + len(line) == limit < len(text) and text[limit] != "\n"
        if spent + cost > limit or is_cut:
            is_long = not at or len(line) > LINE_CHARACTERS
            fits = (limit - spent) * len(line) // max(cost, 1)
            return at + min(fits, len(line)) if is_long else at
        spent += cost + 1
        at += len(line) + 1
    return min(at, len(text))


def is_right_to_left(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    if text.isascii():
        return False
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


@dataclass
class _List:
    """What has to be known of a list before its first item is shown."""

    markers: list[str]
    is_tight: bool = True
    shown: int = 0  # items


def _lists(tokens: Sequence[Token]) -> dict[int, _List]:
    """The lists by the place of their opening token."""
    found: dict[int, _List] = {}
    open_ones: list[int] = []
    for at, token in enumerate(tokens):
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                found[at] = _List([])
                open_ones.append(at)
            case "bullet_list_close" | "ordered_list_close":
                open_ones.pop()
            case "list_item_open":
                opening, each = tokens[open_ones[-1]], found[open_ones[-1]]
                bullet = BULLETS[min(len(open_ones), len(BULLETS)) - 1]
                number = int(opening.attrs.get("start", 1)) + len(each.markers)
                is_ordered = opening.type == "ordered_list_open"
                each.markers.append(f"{number}{opening.markup}" if is_ordered else bullet)
            case "paragraph_open" if open_ones and not token.hidden:
                if token.level == tokens[open_ones[-1]].level + 2:
                    found[open_ones[-1]].is_tight = False
    return found


@dataclass
class _Reader:
    """Walks over the tokens once and says what each block is and where it stands."""

    tokens: Sequence[Token]
    lists: dict[int, _List]
    at: int = 0
    count: int = 0  # of quotes and items
    inside: list[Quote | Item] = field(default_factory=list)
    open_lists: list[_List] = field(default_factory=list)
    is_fresh: bool = True  # nothing is shown yet of the outermost list
    last: AnyBlock | None = None
    highlighter: Highlighter = field(default_factory=Highlighter)

    def blocks(self) -> Iterator[AnyBlock]:
        while self.at < len(self.tokens):
            made = self._read(self.tokens[self.at])
            if made is not None:
                self.last = replace(made, inside=tuple(self.inside), gap=self._gap())
                self.is_fresh = False
                yield self.last
            if self.tokens[self.at].type in ("list_item_close", "blockquote_close"):
                self.inside.pop()
            self.at += 1

    def _read(self, token: Token) -> AnyBlock | None:
        match token.type:
            case "inline":
                return self._paragraph(token)
            case "fence" | "code_block":
                return self._code(token.content.removesuffix("\n"), token.info)
            case "table_open":
                return self._table()
            case "hr":
                return Rule()
            case "blockquote_open":
                self.count += 1
                self.inside.append(Quote(self.count))
            case "bullet_list_open" | "ordered_list_open":
                self.is_fresh = not self.open_lists
                self.open_lists.append(self.lists[self.at])
            case "bullet_list_close" | "ordered_list_close":
                self.open_lists.pop()
            case "list_item_open":
                self._open_item()
            case "list_item_close" | "blockquote_close" if self._is_first_inside():
                return Paragraph(runs=())
            case _:
                pass
        return None

    def _is_first_inside(self) -> bool:
        """Nothing has been shown yet of the quote or item that is open."""
        return self.last is None or self.inside[-1] not in self.last.inside

    def _open_item(self) -> None:
        of = self.open_lists[-1]
        self.count += 1
        depth = len(self.open_lists) - 1
        widest = max((of.markers[0], of.markers[-1]), key=len)
        self.inside.append(Item(self.count, of.markers[of.shown], widest, depth))
        of.shown += 1

    def _paragraph(self, token: Token) -> Paragraph:
        opening = self.tokens[self.at - 1]
        runs = read_runs(token.children or [])
        if opening.type == "heading_open":
            return Paragraph(runs=runs, level=int(opening.tag[1]))
        if self.inside and isinstance(self.inside[-1], Item) and self._is_first_inside():
            is_done, runs = split_task(runs)
            self.inside[-1] = replace(self.inside[-1], is_done=is_done)
        return Paragraph(runs=runs)

    def _code(self, text: str, info: str = "") -> Code:
        text = visible(text)
        spans = self.highlighter.spans(text, info)
        return Code(text=text, language=visible(language_name(info)), spans=spans)

    def _table(self) -> Table:
        """All of a table, up to its end."""
        rows: list[tuple[Runs, ...]] = []
        cells: list[Runs] = []
        aligns: list[Align] = []
        while (token := self.tokens[self.at]).type != "table_close":
            if token.type == "inline":
                cells.append(read_runs(token.children or []))
            elif token.type == "th_open":
                wish = str(token.attrs.get("style", "")).removeprefix("text-align:")
                aligns.append(_ALIGNS.get(wish, Align.START))
            elif token.type == "tr_close":
                rows.append(tuple(cells))
                cells.clear()
            self.at += 1
        return Table(rows=tuple(rows), aligns=tuple(aligns))

    def _gap(self) -> Gap:
        if self.last is None:
            return Gap.NONE
        if isinstance(self.last, Paragraph) and self.last.level:
            return Gap.HALF
        is_inside_list = bool(self.open_lists) and not self.is_fresh
        return Gap.TIGHT if is_inside_list and self.open_lists[-1].is_tight else Gap.FULL
