"""Gaps that stand between sentences: what belongs there is one, about as long as its neighbours.

Nothing on the canvas decides the length of such a gap, and short texts are always likelier than
long ones; so where it stands has to say it.
"""

from __future__ import annotations

import re

from engine.editing.seams import NEAR
from engine.text.tokenizer import Tokenizer

SHORTER, LONGER = 0.6, 1.7  # than the mean of the sentences beside a gap
FEWEST = 3  # tokens of a sentence

_CLOSING = "\"'\u201d\u2019\u00bb)]*_"
_ENDED = re.compile(rf"[.!?\u2026\u3002\uff01\uff1f][{re.escape(_CLOSING)}]*\s*$")
_SENTENCE = re.compile(r"\S.*?(?:[.!?\u2026]+(?=\s|$)|[\u3002\uff01\uff1f]+|$)", re.MULTILINE)


def is_sentence(before: str, after: str) -> bool:
    """Whether what is missing between the two is a sentence, or several."""
    first = after.lstrip(" \t" + "\"'\u201c\u201e\u00ab([*_")[:1]
    return _ENDED.search(before[-NEAR:]) is not None and (
        not first or first in "\r\n" or first.isupper() or first.isdigit()
    )


def stops_short(text: str, before: str, after: str) -> bool:
    """Whether a text breaks off where a sentence is missing."""
    return bool(text.strip()) and is_sentence(before, after) and not is_finished(text)


def is_finished(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return _ENDED.search(text) is not None


def sentence_lengths(
    tokenizer: Tokenizer, before: str, after: str, most: int
) -> tuple[int, int] | None:
    """Tokens at least and at most, from the neighbours, if it is a sentence that is missing.

    before, after: the text on both sides up to the next gap; most: tokens of a gap at most.
    """
    if not is_sentence(before, after):
        return None
    sizes = [len(tokenizer.encode(" " + sentence)) for sentence in _whole(before, after)]
    if not sizes:
        return None
    mean = sum(sizes) / len(sizes)
    low = max(FEWEST, round(SHORTER * mean))
    return min(low, most), min(max(low, round(LONGER * mean)), most)


def _whole(before: str, after: str) -> list[str]:
    """The sentences on both sides of a gap that are not cut off at the far end."""
    left = _SENTENCE.findall(before)
    if len(before) >= NEAR:
        left = left[1:] or left
    right = [each for each in _SENTENCE.findall(after) if is_finished(each)]
    return [each for each in left if is_finished(each)] + right
