"""A document with gaps of known length as one canvas of pins, and the way back to text.

The prompt asks to fill in the gaps and says nothing of the document; the document stands on the
canvas, pinned, as the model's own answer: text, gaps, end of turn, padding. So the model sees both
sides of every gap in every layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.denoise import FREE
from engine.messages import EngineFault, ErrorKind, Role, Span, Turn
from engine.text.tokenizer import Tokenizer

INSTRUCTION = "Fill in the gap."


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Where one span lies on the canvas, and what of its border belongs to the document."""

    start: int  # canvas positions, `end` exclusive
    end: int
    owns_space: bool  # the blank in front of the gap is on the canvas inside the gap


@dataclass(frozen=True, kw_only=True)
class InfillCanvas:
    pins: Tensor  # int64 [C], FREE in the gaps
    gaps: tuple[Gap, ...]
    length: int  # canvas positions of the document, without end of turn and padding


def infill_turns(instruction: str) -> tuple[Turn, ...]:
    """The conversation in front of the canvas."""
    words = f"{INSTRUCTION} {instruction}".strip()
    return (Turn.of(Role.USER, words),)


def build_canvas(
    tokenizer: Tokenizer, text: str, spans: Sequence[Span], canvas_length: int
) -> InfillCanvas:
    """Pins for `text` with `spans` opened as gaps of `length_hint` tokens each.

    Raises EngineFault for spans that overlap or have no length, and for a text that does not fit
    on one canvas.
    """
    _check(text, spans)
    ids: list[int] = []
    gaps: list[Gap] = []
    at = 0
    for span in sorted(spans, key=lambda span: span.start):
        before = text[at : span.start]
        # A word's token holds the blank in front of it: leave that blank to the gap.
        owns_space = before.endswith(" ")
        ids += tokenizer.encode(before[:-1] if owns_space else before)
        count = span.length_hint or 0
        gaps.append(Gap(start=len(ids), end=len(ids) + count, owns_space=owns_space))
        ids += [FREE] * count
        at = span.end
    ids += tokenizer.encode(text[at:])
    if len(ids) + 1 > canvas_length:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"This text takes {len(ids)} tokens with its gaps; "
            f"a canvas of this model holds {canvas_length - 1}.",
            "Use a shorter piece of the text.",
        )
    special = tokenizer.special
    padding = [special.pad] * (canvas_length - len(ids) - 1)
    return InfillCanvas(
        pins=torch.tensor([*ids, special.turn_end, *padding]), gaps=tuple(gaps), length=len(ids)
    )


def gap_texts(tokenizer: Tokenizer, canvas: InfillCanvas, ids: Sequence[int]) -> tuple[str, ...]:
    """The text of each gap of a settled canvas, in document order."""

    def text(gap: Gap) -> str:
        words = tokenizer.decode(ids[gap.start : gap.end])
        return words.removeprefix(" ") if gap.owns_space else words

    return tuple(text(gap) for gap in canvas.gaps)


def fill(text: str, spans: Sequence[Span], texts: Sequence[str]) -> str:
    """`text` with its spans replaced, everything outside of them untouched."""
    parts: list[str] = []
    at = 0
    for span, new in zip(sorted(spans, key=lambda span: span.start), texts, strict=True):
        parts += [text[at : span.start], new]
        at = span.end
    return "".join([*parts, text[at:]])


def _check(text: str, spans: Sequence[Span]) -> None:
    at = 0
    for span in sorted(spans, key=lambda span: span.start):
        if not at <= span.start <= span.end <= len(text):
            raise _refused("The gaps overlap or lie outside of the text.")
        if not span.length_hint or span.length_hint < 1:
            raise _refused("Each gap needs a length in tokens.")
        at = span.end
    if not spans:
        raise _refused("The text has no gap to fill.")


def _refused(message: str) -> EngineFault:
    return EngineFault(ErrorKind.BAD_REQUEST, message, "Change the gaps and try again.")
