"""Gaps where a sentence is missing, and gaps that get more room because they break off."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from engine.editing import infill
from engine.editing.layout import Layout
from engine.editing.polish import NEW, Resized, _sources, longer
from engine.editing.sentences import is_finished, is_sentence, sentence_lengths, stops_short
from engine.editing.window import Gap, Window
from engine.messages import Draft, Proposal, Span
from engine.pipeline import Pipeline
from engine.text.tokenizer import Tokenizer
from tests.engine.editing.test_edit import ask, of, run
from tests.engine.editing.test_text_machinery import DEMO

STORY = (
    "One day a dog took the cup and ran away. [] Mara found the black cup under the bridge.",
    "One night the dog was afraid of the snow and ran off. [] Now the dog lives in the house.",
    "Every morning the dog wagged its tail. [] In the morning the dog was there again.",
)


def opened(marked: str) -> tuple[str, Span]:
    at = marked.index("[]")
    return marked.replace("[]", ""), Span(start=at, end=at)


def some_layout(rng: random.Random) -> Layout:
    count = rng.randrange(1, 4)
    fixed = tuple(
        tuple(rng.randrange(100) for _ in range(rng.randrange(6))) for _ in range(count + 1)
    )
    gaps = tuple(
        Gap(index=n, span=Span(start=0, end=0), head="", tail="", lent="") for n in range(count)
    )
    lengths = tuple(rng.randrange(1, 9) for _ in range(count))
    return Layout(window=Window(gaps=gaps, fixed=fixed), lengths=lengths)


def test_a_resized_canvas_goes_on_from_the_same_tokens() -> None:
    """Against a canvas of lists: everything fixed is kept, gaps lose and get what they should."""
    rng = random.Random(31)
    for _ in range(500):
        layout = some_layout(rng)
        old = [*range(1000, 1000 + layout.length), -5, -6]
        kept, added = [], []
        for slot in layout.slots:
            start = rng.randrange(slot.start, slot.stop)
            kept.append(slice(start, rng.randrange(start, slot.stop) + 1))
            added.append(rng.randrange(4))
        change = Resized(kept=tuple(kept), added=tuple(added))
        expected: list[int] = []
        at = 0
        for slot, own, more in zip(layout.slots, kept, added, strict=True):
            expected += [*old[at : slot.start], *old[own], *[NEW] * more]
            at = slot.stop
        expected += old[at : layout.length]
        width = sum(map(len, layout.window.fixed)) + sum(change.lengths)
        found = _sources(layout, change, width, len(old))
        assert [NEW if place == NEW else old[place] for place in found] == expected


def test_more_room_is_never_more_than_may_be() -> None:
    rng = random.Random(32)
    for _ in range(300):
        layout = some_layout(rng)
        places = [n for n in range(len(layout.lengths)) if rng.random() < 0.6]
        most = [size + rng.randrange(5) for size in layout.lengths]
        change = longer(layout, places, most)
        wanted = [n for n in places if most[n] > layout.lengths[n]]
        if change is None:
            assert wanted == []
            continue
        for place, (size, new) in enumerate(zip(layout.lengths, change.lengths, strict=True)):
            assert size + (place in wanted) <= new <= max(size, most[place])


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("He left. [] She stayed.", True),
        ("He left.\n[]\nShe stayed.", True),
        ("He left. []", True),
        ('"Go!" [] "Why?" she said.', True),
        ("\u5df2\u7d93\u8d70\u4e86\u3002[]", True),
        ("He left [] She stayed.", False),
        ("He left. [] and she stayed.", False),
        ("[] She stayed.", False),
        ("x = [] # no", False),
        ("He has 3.[] euros", False),
    ],
)
def test_where_a_sentence_is_missing(marked: str, expected: bool) -> None:
    before, after = marked.split("[]")
    assert is_sentence(before, after) is expected
    assert stops_short("He was sad", before, after) is expected
    assert not stops_short("He was sad.", before, after)


def test_a_missing_sentence_is_about_as_long_as_its_neighbours() -> None:
    tokenizer = Tokenizer.load(Path(DEMO))
    sentence = "Mara has a red boat and likes it. "
    size = len(tokenizer.encode(" " + sentence.strip()))
    for count in (1, 3, 20):
        found = sentence_lengths(tokenizer, sentence * count, sentence * count, 40)
        assert found is not None
        assert found[0] < size < found[1]
        assert sentence_lengths(tokenizer, sentence * count, "and so on", 40) is None
    assert sentence_lengths(tokenizer, sentence, "", 6) == (min(round(0.6 * size), 6), 6)


@pytest.mark.parametrize("marked", STORY)
def test_the_demo_model_puts_a_sentence_where_one_is_missing(demo: Pipeline, marked: str) -> None:
    text, span = opened(marked)
    best = of(run(demo, ask(text, span)), Proposal)[0]
    assert is_finished(best.texts[0])
    assert len(best.texts[0].split()) >= 3


def test_a_gap_that_breaks_off_gets_more_room(
    demo: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun with too few tokens for a sentence."""
    monkeypatch.setattr(infill, "combinations", lambda scores, count: [(3,)] * count)
    finished = 0
    for marked in STORY:
        text, span = opened(marked)
        events = run(demo, ask(text, span, alternatives=4))
        for proposal in of(events, Proposal):
            if proposal.candidate < infill.GROWN:
                assert proposal.tokens[0] <= 3  # a repaired seam may have cost some
                continue
            assert proposal.tokens == (5,)
            finished += is_finished(proposal.texts[0])
            last = [d for d in of(events, Draft) if d.candidate == proposal.candidate][-1]
            assert "".join(last.pieces) == proposal.texts[0]
    assert finished


def test_equal_edits_grow_alike(demo: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infill, "combinations", lambda scores, count: [(3,)] * count)
    text, span = opened(STORY[0])
    torch.manual_seed(1)
    first = of(run(demo, ask(text, span)), Proposal)
    torch.manual_seed(2)
    assert [p.texts for p in of(run(demo, ask(text, span)), Proposal)] == [p.texts for p in first]
