"""The words of one paragraph: from the parser's tokens to runs of one style."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from markdown_it.token import Token

from app.state.markdown.blocks import Run, Runs, Style, plain_text
from app.state.text import LINE_CHARACTERS, visible

_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRUCK}
_LONG_WORD = re.compile(rf"(\S{{{LINE_CHARACTERS}}})(?=\S)")
_BARE_LINK = re.compile(r"https?://[^\s<>\"`\\\ufffd]+", re.IGNORECASE)
_AFTER_LINK = ".,;:!?'*_~"  # at the end of a bare address these belong to the sentence
_TASK = re.compile(r"\[([ xX])\](?:\s+|$)")


def read_runs(tokens: Sequence[Token]) -> Runs:
    """A new line of the source stays a new line, so that nothing moves when text becomes rich."""
    runs: list[Run] = []
    open_styles: list[Style] = []
    link = ""
    for token in tokens:
        style = Style(sum({*open_styles}))
        match token.type:
            case "text":
                runs += (
                    _with_links(token.content, style)
                    if not (link or token.meta.get("is_raw"))
                    else [Run(visible(token.content), style, link)]
                )
            case "code_inline":
                runs.append(Run(visible(token.content), style | Style.CODE, link))
            case "softbreak" | "hardbreak":
                runs.append(Run("\n", style))
            case "image":
                runs.append(Run(visible(_image_text(token)), style, link))
            case "link_open":
                link = str(token.attrs["href"])
            case "link_close":
                link = ""
            case _ if token.nesting == 1:
                open_styles.append(_STYLES[token.tag])
            case _ if token.nesting == -1:
                open_styles.pop()
    return tuple(_joined(runs))


def split_task(runs: Runs) -> tuple[bool | None, Runs]:
    """Whether a list item begins with a ticked box, an empty one, or none (None); and the rest."""
    first = plain_text(runs[:1])
    found = _TASK.match(first)
    if found is None or runs[0].style is not Style.PLAIN or runs[0].link:
        return None, runs
    return found[1] != " ", (replace(runs[0], text=first[found.end() :]), *runs[1:])


def _image_text(token: Token) -> str:
    return f"{token.content} ({token.meta['address']})".strip()


def _with_links(text: str, style: Style) -> Iterator[Run]:
    """Addresses of the web that stand in the text as they are."""
    text = visible(text)
    last = 0
    for found in _BARE_LINK.finditer(text):
        address = _without_what_follows(found[0])
        end = found.start() + len(address)
        yield Run(text[last : found.start()], style)
        yield Run(address, style, address)
        last = end
    yield Run(text[last:], style)


def _without_what_follows(address: str) -> str:
    """Cuts off the full stop behind an address, and a bracket that was opened before it."""
    surplus = {end: address.count(end) - address.count(begin) for begin, end in ("()", "[]")}
    end = len(address)
    while end and (address[end - 1] in _AFTER_LINK or surplus.get(address[end - 1], 0) > 0):
        end -= 1
        if address[end] in surplus:
            surplus[address[end]] -= 1
    return address[:end]


def _joined(runs: list[Run]) -> list[Run]:
    """Neighbours of one style become one, and very long words are broken: they take long."""
    joined = []
    for (style, link), same in groupby(runs, lambda run: (run.style, run.link)):
        text = "".join(run.text for run in same)
        if text:
            joined.append(Run(_LONG_WORD.sub(r"\1\n", text), style, link))
    return joined
