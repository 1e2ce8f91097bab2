"""The proof that an edit changes nothing outside of its spans. No proposal leaves without it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from engine.messages import EngineFault, ErrorKind, Span

_REMEDY = "Nothing was changed. Try again; if it happens again, please report it."


def fill(text: str, spans: Sequence[Span], texts: Sequence[str]) -> str:
    """`text` with span i replaced by texts[i], everything outside of them untouched."""
    parts: list[str] = []
    at = 0
    for index in in_order(spans):
        parts += [text[at : spans[index].start], texts[index]]
        at = spans[index].end
    return "".join([*parts, text[at:]])


def prove_outside(text: str, spans: Sequence[Span], texts: Sequence[str], edited: str) -> None:
    """Raises EngineFault unless `edited` is `text` outside of the spans, and `texts` inside.

    Reads the edited document from both ends and knows nothing of how it was made.
    """
    if len(texts) != len(spans):
        raise _fault("the proposal has another number of texts than the request has spans")
    order = in_order(spans)
    place = at = 0  # in the edited document, in the original
    for index in order:
        span = spans[index]
        if not at <= span.start <= span.end <= len(text):
            raise _fault(f"span {index} is out of place")
        place = _expect(edited, place, text[at : span.start], f"in front of span {index}")
        place = _expect(edited, place, texts[index], f"in span {index}")
        at = span.end
    if edited[place:] != text[at:]:
        raise _fault("behind the last span")


def prove_protected(
    text: str, spans: Sequence[Span], texts: Sequence[str], protected: Sequence[tuple[int, int]]
) -> None:
    """Raises EngineFault unless each span's new text has all that is protected in the old one."""
    for span, new in zip(spans, texts, strict=True):
        if missing := missing_words(text, span, new, protected):
            raise _fault(f"{len(missing)} protected ranges are not kept")


def missing_words(
    text: str, span: Span, new: str, protected: Sequence[tuple[int, int]]
) -> list[str]:
    """What is protected inside of a span and stands in `new` less often than in ranges there."""
    inside = Counter(
        text[start:end] for start, end in set(protected) if span.start <= start < end <= span.end
    )
    return [words for words, count in inside.items() if _occurrences(words, new) < count]


def _occurrences(words: str, text: str) -> int:
    """How often `words` stand in a text, those that overlap counted, too."""
    return len(re.findall(f"(?={re.escape(words)})", text))


def _expect(edited: str, place: int, wanted: str, where: str) -> int:
    """Behind `wanted`, which must stand at `place`."""
    end = place + len(wanted)
    if edited[place:end] != wanted:
        raise _fault(where)
    return end


def in_order(spans: Sequence[Span]) -> list[int]:
    """Indices of the spans as they stand in the document; equal ones in the request's order."""
    return sorted(
        range(len(spans)), key=lambda index: (spans[index].start, spans[index].end, index)
    )


def _fault(detail: str) -> EngineFault:
    return EngineFault(
        ErrorKind.INTERNAL,
        "This edit would have changed text outside of its range.",
        _REMEDY,
        f"outside differs: {detail}",
    )
