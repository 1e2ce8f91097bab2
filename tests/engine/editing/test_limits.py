"""Edits of a size that nobody has in mind: long gaps, many gaps, huge documents."""

from __future__ import annotations

import pytest

from engine.messages import Draft, EngineFault, ErrorKind, Proposal, Span, TokenState
from engine.pipeline import Pipeline
from tests.engine.editing.test_edit import QUICK, applied, ask, of, run


def test_a_gap_longer_than_a_canvas(demo: Pipeline) -> None:
    length = demo.loaded.model.config.canvas_length
    text = "Mara has a red boat.  The end."
    at = text.index("  The") + 1
    request = ask(text, Span(start=at, end=at, length_hint=length + 40), sampling=QUICK)
    events = run(demo, request)
    (proposal,) = of(events, Proposal)
    assert proposal.tokens == (length + 40,)
    drafts = of(events, Draft)
    assert drafts[-1].canvas == 1
    assert len(drafts[-1].pieces) == length + 40
    assert "".join(drafts[-1].pieces) == proposal.texts[0]
    assert drafts[-1].states[:length] == bytes((TokenState.SETTLED,)) * length


@pytest.mark.parametrize("count", [3, 5, 12])
def test_many_gaps_of_unknown_length(demo: Pipeline, count: int) -> None:
    """They share canvases as far as they fit, and every one is filled."""
    text = "Mara has a red boat. " * count
    spans = [Span(start=21 * n + 11, end=21 * n + 14) for n in range(count)]
    request = ask(text, *spans)
    (proposal,) = of(run(demo, request), Proposal)
    assert len(proposal.texts) == count
    assert all(new.strip() for new in proposal.texts)
    parts = applied(request, proposal.texts).split("Mara has a ")
    assert len(parts) >= count + 1
    assert all(part.endswith(" boat. ") for part in parts[1:])


def test_gaps_beyond_all_measure_are_refused(demo: Pipeline) -> None:
    for size in (100_000, 5_000):
        with pytest.raises(EngineFault) as fault:
            run(demo, ask("one two", Span(start=4, end=4, length_hint=size)))
        assert fault.value.error.kind is ErrorKind.BAD_REQUEST


def test_a_document_of_a_million_characters(demo: Pipeline) -> None:
    line = "Mara has a red boat. She likes her red boat.\n"
    text = line * (1_000_000 // len(line) + 1)
    spans = [Span(start=at + 35, end=at + 38, length_hint=1) for at in (45 * 11_000, 0)]
    request = ask(text, *spans)
    (proposal,) = of(run(demo, request), Proposal)
    edited = applied(request, proposal.texts)
    assert len(edited) == len(text) - 6 + sum(map(len, proposal.texts))
    assert proposal.texts[0] in ("red", "boat", "old") or proposal.texts[0].isalpha()


def test_a_million_characters_are_replaced_by_a_word(demo: Pipeline) -> None:
    text = "Mara has a " + "(" * 1_000_000 + " boat. She likes her red boat."
    request = ask(text, Span(start=11, end=1_000_011))
    for proposal in of(run(demo, request), Proposal):
        assert applied(request, proposal.texts) == (
            f"Mara has a {proposal.texts[0]} boat. She likes her red boat."
        )
