"""Foreign text made safe: for storing (no lone surrogates) and for showing (nothing hidden)."""

from __future__ import annotations

import re
import unicodedata

from app.words import number, tr

SHOWN_CHARACTERS = 20_000  # of one message; the rest is kept, counted, and sent
SHOWN_COST = 24_000  # of one question; see `shown`
LINE_COST = 30  # of a line at least, however short it is
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


def shown(text: str, cost: int | None = None) -> str:
    """`visible` text in a size that lays out at once: long lines broken, a long rest counted.

    `cost` is for a text that is laid out more than once: letters count as many as they have bytes in
    UTF-8, because those of other scripts also take longer, and a line counts as `LINE_COST` at least.
    """
    kept = text[:SHOWN_CHARACTERS]
    if cost is not None:
        kept = kept[: _affordable(kept, cost)]
    rest = len(text) - len(kept)
    kept = _LONG_LINE.sub(r"\1\n", visible(kept))
    more = tr("({count} more characters)", count=number(rest))
    return f"{kept}…\n\n{more}" if rest else kept


def _affordable(text: str, cost: int) -> int:
    """How many characters from its start cost no more than that."""
    end = 0
    for line in text.split("\n"):
        size = len(line.encode("utf-8", "surrogatepass")) + 1
        if max(size, LINE_COST) > cost:
            return end + len(line) * cost // max(size, LINE_COST)
        cost -= max(size, LINE_COST)
        end += len(line) + 1
    return len(text)
