"""Requests through the real pipeline and the real service, on a small random model."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import DiffusionGemmaForBlockDiffusion

from engine.generate import generate
from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    Draft,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Event,
    Failed,
    Finished,
    FinishReason,
    ImagePart,
    LoadFailed,
    LoadRequest,
    Prefill,
    Proposal,
    Ready,
    Recording,
    Role,
    Sampling,
    Span,
    TextPart,
    TokenState,
    Turn,
)
from engine.model.network import Model
from engine.pipeline import Pipeline, load_pipeline
from engine.service import EngineService
from engine.text.channels import ChannelState, labels
from engine.text.prompt import chat_ids
from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer
from tests.engine.text import gemma_like
from tests.engine.tiny import Case, cases, random_reference, save

DEMO = Path(__file__).parents[2] / "assets" / "demo_model"
CASE: Case = cases(8)[1]
QUICK = Sampling(max_denoising_steps=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pipeline")
    gemma_like.build(made)
    shutil.copy(DEMO / "chat_template.jinja", made)
    return save(random_reference(CASE.config(vocab_size=700), 11), made)


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return load_pipeline(LoadRequest(model=str(folder)), silent, never)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A model whose canvas holds a whole document."""
    made = tmp_path_factory.mktemp("wide")
    gemma_like.build(made)
    shutil.copy(DEMO / "chat_template.jinja", made)
    save(random_reference(cases(8)[3].config(vocab_size=700), 12), made)
    return load_pipeline(LoadRequest(model=str(made)), silent, never)


def silent(what: str, done: int, total: int) -> None:
    pass


def never() -> bool:
    return False


def says(text: str, **options) -> ChatRequest:
    options = {"seed": 5, "sampling": QUICK, "max_new_tokens": 32} | options
    return ChatRequest(turns=(Turn.of(Role.USER, text),), **options)


def of(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def run(pipeline: Pipeline, request, cancelled=never) -> list[Event]:
    return list(pipeline.run(1, request, cancelled))


def test_through_the_service_every_draft_is_its_steps_argmax(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many decoder passes as reported steps, and nothing shown that was not computed."""
    argmaxes: list[list[int]] = []
    decode = Model.decode

    def spy(self: Model, canvas, cache, soft):
        hidden = decode(self, canvas, cache, soft)
        argmaxes.append(self.logits(hidden)[0].argmax(dim=-1).tolist())
        return hidden

    monkeypatch.setattr(Model, "decode", spy)
    service = EngineService(load_pipeline, lambda request, report, cancelled: {})
    client = service.connect(lambda: None)
    service.start()
    client.submit(LoadRequest(model=str(folder)))
    number = client.submit(says("Hello there"))
    events: list[Event] = []
    while not events or not isinstance(events[-1], Finished | Failed | LoadFailed):
        events.append(client.events.get(timeout=60))
    assert service.stop(20)

    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.request_id == number
    drafts = of(events, Draft)
    assert len(drafts) == len(argmaxes) == finished.usage.denoising_steps
    tokenizer = Tokenizer.load(folder)
    states = {0: ChannelState.begin(thinking=False)}
    for draft, ids in zip(drafts, argmaxes, strict=True):
        assert len(draft.states) == len(draft.confidence) == CASE.canvas
        found = labels(tokenizer, ids, states[draft.canvas])
        assert draft.pieces == found.pieces
        assert draft.channels == found.channels
        states[draft.canvas + 1] = found.state  # the last step of a canvas has the last word
    order = [type(event) for event in events if not isinstance(event, Prefill)]
    assert order.count(Ready) == 1
    assert order[-2:] == [Recording, Finished]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_through_the_service_the_text_is_transformers_own(folder: Path, seed: int) -> None:
    request = says("Hello there", seed=seed, thinking=True)
    service = EngineService(
        partial(load_pipeline, noise="reference"), lambda request, report, cancelled: {}
    )
    client = service.connect(lambda: None)
    service.start()
    client.submit(LoadRequest(model=str(folder), device="cpu"))
    client.submit(request)
    events: list[Event] = []
    while not events or not isinstance(events[-1], Finished | Failed | LoadFailed):
        events.append(client.events.get(timeout=60))
    assert service.stop(20)

    tokenizer, template = Tokenizer.load(folder), ChatTemplate.load(folder)
    prompt = torch.tensor(chat_ids(tokenizer, template, request.turns, thinking=True))
    reference = DiffusionGemmaForBlockDiffusion.from_pretrained(folder).eval()
    torch.manual_seed(seed)
    theirs = reference.generate(
        prompt[None],
        max_new_tokens=request.max_new_tokens,
        max_denoising_steps=QUICK.max_denoising_steps,
        eos_token_id=[1, 106, 50],
        pad_token_id=0,
    )
    new = theirs.sequences[0, len(prompt) :].tolist()
    end = next((at for at, token in enumerate(new) if token in (1, 106, 50)), len(new))
    expected = labels(tokenizer, new[:end], ChannelState.begin(thinking=True))
    for channel in Channel:
        committed = "".join(e.text for e in of(events, Committed) if e.channel == channel)
        assert committed == expected.text(channel)
    assert of(events, Finished)[0].usage.new_tokens == end


def test_committed_text_is_the_last_draft(pipeline: Pipeline) -> None:
    events = run(pipeline, says("Hello", thinking=True))
    for canvas in range(of(events, Finished)[0].usage.canvases):
        last = [draft for draft in of(events, Draft) if draft.canvas == canvas][-1]
        for channel in Channel:
            shown = "".join(
                piece
                for piece, place, state in zip(last.pieces, last.channels, last.states, strict=True)
                if place == channel and state != TokenState.BEYOND_END
            )
            committed = "".join(
                event.text
                for event in of(events, Committed)
                if event.canvas == canvas and event.channel == channel
            )
            assert committed == shown


def test_the_recording_replays_every_draft(pipeline: Pipeline) -> None:
    events = run(pipeline, says("Hello"))
    (recording,) = of(events, Recording)
    drafts = of(events, Draft)
    assert len(recording.frames) == len(drafts)
    for frame, draft in zip(recording.frames, drafts, strict=True):
        indices = struct.unpack(f"<{len(draft.pieces)}I", frame.indices)
        assert tuple(recording.pieces[index] for index in indices) == draft.pieces
        assert (frame.canvas, frame.step) == (draft.canvas, draft.step)
        assert (frame.confidence, frame.states) == (draft.confidence, draft.states)


def test_equal_seeds_give_equal_answers_and_prefixes_are_reused(pipeline: Pipeline) -> None:
    first = run(pipeline, says("Hello"))
    run(pipeline, says("Something else, of another length"))
    again = run(pipeline, says("Hello"))
    assert [d.pieces for d in of(first, Draft)] == [d.pieces for d in of(again, Draft)]
    other = run(pipeline, says("Hello", seed=6))
    assert [d.pieces for d in of(first, Draft)] != [d.pieces for d in of(other, Draft)]
    usage = of(other, Finished)[0].usage
    assert usage.reused_tokens == usage.prompt_tokens
    assert usage.seed == 6


def test_a_drawn_seed_is_reported_and_repeats_the_answer(pipeline: Pipeline) -> None:
    first = run(pipeline, says("Hello", seed=None))
    seed = of(first, Finished)[0].usage.seed
    again = run(pipeline, says("Hello", seed=seed))
    assert [d.pieces for d in of(first, Draft)] == [d.pieces for d in of(again, Draft)]


@pytest.mark.parametrize("stop_after", [0, 1, 3, 7])
def test_stop_keeps_what_has_settled(pipeline: Pipeline, stop_after: int) -> None:
    seen = 0

    def cancelled() -> bool:
        return seen >= stop_after

    events = []
    for event in pipeline.run(1, says("Hello"), cancelled):
        events.append(event)
        seen += isinstance(event, Draft)
    assert len(of(events, Draft)) == stop_after
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.STOPPED
    # Two canvases of five steps: the first is whole from its fifth step on.
    whole = [draft for draft in of(events, Draft) if draft.step == 5]
    committed = "".join(e.text for e in of(events, Committed) if e.canvas == 0)
    for draft in whole:
        assert committed == "".join(
            p for p, s in zip(draft.pieces, draft.states, strict=True) if s != TokenState.BEYOND_END
        )
    if of(events, Draft) and not whole:
        last = of(events, Draft)[-1]
        assert "".join(last.pieces).startswith(committed)


def test_the_end_states(pipeline: Pipeline) -> None:
    everything = tuple(range(700))
    ended = run(
        pipeline, says("Hello", sampling=Sampling(max_denoising_steps=3, stop_ids=everything))
    )
    assert of(ended, Finished)[0].reason is FinishReason.END
    assert of(ended, Finished)[0].usage.new_tokens == 0
    endless = Sampling(max_denoising_steps=1, stop_ids=())
    length = run(pipeline, says("Hello", sampling=endless))
    check_limit(length, FinishReason.LENGTH)
    assert of(length, Finished)[0].usage.canvases == 2
    check_limit(
        run(pipeline, says("Hello", sampling=endless, max_new_tokens=None)),
        FinishReason.CANVAS_EXHAUSTED,
    )
    check_limit(
        run(pipeline, says("word " * 180, sampling=endless, max_new_tokens=100_000)),
        FinishReason.CONTEXT_FULL,
    )


def check_limit(events: list[Event], reason: FinishReason) -> None:
    """A random model may have opened a thought; then that is what the limit cut off."""
    if of(events, Draft)[-1].channels[-1] == Channel.THOUGHT:
        reason = FinishReason.THOUGHT_EXHAUSTED
    assert of(events, Finished)[0].reason is reason


def test_an_answer_goes_on_behind_what_was_written(pipeline: Pipeline) -> None:
    """As if the model had written the earlier text itself: the loop below agrees."""
    loaded = pipeline.loaded
    for thought, text in (("", "Once upon"), ("A plan.", "Once"), ("A plan.", "")):
        request = says("Tell me", thought_so_far=thought, answer_so_far=text)
        prompt = chat_ids(loaded.tokenizer, loaded.template, request.turns, thinking=bool(thought))
        markup = loaded.tokenizer.special
        if thought:
            inside = loaded.tokenizer.encode(f"thought\n{thought}")
            prompt += [markup.channel_start, *inside, markup.channel_end]
        prompt += loaded.tokenizer.encode(text)
        events = run(pipeline, request)
        expected = generate(
            loaded.model, torch.tensor(prompt), max_new_tokens=32, seed=5, sampling=QUICK
        )
        found = labels(loaded.tokenizer, expected.token_ids, ChannelState.begin(thinking=False))
        committed = "".join(e.text for e in of(events, Committed) if e.channel is Channel.ANSWER)
        assert committed == found.text(Channel.ANSWER)
        assert of(events, Finished)[0].usage.prompt_tokens == len(prompt)


@pytest.mark.parametrize("budget", [1, 16, 17, 40])
def test_a_thought_ends_where_its_budget_does(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    """Here a thought of random words is open from the first token and never ends by itself."""
    inside = ChannelState(channel=Channel.THOUGHT)
    monkeypatch.setattr(ChannelState, "begin", staticmethod(lambda *, thinking: inside))
    endless = Sampling(max_denoising_steps=2, stop_ids=())
    request = says("Hi", sampling=endless, max_new_tokens=5 * CASE.canvas, thought_budget=budget)
    events = run(pipeline, request)
    last_thought = -(-budget // CASE.canvas) - 1  # the canvas in which the budget is used up
    for event in of(events, Committed):
        expected = Channel.THOUGHT if event.canvas <= last_thought else Channel.ANSWER
        assert event.channel is expected
    assert [draft.canvas for draft in of(events, Draft)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    finished = of(events, Finished)[0]
    assert finished.reason is FinishReason.LENGTH
    assert finished.usage.new_tokens == 5 * CASE.canvas
    unlimited = run(pipeline, replace(request, thought_budget=None))
    assert of(unlimited, Finished)[0].reason is FinishReason.THOUGHT_EXHAUSTED


def test_prompts_that_cannot_be_answered(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("", "   \n"):
        with pytest.raises(EngineFault) as fault:
            run(pipeline, says(text))
        assert fault.value.error.kind is ErrorKind.PROMPT_EMPTY
    with pytest.raises(EngineFault) as fault:
        run(pipeline, says("word " * 200_000))
    assert fault.value.error.kind is ErrorKind.PROMPT_TOO_LONG
    assert "tokens" in fault.value.error.message
    asked = pipeline.loaded.tokenizer.encode
    encoded: list[str] = []
    monkeypatch.setattr(
        Tokenizer, "encode", lambda _self, text: encoded.append(text) or asked(text)
    )
    for text in ("word " * 10_000_000, "\u6f22\u5b57" * 10_000_000):
        with pytest.raises(EngineFault) as fault:
            run(pipeline, says(text))
        assert fault.value.error.kind is ErrorKind.PROMPT_TOO_LONG
    assert not encoded  # fifty megabytes are refused unread
    # And the next one works.
    assert isinstance(run(pipeline, says("Hello"))[-1], Finished)


def test_images_are_refused_instead_of_ignored(pipeline: Pipeline) -> None:
    parts = (ImagePart(data=b"\x89PNG"), TextPart(text="What is this?"))
    with pytest.raises(EngineFault) as fault:
        run(pipeline, ChatRequest(turns=(Turn(role=Role.USER, parts=parts),)))
    assert "images" in fault.value.error.message


@pytest.mark.parametrize(
    "text",
    [
        "\ud83d lone",
        "\udc00\ud800",
        "\u202etxet lanigiro\u202c",
        "zero\u200bwidth\u2060joiner\ufeff",
        "\x00\x01\x1f",
        "<|turn>model\n<turn|>",
        "\U0010ffff",
    ],
)
def test_strange_prompts_are_answered(pipeline: Pipeline, text: str) -> None:
    events = run(pipeline, says(text))
    assert isinstance(events[-1], Finished)
    for event in of(events, Committed):
        event.text.encode("utf-8")


def test_an_edit_through_the_pipeline_shows_its_spans_and_proposes(wide: Pipeline) -> None:
    text = "The  quick brown fox\n"
    spans = (Span(start=11, end=16, length_hint=3), Span(start=4, end=4, length_hint=2))
    request = EditRequest(
        text=text, spans=spans, kind=EditKind.INFILL, alternatives=3, seed=1, sampling=QUICK
    )
    events = run(wide, request)
    proposals = of(events, Proposal)
    assert len({proposal.texts for proposal in proposals}) == 3
    scores = [proposal.score for proposal in proposals]
    assert scores == sorted(scores, reverse=True)
    drafts = of(events, Draft)
    assert {draft.candidate for draft in drafts} >= {0, 1, 2}
    for proposal in proposals:
        for index, span in enumerate(spans):
            own = [d for d in drafts if (d.span, d.candidate) == (index, proposal.candidate)]
            assert "".join(own[-1].pieces) == proposal.texts[index]
            assert len(own[-1].pieces) == span.length_hint == proposal.tokens[index]
            assert set(own[-1].states) == {TokenState.SETTLED}
    (recording,) = of(events, Recording)
    replayed = [
        (frame.span, frame.candidate, frame.canvas, frame.step) for frame in recording.frames
    ]
    assert replayed == [(d.span, d.candidate, d.canvas, d.step) for d in drafts]


def test_infill_that_cannot_work_says_why(pipeline: Pipeline) -> None:
    def refusal(text: str, *spans: Span) -> str:
        request = EditRequest(text=text, spans=spans, kind=EditKind.INFILL)
        with pytest.raises(EngineFault) as fault:
            run(pipeline, request)
        assert fault.value.error.kind is ErrorKind.BAD_REQUEST
        return fault.value.error.message

    assert "length" in refusal("word", Span(start=0, end=0, length_hint=0))
    assert "no gap" in refusal("word")
    both = (Span(start=0, end=3, length_hint=1), Span(start=2, end=4, length_hint=1))
    assert "overlap" in refusal("words", *both)
    assert "outside" in refusal("word", Span(start=2, end=9, length_hint=1))


def test_an_exception_in_mid_generation_leaves_the_engine_usable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(load_pipeline(LoadRequest(model=str(folder)), silent, never), says("Hello"))
    service = EngineService(load_pipeline, lambda request, report, cancelled: {})
    client = service.connect(lambda: None)
    service.start()
    client.submit(LoadRequest(model=str(folder)))
    decode, calls = Model.decode, iter(range(1000))

    def fails_once(self: Model, canvas, cache, soft):
        if next(calls) == 3:
            raise RuntimeError("a kernel failed")
        return decode(self, canvas, cache, soft)

    monkeypatch.setattr(Model, "decode", fails_once)
    failing, working = client.submit(says("Hello")), client.submit(says("Hello"))
    events: list[Event] = []
    while not events or not isinstance(events[-1], Finished):
        events.append(client.events.get(timeout=60))
    assert service.stop(20)
    (failed,) = of(events, Failed)
    assert failed.request_id == failing
    assert failed.error.kind is ErrorKind.INTERNAL
    assert "kernel" not in failed.error.message
    after = [d.pieces for d in of(events, Draft) if d.request_id == working]
    assert after == [d.pieces for d in of(expected, Draft)]
