"""The form that a gap's text must have. What single ids decide is barred on the canvas, the rest is
looked at when the text is there.
"""

from __future__ import annotations

import datetime
import json
import re

from engine.messages import Schema

_FIGURES = re.compile(r"[+\u2212-]?[0-9]+(?:[.,'\u00a0\u202f][0-9]+)*(?: ?%)?")
_YEAR_FIRST = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([./])([0-9]{1,2})\2([0-9]{4})")
_ITEM = re.compile(r"\s*(?:[-*\u2022]|[0-9]+[.)])\s+\S.*")

_SPELLED = {
    Schema.NUMBER: re.compile(r"[0-9+\u2212.,'%-]*"),
    Schema.DATE: re.compile(r"[0-9./-]*"),
}


_BEGUN = {
    Schema.LIST: re.compile(r"\s*[-*\u2022]|\s*[0-9]|\s+"),
    Schema.JSON: re.compile(r"\s*[\[{\"0-9tfn-]|\s+"),
}
FEWEST = {Schema.LIST: 8, Schema.JSON: 6}  # tokens, of forms whose length nothing decides


def may_begin(schema: Schema, piece: str) -> bool:
    """Whether such a text can begin with the text of a token."""
    begun = _BEGUN.get(schema)
    return begun is None or begun.match(piece) is not None


def may_hold(schema: Schema, piece: str) -> bool:
    """Whether the text of one token can be part of such a text."""
    if schema is Schema.LINE:
        return not _breaks(piece)
    spelled = _SPELLED.get(schema)
    return spelled is None or spelled.fullmatch(piece) is not None


def has_form(schema: Schema, text: str) -> bool:
    """Whether a whole text, blanks at its ends aside, has the form."""
    text = text.strip()
    match schema:
        case Schema.NUMBER:
            return _FIGURES.fullmatch(text) is not None
        case Schema.DATE:
            return _is_date(text)
        case Schema.LINE:
            return bool(text) and not _breaks(text)
        case Schema.LIST:
            lines = [line for line in text.splitlines() if line.strip()]
            return bool(lines) and all(_ITEM.fullmatch(line) for line in lines)
        case Schema.JSON:
            return _is_json(text)


def _breaks(text: str) -> bool:
    return text.splitlines() not in ([], [text])


def _is_date(text: str) -> bool:
    """A day of the calendar as 2026-11-21, 21.11.2026, 21/11/2026 or 11/21/2026."""
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = map(int, found.groups())
        return _is_day(year, month, day)
    if found := _YEAR_LAST.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        return _is_day(year, second, first) or (found[2] == "/" and _is_day(year, first, second))
    return False


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _is_json(text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity are Python's own

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True
