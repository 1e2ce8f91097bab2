"""What the model is asked. The words for a document that stands on the canvas, and for one that is
shown in the prompt.

The passage to write comes last: what is far back in a prompt is seen by few layers only.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.editing.switches import Wording
from engine.messages import Schema, Span

GAP_REQUEST = "Fill in the gap."
PROOFREAD = "Fix the typos"
MARK = "\u27e6{}\u27e7"  # how a gap is shown
FILL = (
    "Fill in the gaps of this text so that it reads naturally. Each gap is marked "
    f"{MARK.format('gap 1')} and so on. Change nothing else."
)
WRITE = (
    "Write the missing part so that the text reads naturally. Return the complete missing part "
    "and nothing else."
)
FORMS = {
    Schema.NUMBER: "a number in figures",
    Schema.DATE: "a date in figures",
    Schema.LINE: "a single line",
    Schema.LIST: "a list, each item on a line of its own behind a hyphen",
    Schema.JSON: "valid JSON",
}
NEAR = 160  # characters of the passage that are quoted on each side of the gaps


def infill_words(
    wording: Wording,
    text: str,
    spans: Sequence[Span],
    indices: Sequence[int],
    *,
    instruction: str,
    around: int,
) -> str:
    """The request to fill the gaps `indices` (in the order of the document).

    around: characters of the document that are shown on each side.
    """
    if wording is Wording.BARE:
        return f"{GAP_REQUEST} {instruction}".strip()
    first, last = spans[indices[0]], spans[indices[-1]]
    marked = _marked(text, spans, indices, max(0, first.start - around), last.end + around)
    passage = _marked(text, spans, indices, max(0, first.start - NEAR), last.end + NEAR)
    wishes = [
        f"{MARK.format(f'gap {place}')} {wish}"
        for place, index in enumerate(indices, 1)
        for wish in _wishes(spans[index])
    ]
    return "\n\n".join(
        part
        for part in (
            FILL,
            instruction,
            *wishes,
            f"The text:\n{marked}",
            f"Write this passage once more, word for word, with its gaps filled:\n{passage}",
        )
        if part
    )


def passage_only_words(text: str, span: Span, *, instruction: str, around: int) -> str:
    """The request to write just what is missing, for a model that gets no pins."""
    shown = _marked(text, (span,), (0,), max(0, span.start - around), span.end + around)
    return "\n\n".join(
        part
        for part in (
            f"Part of this text is missing at {MARK.format('gap 1')}.",
            instruction,
            *(f"It {wish}" for wish in _wishes(span)),
            f"The text:\n{shown}",
            WRITE,
        )
        if part
    )


def rewrite_words(
    wording: Wording, before: str, selection: str, after: str, instruction: str
) -> str:
    """The request to write a selection anew; `before` and `after` are what is shown around it."""
    if wording is Wording.BARE:
        return f"{instruction.rstrip(' .:')}:\n{selection}"
    return (
        "Here is a text with a selection.\n\n"
        f"{before}<selection>{selection}</selection>{after}\n\n"
        f"Rewrite the selection: {instruction}\n\n"
        "Return the complete replacement for the selection and nothing else. Keep its meaning, "
        f"names and numbers. The selection once more:\n{selection}"
    )


def proofread_words(wording: Wording, text: str) -> str:
    """The request under which a text is looked at for mistakes."""
    if wording is Wording.BARE:
        return GAP_REQUEST
    return (
        "Write this text once more, word for word, and correct nothing but mistakes of spelling "
        f"and grammar:\n{text}"
    )


def _wishes(span: Span) -> list[str]:
    """What is said of a gap, as the rest of a sentence about it."""
    said = f"should say: {span.hint}" if span.hint else ""
    form = "" if span.schema is None else f"should be {FORMS[span.schema]}."
    return [wish for wish in (said, form) if wish]


def _marked(text: str, spans: Sequence[Span], indices: Sequence[int], start: int, end: int) -> str:
    """`text` from start to end with marks in place of the spans."""
    parts: list[str] = []
    at = start
    for place, index in enumerate(indices, 1):
        parts += [text[at : spans[index].start], MARK.format(f"gap {place}")]
        at = spans[index].end
    return "".join([*parts, text[at:end]])
