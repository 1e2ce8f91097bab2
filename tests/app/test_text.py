"""Foreign text: stored so that it can be encoded, shown so that nothing hides."""

from __future__ import annotations

import json
import time

import pytest
from PySide6.QtGui import QTextDocument

from app.state.text import SHOWN_CHARACTERS, clean, is_blank, shown, visible
from app.ui.canvas.layout import units

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


def test_shown_text_of_ordinary_size_is_unchanged():
    text = "A line.\n\nAnother — with “quotes” and 日本語."
    assert shown(text) == text
    json.dumps(text)
