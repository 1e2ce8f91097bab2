"""What we read of Markdown: CommonMark and tables, without anything that loads, hides or loses text.

Different from CommonMark on purpose:
- HTML is text, and so is `List<String>`.
- A link goes to the web or to a mail address; everything else stays as it was written.
- An image is a description and an address.
- `[note]: text` stays where it is. As a definition it would vanish.
- What is nested too deeply to be shown as such is shown as it was written.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph, table
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

DEEPEST = 16  # levels; a quote is one, a list two
MOST_COLUMNS = 12
MOST_CELLS = 600
MOST_MARKS = 400  # in one paragraph; pairing and drawing them takes quadratic time
_MARKS = re.compile(r"[*_~\[\]<`&]|://")
LINK = re.compile(r"(?:https?://|mailto:)[^\s\\]+", re.IGNORECASE)


def new_parser() -> MarkdownIt:
    """For one thread: a parser is not to be used by two at the same time."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST + 4})
    parser.enable(["table", "strikethrough"])
    parser.disable(["reference", "html_block", "html_inline"])
    parser.validateLink = is_link  # type: ignore[method-assign, assignment]
    parser.inline.ruler.at("image", _image)
    parser.core.ruler.at("inline", _inline)
    parser.block.ruler.before("table", "too_deep", _too_deep)
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    return parser


def is_link(address: str) -> bool:
    """Whether a click may offer to open `address`."""
    return LINK.fullmatch(address) is not None


def _inline(state: StateCore) -> None:
    """Paragraphs become words. One of nothing but marks is taken as it was written."""
    for token in state.tokens:
        if token.type != "inline":
            continue
        token.children = []
        if len(_MARKS.findall(token.content)) > MOST_MARKS:
            as_written = Token("text", "", 0, content=token.content, meta={"is_raw": True})
            token.children.append(as_written)
        else:
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _image(state: StateInline, silent: bool) -> bool:
    """`![description](address)`. Its address is never looked at, only shown."""
    source, start = state.src, state.pos
    if not source.startswith("![", start):
        return False
    helpers = state.md.helpers
    label_end = helpers.parseLinkLabel(state, start + 1, False)
    if label_end < 0 or source[label_end + 1 : label_end + 2] != "(":
        return False
    begin = _skip_spaces(source, label_end + 2, state.posMax)
    address = helpers.parseLinkDestination(source, begin, state.posMax)
    end = _skip_spaces(source, address.pos if address.ok else begin, state.posMax)
    title = helpers.parseLinkTitle(source, end, state.posMax)
    if title.ok:
        end = _skip_spaces(source, title.pos, state.posMax)
    if source[end : end + 1] != ")" or end >= state.posMax:
        return False
    if not silent:
        token = state.push("image", "", 0)
        token.content = source[start + 2 : label_end]
        token.meta = {"address": address.str}
    state.pos = end + 1
    return True


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if silent or state.level < DEEPEST:
        return False
    return paragraph(state, start, end, silent)


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """As usual. But one that would lose cells, or cost too much, is shown as it was written."""
    head = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    first = len(state.tokens)
    if _cells(head) > MOST_COLUMNS or not table(state, start, end, silent):
        return False
    if not silent:
        source = state.getLines(start, state.line, state.blkIndent, False)
        cells = [_cells(line) for line in source.rstrip("\n").split("\n")]
        columns, rows = cells[0], len(cells) - 1  # the second line is no row
        if max(cells) > columns or rows * columns > MOST_CELLS:
            del state.tokens[first:]
            state.push("code_block", "code", 0).content = source
    return True


def _cells(line: str) -> int:
    return len(escapedSplit(line.strip().removeprefix("|").removesuffix("|")))


def _skip_spaces(text: str, position: int, end: int) -> int:
    while position < end and text[position] in " \t\n":
        position += 1
    return position
