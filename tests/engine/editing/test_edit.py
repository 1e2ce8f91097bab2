"""Edits from request to last event, on a random model and on the demo model."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import product

import pytest

from engine.denoise import PinSignal
from engine.editing import infill
from engine.editing.edit import edit
from engine.editing.seams import seam_checks
from engine.editing.switches import Probing, Switches, Wording
from engine.messages import (
    CheckKind,
    Draft,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Event,
    Finished,
    FinishReason,
    Proposal,
    Recording,
    Sampling,
    Span,
)
from engine.pipeline import Pipeline
from tests.engine.editing import fuzz
from tests.engine.editing.test_length import DECIDED

QUICK = Sampling(max_denoising_steps=3)
BOAT = "Mara has a red boat. She likes her  boat, and she sails it every day.\r\nÜmläut\n"


def of(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def ask(text: str, *spans: Span, **options) -> EditRequest:
    options = {"kind": EditKind.INFILL, "seed": 3} | options
    return EditRequest(text=text, spans=spans, **options)


def run(
    pipeline: Pipeline, request: EditRequest, cancelled=lambda: False, switches=None
) -> list[Event]:
    events = list(edit(pipeline.loaded, 1, request, cancelled, switches))
    assert isinstance(events[-1], Finished)
    assert len(of(events, Recording)) == 1
    return events


def outcome(pipeline: Pipeline, request: EditRequest, switches=None) -> list[Event] | None:
    """The events, or None where the engine says that nothing was good enough."""
    try:
        return run(pipeline, request, switches=switches)
    except EngineFault as fault:
        if fault.error.kind is not ErrorKind.NO_RESULT:
            raise
        return None


def applied(request: EditRequest, texts: tuple[str, ...]) -> str:
    """The edit on plain strings, from the back."""
    text = request.text
    order = sorted(
        range(len(texts)), key=lambda i: (request.spans[i].start, request.spans[i].end, i)
    )
    for index in reversed(order):
        span = request.spans[index]
        text = text[: span.start] + texts[index] + text[span.end :]
    return text


def test_the_demo_model_fills_what_the_text_decides(demo: Pipeline) -> None:
    """Without being told the length. Chance would be right once in some hundred gaps."""
    right = 0
    for marked in DECIDED:
        text, word = re.sub(r"\[\[.*?\]\]", "", marked), re.findall(r"\[\[(.*?)\]\]", marked)[0]
        request = ask(text, Span(start=marked.index("[["), end=marked.index("[[")))
        best = of(outcome(demo, request) or [], Proposal)[:1]
        right += bool(best) and best[0].texts == (word,)
        for proposal in best:
            assert applied(request, proposal.texts) == re.sub(
                r"\[\[.*?\]\]", proposal.texts[0], marked
            )
    assert right >= len(DECIDED) / 2


def test_gaps_in_any_order_give_texts_in_the_order_of_the_request(demo: Pipeline) -> None:
    text = "My friend  lives at the lighthouse. Every Monday Sam visits me. We like ."
    first, second = text.index("  lives") + 1, text.index(" .") + 1
    spans = (
        Span(start=first, end=first, length_hint=1),
        Span(start=second, end=second, length_hint=2),
    )
    forth = of(run(demo, ask(text, *spans)), Proposal)[0].texts
    back = of(run(demo, ask(text, *reversed(spans))), Proposal)[0].texts
    assert forth == tuple(reversed(back))
    assert forth[0] == "Sam"


def test_fuzzed_documents_through_a_model(random_model: Pipeline) -> None:
    """Whatever a random model writes: all drafts, proposals and ends are in order."""
    rng = random.Random(8)
    ends = []
    for seed in range(25):
        text = fuzz.document(rng, 14)
        spans = [
            replace(span, length_hint=rng.choice([1, 2, 4])) for span in fuzz.spans(rng, text, 2)
        ]
        request = ask(text, *spans, sampling=QUICK, seed=seed, alternatives=2)
        events = outcome(random_model, request)
        ends.append(events is not None)
        if events is None:
            continue
        drafts = of(events, Draft)
        for proposal in of(events, Proposal):
            edited = applied(request, proposal.texts)
            assert len(edited) == len(text) + sum(
                len(new) - (span.end - span.start)
                for new, span in zip(proposal.texts, spans, strict=True)
            )
            if proposal.is_fallback:
                continue
            for index, new in enumerate(proposal.texts):
                own = [d for d in drafts if (d.span, d.candidate) == (index, proposal.candidate)]
                shown = "".join(own[-1].pieces)
                assert shown == new
                assert len(own[-1].pieces) == len(own[-1].states) == len(own[-1].confidence)
            for check in proposal.checks:
                assert check.kind not in infill.FATAL or check.repaired
    assert any(ends)


def test_no_special_id_ever_stands_in_a_gap(random_model: Pipeline) -> None:
    loaded = random_model.loaded
    names = set(loaded.tokenizer.markup)
    text = "one <turn|> two  three <|channel>thought"
    at = text.index("  three") + 1
    for seed in range(5):
        request = ask(text, Span(start=at, end=at, length_hint=6), sampling=QUICK, seed=seed)
        for proposal in of(outcome(random_model, request) or [], Proposal):
            new = proposal.texts[0]
            assert not any(name in new for name in names)
            assert proposal.tokens == (6,)
            assert applied(request, (new,)) == f"one <turn|> two {new} three <|channel>thought"


def test_stopping_between_steps_ends_without_a_proposal(demo: Pipeline) -> None:
    at = BOAT.index("  boat") + 1
    request = ask(BOAT, Span(start=at, end=at))
    whole = run(demo, request)
    passes = whole[-1].usage.denoising_steps
    for stop_after in range(0, passes, 4):
        calls = iter(range(10_000))
        events = run(demo, request, lambda limit=stop_after, calls=calls: next(calls) >= limit)
        assert events[-1].reason is FinishReason.STOPPED
        assert of(events, Proposal) == []
        assert events[-1].usage.denoising_steps <= stop_after
    assert [e.texts for e in of(run(demo, request), Proposal)] == [
        e.texts for e in of(whole, Proposal)
    ]


def test_equal_seeds_give_equal_edits_and_a_drawn_one_is_reported(demo: Pipeline) -> None:
    request = ask(BOAT, Span(start=0, end=4), seed=None, alternatives=3)
    first = run(demo, request)
    again = run(demo, replace(request, seed=first[-1].usage.seed))
    assert [(p.texts, p.score) for p in of(first, Proposal)] == [
        (p.texts, p.score) for p in of(again, Proposal)
    ]


def test_where_nothing_passes_the_passage_is_asked_for_and_marked(
    demo: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks that refuse every pinned candidate leave the fallback, or an honest end."""
    fallen = []

    def refuse(filled: infill.Filled) -> bool:
        fallen.append(filled)
        return False

    monkeypatch.setattr(infill, "is_good", refuse)
    at = BOAT.index("  boat") + 1
    request = ask(BOAT, Span(start=at, end=at, length_hint=1))
    monkeypatch.setattr("engine.editing.instruct.text_checks", lambda *told: [])
    proposals = of(run(demo, request), Proposal)
    assert proposals
    assert all(proposal.is_fallback for proposal in proposals)
    assert fallen


def test_a_failed_edit_still_gives_its_recording(random_model: Pipeline, monkeypatch) -> None:
    monkeypatch.setattr(infill, "is_good", lambda filled: False)
    monkeypatch.setattr("engine.editing.instruct.is_good", lambda filled: False)
    request = ask("one two", Span(start=4, end=4, length_hint=2), sampling=QUICK)
    loop = edit(random_model.loaded, 1, request, lambda: False)
    kinds = set()

    def drain() -> None:
        for event in loop:
            kinds.add(type(event))

    with pytest.raises(EngineFault, match="nothing was changed"):
        drain()
    assert {Draft, Recording} <= kinds
    assert Proposal not in kinds


def test_a_repetition_is_cut_and_denoised_further(demo: Pipeline) -> None:
    """Gaps far too long make the model say what stands behind them; no such text is proposed."""
    text = "Mara has a red boat. She likes her  boat. The red boat is old."
    at = text.index("  boat. The") + 1
    for seed in range(3):
        request = ask(text, Span(start=at, end=at, length_hint=6), seed=seed, alternatives=3)
        for proposal in of(outcome(demo, request) or [], Proposal):
            found = seam_checks(text[:at], proposal.texts[0], text[at:], 0)
            assert not {check.kind for check in found} & infill.FATAL


def test_going_on_at_the_end_and_beginning_at_the_start(demo: Pipeline) -> None:
    for text, at in (("Mara has a red boat. She ", 25), ("", 0), ("Mara", 0), (" boat.", 0)):
        request = ask(text, Span(start=at, end=at, lengths=(1, 6)))
        for proposal in of(run(demo, request), Proposal):
            assert proposal.texts[0].strip()


def test_choices_are_weighed_and_nothing_else_is_written(demo: Pipeline) -> None:
    """What was said before is chosen more often than chance explains: 9 of 27, give or take 2.4."""
    colours, right = ("blue", "red", "old"), 0
    for name, thing, colour in product(("Mara", "Tom", "Ida"), ("boat", "kite", "lamp"), colours):
        text = f"{name} has a {colour} {thing}. She likes her  {thing}."
        at = text.index(f"  {thing}") + 1
        span = Span(start=at, end=at, choices=colours)
        events = run(demo, ask(text, span, alternatives=3))
        assert {p.texts[0] for p in of(events, Proposal)} == set(colours)
        assert of(events, Draft) == []
        right += of(events, Proposal)[0].texts == (colour,)
    assert right > 16


@pytest.mark.parametrize(
    "change",
    [
        {"signal": PinSignal.NATIVE},
        {"signal": PinSignal.UNIFORM},
        {"pins_in_first_pass": False},
        {"wording": Wording.SHOWN, "probing": Probing.LANDING, "reach": 48},
    ],
    ids=str,
)
def test_every_switch_runs(random_model: Pipeline, change: dict) -> None:
    switches = replace(Switches.for_width(1), gap_steps=2, **change)
    text = "The quick brown fox jumps over the lazy dog, and the dog sleeps. " * 3
    for seed in range(3):
        request = ask(text, Span(start=70, end=75, lengths=(1, 5)), seed=seed)
        events = outcome(random_model, request, switches)
        assert events is None or of(events, Proposal)


def test_protected_ranges_must_lie_inside(demo: Pipeline) -> None:
    request = ask("one two", Span(start=0, end=3), kind=EditKind.REWRITE, protected=((2, 5),))
    with pytest.raises(EngineFault, match="protected"):
        run(demo, request)


def test_a_candidate_with_a_broken_seam_is_never_proposed() -> None:
    broken = {CheckKind.REPEATS_AFTER, CheckKind.CUT_WORD, CheckKind.CUT_NUMBER, CheckKind.EMPTY}
    assert broken <= infill.FATAL
