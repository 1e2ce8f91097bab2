"""Foreign text made safe: for storing (no lone surrogates) and for showing (nothing hidden)."""

from __future__ import annotations

import re
import unicodedata

SHOWN_CHARACTERS = 20_000  # of one message; the rest is kept, counted, and sent
LINE_CHARACTERS = 2_000  # word wrap takes quadratic time in the length of a line without spaces

# Controls that reorder or hide what follows, and line ends that Qt would treat in its own way. One
# UTF-16 unit becomes one, so positions in the text stay what they were.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_QT_BLOCK_ENDS = (0xFDD0, 0xFDD1)
_SHOWN = dict.fromkeys((*_CONTROLS, *_BIDI_CONTROLS, *_QT_BLOCK_ENDS), "\ufffd") | {
    ord("\n"): "\n",
    ord("\t"): "\t",
    ord("\r"): " ",
    0x2028: "\n",
    0x2029: "\n",
}
_LONG_LINE = re.compile(rf"([^\n]{{{LINE_CHARACTERS}}})(?=[^\n])")


def clean(text: str) -> str:
    """Text that can be encoded: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if text.isascii():  # known at once, and most text is
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen: only spaces, controls and zero-width characters."""
    return all(unicodedata.category(character)[0] in "ZC" for character in text)


def visible(text: str) -> str:
    """The text with every control that could reorder or hide its neighbours shown as U+FFFD.

    Joiners stay: emoji and Indic scripts need them. Keeps the number of UTF-16 units.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SHOWN)


def shown(text: str) -> str:
    """`visible` text in a size that lays out at once: long lines broken, a long rest counted."""
    kept = visible(text[:SHOWN_CHARACTERS])
    rest = len(text) - SHOWN_CHARACTERS
    kept = _LONG_LINE.sub(r"\1\n", kept)
    return kept if rest <= 0 else f"{kept}…\n\n({rest:,} more characters)"
