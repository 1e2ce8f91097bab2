"""Foreign text: stored so that it can be encoded, shown so that nothing hides."""

from __future__ import annotations

import json
import time

import pytest
from PySide6.QtGui import QTextDocument

from app.state.text import LINE_COST, SHOWN_CHARACTERS, SHOWN_COST, clean, is_blank, shown, visible
from app.ui.canvas.layout import units
from app.words import load_words

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),  # a pair written as two
        (FAMILY, FAMILY),
        ("", ""),
    ],
)
def test_clean_text_can_be_encoded(dirty, expected):
    assert clean(dirty) == expected
    clean(dirty).encode()


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200d", "\u202e\u2066", "\ufeff", "\x00"])
def test_what_cannot_be_seen_is_blank(text):
    assert is_blank(text)
    assert not is_blank(text + "x")


def test_controls_that_reorder_or_hide_are_shown():
    for control in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\x7f\x9b":
        assert visible(f"a{control}b") == "a\ufffdb"


def test_what_scripts_and_emoji_need_is_kept():
    for text in (FAMILY, "क\u094d\u200dष", "a\u200cb", "a\tb\nc", "שלום \u200f!"):
        assert visible(text) == text


def test_every_character_keeps_its_place_in_a_document(qapp):
    """Positions in the shown text, as Qt counts them, are positions in the text."""
    document = QTextDocument()
    for first in range(0, 0x30000, 0x400):
        for code in (code for code in range(first, first + 0x400) if not 0xD800 <= code < 0xE000):
            text = f"a{chr(code)}b"
            assert units(visible(text)) == units(text)
        safe = visible("".join(
            chr(code) for code in range(first, first + 0x400) if not 0xD800 <= code < 0xE000
        ))  # fmt: skip
        document.setPlainText(safe)
        assert document.characterCount() - 1 == units(safe)


def test_a_megabyte_in_one_line_is_shown_at_once_and_counted():
    text = "x" * (1 << 20)
    began = time.thread_time()
    part = shown(text)
    assert time.thread_time() - began < 0.2
    assert len(part) < SHOWN_CHARACTERS + 200
    assert f"{len(text) - SHOWN_CHARACTERS:,} more characters" in part
    assert max(map(len, part.split("\n"))) <= 2001


@pytest.mark.parametrize(
    "text",
    ["日本語の文章です。", "a\n", "x", "\n", "日\n本\n", "\U0001f600 ", "ab\ud800", "нет "],
)
def test_what_takes_long_to_lay_out_is_shown_in_smaller_parts(text):
    """As much as is not too dear, to within a line."""
    text *= 30_000

    def cost(part):
        lines = part.encode("utf-8", "surrogatepass").split(b"\n")
        return sum(max(len(line) + 1, LINE_COST) for line in lines)

    kept, rest = shown(text, SHOWN_COST).rsplit("…\n\n", 1)
    if "\n" not in text:
        kept = kept.replace("\n", "")
    assert visible(text).startswith(kept)
    assert rest == f"({len(text) - len(kept):,} more characters)"
    assert cost(text[: len(kept)]) <= SHOWN_COST + LINE_COST
    more = text[: len(kept) + LINE_COST]
    assert len(kept) == SHOWN_CHARACTERS or cost(more) >= SHOWN_COST


@pytest.mark.parametrize("text", ["Short.", "x" * 19_000, "日本語" * 2_000, "line of code\n" * 700])
def test_what_is_cheap_enough_is_shown_whole(text):
    assert shown(text, SHOWN_COST).replace("\n", "") == text.replace("\n", "")


def test_the_rest_is_counted_as_the_language_does(monkeypatch):
    monkeypatch.setattr("app.words._chosen", load_words("de"))
    assert shown("x" * 1_020_000).endswith("…\n\n(1.000.000 weitere Zeichen)")


def test_shown_text_of_ordinary_size_is_unchanged():
    text = "A line.\n\nAnother — with “quotes” and 日本語."
    assert shown(text) == text
    json.dumps(text)
