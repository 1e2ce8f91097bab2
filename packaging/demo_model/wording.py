"""How texts are made: templates, the split into training and held-out material, small variations.

A template marks a part that later words decide with `⟦` and `⟧`. Held-out means an unseen template
and an unseen combination of entities at once: of every list of at least six templates each sixth is
held out, and a tenth of all combinations (by checksum).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeVar

Split = Literal["train", "held"]
T = TypeVar("T")
OPEN, CLOSE = "⟦", "⟧"


@dataclass(frozen=True, kw_only=True)
class Document:
    """A text and the ranges [start, end) in it that only the text behind them decides."""

    text: str
    gaps: tuple[tuple[int, int], ...]
    kind: str


def choose(rng: Random, split: Split, options: Sequence[T]) -> T:
    """One of the templates of this split."""
    if len(options) < 6:
        return rng.choice(options)
    held = [option for index, option in enumerate(options) if index % 6 == 5]
    kept = [option for index, option in enumerate(options) if index % 6 != 5]
    return rng.choice(held if split == "held" else kept)


def belongs(split: Split, entities: Mapping[str, str]) -> bool:
    """Whether this combination of entities is of this split."""
    text = "|".join(f"{key}={entities[key]}" for key in sorted(entities))
    return (zlib.crc32(text.encode()) % 10 == 0) == (split == "held")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def unmark(marked: str, kind: str) -> Document:
    """A text with marks becomes a document."""
    text, gaps, start = "", [], 0
    for char in marked:
        if char == OPEN:
            start = len(text)
        elif char == CLOSE:
            gaps.append((start, len(text)))
        else:
            text += char
    return Document(text=text, gaps=tuple(gaps), kind=kind)


def join(words: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def casual(rng: Random, text: str) -> str:
    """The same request as people type it: lower case, without its full stop, with a please."""
    draw = rng.random()
    if draw < 0.2:
        text = text.lower()
    if rng.random() < 0.25:
        text = text.rstrip(".?!")
    elif rng.random() < 0.05:
        text += "!"
    if rng.random() < 0.01:
        text = text.upper()
    return text
