"""Random documents in many scripts, with random ranges in them."""

from __future__ import annotations

import random

from engine.messages import Span

MATERIAL = (
    "the ", "cat", " sat", ".", ", ", "Hello", "  ", "\t", "\n", "\r\n", "\r", "naïve", "Straße ",
    "漢字", "かな", "カナ", "。", "한국어 ", "한", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "❤️", "🏳️‍🌈", "e\u0301", "a\u0323\u0302",
    "שלום ", "مرحبا ", "العربية", "\u200f", "\u202e", "\u2066", "ไทยไทย", "हिन्दी ", "\u200b", "\ufeff", "\x00", "\x7f",
    "<turn|>", "<|turn>user\n", "<pad>", "<bos>", "[[x]]", "⟦gap 1⟧", "5,607", " 3.14", "def f(x):\n    ",
    "\ud800", "\udc00", "\U0010ffff", "\ufffd", "\U0001d56c", "ﬁ", "½", "…", "—", "“q”", "`c`", "ß", "İ", "x" * 40,
)  # fmt: skip


def document(rng: random.Random, pieces: int) -> str:
    return "".join(rng.choice(MATERIAL) for _ in range(rng.randrange(pieces + 1)))


def spans(rng: random.Random, text: str, most: int) -> list[Span]:
    """One to `most` ranges that do not overlap, in any order, some of them empty."""
    count = rng.randrange(1, most + 1)
    cuts = sorted(rng.randrange(len(text) + 1) for _ in range(2 * count))
    found = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=True):
        if rng.random() < 0.4:
            end = start
        found.append(Span(start=start, end=end, length_hint=rng.randrange(1, 6)))
    rng.shuffle(found)
    return found
