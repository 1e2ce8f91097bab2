"""What is protected inside of a gap stays word for word, and where it is."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from engine.editing.infill import Filled
from engine.editing.protect import closed, opened
from engine.editing.prove import fill, missing_words, prove_protected
from engine.messages import Draft, EngineFault, ErrorKind, Proposal, Schema, Span, TokenState
from engine.pipeline import Pipeline
from tests.engine.editing import fuzz
from tests.engine.editing.test_edit import QUICK, applied, ask, of, outcome, run


def some_ranges(rng: random.Random, span: Span) -> list[tuple[int, int]]:
    """Ranges inside of a span in any order; they may touch and overlap."""
    found = []
    for _ in range(rng.randrange(4)):
        start, end = sorted(rng.randrange(span.start, span.end + 1) for _ in range(2))
        if start < end:
            found.append((start, end))
    return found


def test_opening_and_closing_keeps_what_is_protected() -> None:
    """Held against a mask of the characters that may change."""
    rng = random.Random(12)
    tried = 0
    for _ in range(600):
        text = fuzz.document(rng, 20)
        spans = [replace(span, length_hint=None) for span in fuzz.spans(rng, text, 3)]
        spans.sort(key=lambda span: (span.start, span.end))
        protected = [each for span in spans for each in some_ranges(rng, span)]
        is_kept = [
            not any(span.start <= at < span.end for span in spans)
            or any(start <= at < end for start, end in protected)
            for at in range(len(text))
        ]
        try:
            parts = opened(text, spans, protected)
        except EngineFault:
            assert any(all(is_kept[s.start : s.end]) for s in spans if s.start < s.end)
            continue
        tried += 1
        opened_places = {at for part in parts for at in range(part.span.start, part.span.end)}
        assert opened_places == {at for at, kept in enumerate(is_kept) if not kept}
        texts = tuple(f"<{number}>" for number in range(len(parts)))
        filled = Filled(candidate=0, texts=texts, score=0, checks=(), tokens=(1,) * len(parts))
        whole = closed(filled, parts)
        assert fill(text, spans, whole.texts) == fill(text, [p.span for p in parts], texts)
        prove_protected(text, spans, whole.texts, protected)
    assert tried > 300


def test_lengths_are_shared_among_the_parts() -> None:
    text = "one two three four five"
    for hint in range(3, 20):
        span = Span(start=0, end=len(text), length_hint=hint, lengths=(hint, 2 * hint))
        parts = opened(text, [span], [(4, 7), (14, 18)])
        assert sum(part.span.length_hint or 0 for part in parts) == hint
        assert sum((part.span.lengths or (0, 0))[0] for part in parts) == hint
        assert sum((part.span.lengths or (0, 0))[1] for part in parts) == 2 * hint


@pytest.mark.parametrize(
    ("span", "protected", "words"),
    [
        (Span(start=0, end=3), ((0, 3),), "All of this range"),
        (Span(start=0, end=5, length_hint=1), ((1, 2),), "a token for each part"),
        (Span(start=0, end=5, choices=("a",)), ((1, 2),), "nothing in it to protect"),
        (Span(start=0, end=5, schema=Schema.LINE), ((1, 2),), "nothing in it to protect"),
    ],
)
def test_what_cannot_be_protected_is_refused(span: Span, protected, words: str) -> None:
    with pytest.raises(EngineFault, match=words) as fault:
        opened("words", [span], protected)
    assert fault.value.error.kind is ErrorKind.BAD_REQUEST


def test_the_proof_counts_what_must_be_there() -> None:
    text, span = "4711 or 4711, ask Mara", Span(start=0, end=22)
    both = ((0, 4), (8, 12), (18, 22))
    assert missing_words(text, span, "Mara has 4711 and 4711", both) == []
    assert missing_words(text, span, "Mara has 4711", both) == ["4711"]
    assert missing_words("aaa", Span(start=0, end=3), "aaa", ((0, 2), (1, 3))) == []
    with pytest.raises(EngineFault):
        prove_protected(text, [span], ["Mara 4711"], both)


def test_fuzzed_gaps_keep_what_is_protected_through_a_model(random_model: Pipeline) -> None:
    rng = random.Random(9)
    made = 0
    for seed in range(12):
        text = "The quick " + fuzz.document(rng, 2) + "brown fox 4711 jumps over it."
        span = Span(start=4, end=len(text) - 1, length_hint=2 + seed % 3)
        protected = tuple(found.span() for found in re.finditer(r"fox 4711", text))
        request = ask(text, span, sampling=QUICK, seed=seed, alternatives=2, protected=protected)
        events = outcome(random_model, request)
        for proposal in of(events or [], Proposal):
            made += 1
            new = proposal.texts[0]
            assert "fox 4711" in new
            assert applied(request, (new,)).startswith("The ")
            if not proposal.is_fallback:
                own = [d for d in of(events, Draft) if d.candidate == proposal.candidate]
                assert "".join(own[-1].pieces) == new
                assert len(own[-1].pieces) == len(own[-1].states) == len(own[-1].confidence)
    assert made > 5


def test_protected_words_are_pinned_in_every_draft(demo: Pipeline) -> None:
    text = "Mara has a red boat. She likes her old boat."
    start, end = text.index("her"), text.index(" boat.", 30)
    keep = (text.index("old"), text.index("old") + 3)
    request = ask(text, Span(start=start, end=end + 5), protected=(keep,))
    events = run(demo, request)
    for draft in of(events, Draft):
        shown = "".join(draft.pieces)
        assert " old" in shown or shown.startswith("old")
        place = next(i for i, piece in enumerate(draft.pieces) if piece.strip() == "old")
        assert draft.states[place] in (TokenState.PINNED, TokenState.SETTLED)
    for proposal in of(events, Proposal):
        assert "old" in proposal.texts[0]
