"""Token healing: what of the text beside a span belongs to the same tokens as the span.

A vocabulary writes the blank in front of a word into the word's token, and many words as one token
whose parts are others. So a border in front of a blank or inside of a word is moved on the canvas
by a token, and the opened position may take only ids that spell the characters it has swallowed.
Borders inside of characters that take several tokens stay where they are: pins hold them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from engine.text.tokenizer import Tokenizer

BLANK = " "


@dataclass(frozen=True, kw_only=True)
class Border:
    """Fixed ids on one side of a span, and the characters that were moved between them and it."""

    ids: tuple[int, ...]
    swallowed: str = ""  # the text at this border inside of the gap must be just this
    lent: str = ""  # on the canvas these stand in front of `ids`; in the document, in the span


def left_border(tokenizer: Tokenizer, before: str, following: str) -> Border:
    """The border in front of a span; `following` is the first character behind it, or ''."""
    ids = tokenizer.encode(before)
    if before.endswith(BLANK):
        return Border(ids=tuple(tokenizer.encode(before[:-1])), swallowed=BLANK)
    if before and is_word(before[-1]) and is_word(following):
        return _swallow(tokenizer, ids, last=True)
    return Border(ids=tuple(ids))


def right_border(tokenizer: Tokenizer, preceding: str, after: str) -> Border:
    """The border behind a span; `preceding` is the last character in front of it, or ''."""
    starts_word = bool(after) and is_word(after[0])
    if starts_word and preceding == BLANK:
        return Border(ids=tuple(tokenizer.encode(BLANK + after)), lent=BLANK)
    ids = tokenizer.encode(after)
    if starts_word and is_word(preceding):
        return _swallow(tokenizer, ids, last=False)
    return Border(ids=tuple(ids))


def is_word(character: str) -> bool:
    """Whether words are made of it: letters, digits, marks that sit on them, the underscore."""
    return bool(character) and (unicodedata.category(character)[0] in "LNM" or character == "_")


def starting_with(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ordinary ids whose text begins with `text`."""
    return [token for token, piece in tokenizer.vocabulary if piece.startswith(text)]


def ending_with(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ordinary ids whose text ends with `text`."""
    return [token for token, piece in tokenizer.vocabulary if piece.endswith(text)]


def _swallow(tokenizer: Tokenizer, ids: list[int], *, last: bool) -> Border:
    """The border moved by one token, where that token is whole characters."""
    token, rest = (ids[-1], ids[:-1]) if last else (ids[0], ids[1:])
    text = tokenizer.decode([token])
    if not text or "\ufffd" in text:
        return Border(ids=tuple(ids))
    return Border(ids=tuple(rest), swallowed=text)
