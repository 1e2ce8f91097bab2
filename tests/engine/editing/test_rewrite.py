"""Rewriting and proofreading: what is taken apart is put together again, and nothing else moves."""

from __future__ import annotations

import random

import pytest

from engine.editing.edit import edit
from engine.editing.job import Job
from engine.editing.rewrite import split_parts
from engine.editing.spelling import distance, near_ids
from engine.editing.switches import Switches
from engine.messages import (
    CheckKind,
    Draft,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Proposal,
    Recording,
    Sampling,
    Span,
    TokenState,
)
from engine.pipeline import Pipeline
from engine.recording import Recorder
from engine.run import Run
from tests.engine.editing import fuzz

RIGHT = "Paul takes the green map and paints the map."
WRONG = "Paul taeks the geren map and paints the map."


def ask(text: str, kind: EditKind, span: Span | None = None, **options) -> EditRequest:
    span = span or Span(start=0, end=len(text))
    return EditRequest(text=text, spans=(span,), kind=kind, **({"seed": 3} | options))


def run(pipeline: Pipeline, request: EditRequest) -> list:
    return list(edit(pipeline.loaded, 1, request, lambda: False))


def proposals(pipeline: Pipeline, request: EditRequest) -> list[Proposal]:
    return [event for event in run(pipeline, request) if isinstance(event, Proposal)]


def job(pipeline: Pipeline) -> Job:
    return Job(
        loaded=pipeline.loaded,
        request_id=1,
        request=ask("x", EditKind.REWRITE),
        switches=Switches(),
        run=Run(seed=1, prompt_tokens=0),
        recorder=Recorder(1, pipeline.loaded.tokenizer, ()),
        cancelled=lambda: False,
    )


def test_a_selection_in_parts_is_the_selection(demo: Pipeline) -> None:
    rng = random.Random(6)
    here = job(demo)
    tokenizer = demo.loaded.tokenizer
    most = demo.loaded.model.config.canvas_length * 5 // 8
    for _ in range(200):
        text = fuzz.document(rng, 120)
        parts = split_parts(here, text)
        assert "".join(parts) == text
        assert all(len(tokenizer.encode(part)) <= most for part in parts if len(part) > 1)
    sentences = split_parts(here, "Mara has a red boat. " * 60)
    assert len(sentences) > 1
    assert all(part.endswith(". ") for part in sentences)


def test_the_demo_model_rewrites_and_keeps_what_is_around(demo: Pipeline) -> None:
    text = "  Mara has a red boat.\n"
    request = ask(
        f"Before. {text}After.",
        EditKind.REWRITE,
        Span(start=8, end=8 + len(text)),
        instruction="Put this into the past tense",
        alternatives=2,
    )
    events = run(demo, request)
    found = [event for event in events if isinstance(event, Proposal)]
    for proposal in found:
        new = proposal.texts[0]
        assert new != text
        assert new.startswith("  ")
        assert new.endswith("\n")
        assert new.strip()
    drafts = [event for event in events if isinstance(event, Draft)]
    assert {draft.candidate for draft in drafts} == {0, 1}
    assert "".join(drafts[-1].pieces).strip() in {p.texts[0].strip() for p in found}
    assert sum(isinstance(event, Recording) for event in events) == 1


@pytest.mark.parametrize(
    ("text", "instruction", "words"),
    [("", "Shorter", "Nothing"), (" \n ", "Shorter", "Nothing"), ("Mara sings.", " ", "Say what")],
)
def test_nothing_to_rewrite(demo: Pipeline, text: str, instruction: str, words: str) -> None:
    with pytest.raises(EngineFault) as fault:
        run(demo, ask(text, EditKind.REWRITE, instruction=instruction))
    assert fault.value.error.kind is ErrorKind.BAD_REQUEST
    assert words in fault.value.error.message


@pytest.mark.parametrize("kind", [EditKind.REWRITE, EditKind.PROOFREAD])
def test_a_selection_of_a_million_characters_is_refused_in_words(
    demo: Pipeline, kind: EditKind
) -> None:
    request = ask("Mara has a red boat. " * 50_000, kind, instruction="Shorter")
    with pytest.raises(EngineFault, match="too long") as fault:
        run(demo, request)
    assert fault.value.error.kind is ErrorKind.BAD_REQUEST


def test_two_selections_are_refused(demo: Pipeline) -> None:
    request = EditRequest(
        text="one two",
        spans=(Span(start=0, end=3), Span(start=4, end=7)),
        kind=EditKind.REWRITE,
        instruction="Shorter",
    )
    with pytest.raises(EngineFault, match="One selection"):
        run(demo, request)


def test_protected_words_are_kept_or_nothing_is_proposed(demo: Pipeline) -> None:
    text = "Hey Mara, can you send me the lamp? Call 4711."
    for seed in range(2):
        request = ask(
            text,
            EditKind.REWRITE,
            instruction="Make this more formal",
            seed=seed,
            alternatives=3,
            protected=((4, 8), (text.index("4711"), len(text) - 1)),
        )
        try:
            found = proposals(demo, request)
        except EngineFault:
            continue
        assert all("Mara" in each.texts[0] and "4711" in each.texts[0] for each in found)


def test_proofreading_opens_the_wrong_words_only(demo: Pipeline) -> None:
    events = run(demo, ask(WRONG, EditKind.PROOFREAD))
    (found,) = [event for event in events if isinstance(event, Proposal)]
    assert found.texts == (RIGHT,)
    drafts = [event for event in events if isinstance(event, Draft)]
    for draft in drafts:
        free = [i for i, state in enumerate(draft.states) if state != TokenState.PINNED]
        assert len(free) == 2
        pinned = [draft.pieces[i] for i in range(len(draft.pieces)) if i not in free]
        assert "".join(pinned) == "Paul the map and paints the map."
    assert "".join(drafts[-1].pieces) == RIGHT


def test_proofreading_leaves_right_text_alone_and_says_so(demo: Pipeline) -> None:
    (found,) = proposals(demo, ask(RIGHT, EditKind.PROOFREAD))
    assert found.texts == (RIGHT,)
    assert [check.kind for check in found.checks] == [CheckKind.UNCHANGED]


def test_proofreading_keeps_protected_words(demo: Pipeline) -> None:
    start = WRONG.index("taeks")
    request = ask(WRONG, EditKind.PROOFREAD, protected=((start, start + 5),))
    (found,) = proposals(demo, request)
    assert found.texts == (RIGHT.replace("takes", "taeks"),)


def test_spelling_distance_against_a_plain_recursion() -> None:
    """Optimal string alignment by its definition."""
    rng = random.Random(1)

    def plain(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        best = min(
            plain(a[:-1], b) + 1, plain(a, b[:-1]) + 1, plain(a[:-1], b[:-1]) + (a[-1] != b[-1])
        )
        if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
            best = min(best, plain(a[:-2], b[:-2]) + 1)
        return best

    for _ in range(150):
        a, b = ("".join(rng.choice("abc") for _ in range(rng.randrange(6))) for _ in range(2))
        assert distance(a, b, 9) == plain(a, b)
        assert (distance(a, b, 1) <= 1) == (plain(a, b) <= 1)


def test_near_words_keep_their_case_and_their_blank(demo: Pipeline) -> None:
    tokenizer = demo.loaded.tokenizer
    texts = {tokenizer.decode([token]) for token in near_ids(tokenizer, "geren", " ")}
    assert " green" in texts
    assert all(text.startswith(" ") and text[1].islower() for text in texts)
    assert near_ids(tokenizer, "qqqqqqqqqq", " ") == []


def test_a_random_model_rewrites_nothing_or_something_sound(random_model: Pipeline) -> None:
    for seed in range(4):
        request = ask(
            "The quick brown fox.",
            EditKind.REWRITE,
            instruction="Shorter",
            seed=seed,
            sampling=Sampling(max_denoising_steps=2),
        )
        try:
            found = proposals(random_model, request)
        except EngineFault as fault:
            kinds = fault.error.kind
        else:
            kinds = None
            assert all(each.texts[0].strip() for each in found)
        assert kinds in (None, ErrorKind.NO_RESULT)
