"""How much of a selection a rewrite touches, and rewriting inside of a sentence."""

from __future__ import annotations

import itertools
import random

import pytest

from engine.editing.partly import least_likely
from engine.editing.refit import is_inside_sentence
from engine.messages import (
    Draft,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Proposal,
    Span,
    Strength,
    TokenState,
)
from engine.pipeline import Pipeline
from tests.engine.editing.test_edit import of, outcome
from tests.engine.editing.test_rewrite import RIGHT, WRONG

LETTER = "Hey Karl, can you send me the lamp? I need it for the boat."


def ask(text: str, strength: Strength, **options) -> EditRequest:
    options = {
        "spans": (Span(start=0, end=len(text)),),
        "instruction": "Make this more formal",
        "seed": 3,
    } | options
    return EditRequest(text=text, kind=EditKind.REWRITE, strength=strength, **options)


def test_the_least_likely_words_are_chosen_and_neighbours_joined() -> None:
    rng = random.Random(3)
    for _ in range(300):
        words = [rng.choice("abcdef") * rng.randrange(1, 4) for _ in range(rng.randrange(1, 12))]
        text, spans = "", []
        for word in words:
            spans.append(Span(start=len(text), end=len(text) + len(word)))
            text += word + rng.choice([" ", ", ", "\n"])
        chances = {span: -rng.random() for span in spans}
        share = rng.random()
        found = least_likely(text, chances, share)
        inside = [any(f.start <= s.start and s.end <= f.end for f in found) for s in spans]
        count = max(1, round(share * len(spans)))
        assert sum(inside) == count
        taken = [chances[span] for span, taken in zip(spans, inside, strict=True) if taken]
        left = [chances[span] for span, taken in zip(spans, inside, strict=True) if not taken]
        assert not left or max(taken) <= min(left)
        for first, second in itertools.pairwise(found):
            assert text[first.end : second.start].strip()


def test_light_is_proofreading(demo: Pipeline) -> None:
    (found,) = of(outcome(demo, ask(WRONG, Strength.LIGHT)) or [], Proposal)
    assert found.texts == (RIGHT,)


def test_medium_keeps_half_of_the_words_where_they_are(demo: Pipeline) -> None:
    events = outcome(demo, ask(LETTER, Strength.MEDIUM, alternatives=3)) or []
    for draft in of(events, Draft):
        if draft.states.count(TokenState.SETTLED) == len(draft.states):
            continue
        pinned = sum(state == TokenState.PINNED for state in draft.states)
        assert 0.3 * len(draft.states) < pinned < len(draft.states)
    for proposal in of(events, Proposal):
        kept = [old for old in LETTER.split() if old in proposal.texts[0].split()]
        assert len(kept) >= 0.4 * len(LETTER.split())
        last = [d for d in of(events, Draft) if d.candidate == proposal.candidate][-1]
        assert "".join(last.pieces) == proposal.texts[0]


@pytest.mark.parametrize("strength", list(Strength))
def test_protected_words_are_kept_at_every_strength(demo: Pipeline, strength: Strength) -> None:
    start = LETTER.index("lamp")
    request = ask(LETTER, strength, protected=((start, start + 4), (4, 8)), alternatives=2)
    for proposal in of(outcome(demo, request) or [], Proposal):
        assert "lamp" in proposal.texts[0]
        assert "Karl" in proposal.texts[0]


def test_nothing_but_signs_can_be_rewritten_in_part_only_by_leaving_it(demo: Pipeline) -> None:
    with pytest.raises(EngineFault) as fault:
        outcome_or_raise(demo, ask("123, 456!", Strength.MEDIUM))
    assert fault.value.error.kind is ErrorKind.NO_RESULT


def outcome_or_raise(pipeline: Pipeline, request: EditRequest) -> None:
    list(pipeline.run(1, request, lambda: False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She likes her [red boat] and sails it.", True),
        ("She likes her [red boat], and sails.", True),
        ("[She likes her boat.] And she sails.", False),
        ("She likes [her boat]", False),
        ("She likes [her boat]\nAnd more.", False),
        ("She said: [go home!] and left", False),
        ("[ ] and", False),
    ],
)
def test_where_a_sentence_goes_on(text: str, expected: bool) -> None:
    start, end = text.index("["), text.index("]") - 1
    assert is_inside_sentence(text.replace("[", "").replace("]", ""), start, end) is expected


def test_a_rewriting_inside_of_a_sentence_stays_between_its_neighbours(demo: Pipeline) -> None:
    text = "Mara has a red boat and she likes the red boat, so she sails it every day."
    start, end = text.index("she likes"), text.index(", so")
    fitted = 0
    for seed in range(4):
        request = ask(
            text,
            Strength.FULL,
            spans=(Span(start=start, end=end),),
            instruction="Put this into the past tense",
            seed=seed,
            alternatives=2,
        )
        events = outcome(demo, request) or []
        for proposal in of(events, Proposal):
            fitted += proposal.candidate >= 500
            own = [d for d in of(events, Draft) if d.candidate == proposal.candidate]
            assert "".join(own[-1].pieces).strip() == proposal.texts[0].strip()
            assert proposal.texts[0] == proposal.texts[0].strip()
