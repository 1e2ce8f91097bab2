"""Faults at random operators of random requests through the real service, and what each must lead to."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

from engine.lane import Client
from engine.messages import (
    TERMINAL,
    ChatRequest,
    Committed,
    Draft,
    EditKind,
    EditRequest,
    ErrorKind,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    LoadRequest,
    Proposal,
    Ready,
    Role,
    Sampling,
    Span,
    Turn,
)
from engine.pipeline import Pipeline, load_pipeline
from engine.service import EngineService
from tests.engine.injection import FAULTS, Fault, FaultyPipeline, Injector, Kind
from tests.engine.text import gemma_like
from tests.engine.tiny import cases, random_reference, save
from tests.fakes import PATIENCE

DEMO = Path(__file__).parents[2] / "assets" / "demo_model"
QUICK = Sampling(max_denoising_steps=2, stop_ids=())


def says(text: str, *, canvases: int, steps: int) -> ChatRequest:
    return ChatRequest(
        turns=(Turn.of(Role.USER, text),),
        sampling=replace(QUICK, max_denoising_steps=steps),
        seed=7,
        max_new_tokens=16 * canvases,
    )


REQUESTS: tuple[GenerationRequest, ...] = (
    says("Hello", canvases=1, steps=2),
    says("Hello there", canvases=2, steps=1),
    EditRequest(
        text="The fox",
        spans=(Span(start=4, end=7, length_hint=2),),
        kind=EditKind.INFILL,
        seed=7,
        sampling=replace(QUICK, max_denoising_steps=1),
    ),
)


def make(folder: Path) -> Path:
    """A tiny random model with all its files."""
    gemma_like.build(folder)
    shutil.copy(DEMO / "chat_template.jinja", folder)
    case = replace(cases(8)[1], experts=2, top_k=1, sliding_layers=1)
    config = case.config(vocab_size=700)
    config.text_config.num_hidden_layers = 2
    config.text_config.layer_types = ["sliding_attention", "full_attention"]
    return save(random_reference(config, 3), folder)


def fresh(folder: Path) -> Pipeline:
    request = LoadRequest(model=str(folder), device="cpu", max_context=256)
    return load_pipeline(request, lambda what, done, total: None, lambda: False)


def with_empty_cache(pipeline: Pipeline) -> Pipeline:
    loaded = pipeline.loaded
    return Pipeline(replace(loaded, cache=loaded.model.new_cache(loaded.context)), "tiny")


def told(events: list[Event]) -> list[object]:
    """What a request said, without its number and its seconds."""
    parts: list[object] = []
    for event in events:
        match event:
            case Draft():
                parts.append((event.canvas, event.step, event.pieces, event.states))
            case Committed():
                parts.append((event.canvas, event.channel, event.text))
            case Proposal():
                parts.append((event.texts, event.score))
            case Finished():
                parts.append(event.reason)
    return parts


class Session:
    """The real service around one pipeline whose operators can be made to fail."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.faulty = FaultyPipeline(pipeline)
        self.service = EngineService(self.faulty.load, lambda request, report, cancelled: {})
        self.client: Client = self.service.connect(lambda: None)
        self.service.start()
        assert isinstance(self.ask(LoadRequest(model="tiny"))[-1], Ready)

    def ask(self, request: LoadRequest | GenerationRequest, injector: Injector | None = None):
        """The events of one request, and nothing else in the queue behind them."""
        self.faulty.injector = injector
        number = self.client.submit(request)
        events: list[Event] = []
        while not (events and isinstance(events[-1], TERMINAL)):
            events.append(self.client.events.get(timeout=PATIENCE))
        assert {event.request_id for event in events} == {number}
        assert self.client.events.empty()
        return events


def campaign(folder: Path, count: int, seed: int) -> Counter[str]:
    """`count` faults at random operators of random requests. Asserts what each must lead to."""
    draw, pipeline = random.Random(seed), fresh(folder)
    expected, lengths = [], []
    for request in REQUESTS:
        counter, fresh_session = Injector(), Session(with_empty_cache(pipeline))
        expected.append(told(fresh_session.ask(request, counter)))
        lengths.append(counter.count)
        assert fresh_session.service.stop(PATIENCE)
    session, ends = Session(with_empty_cache(pipeline)), Counter[str]()
    while ends.total() < count:
        which, fault = draw.choice((0, 0, 1, 2)), draw.choice(FAULTS)
        once = draw.random() < 0.7
        injector = Injector(draw.randrange(lengths[which]), fault, once)
        events = session.ask(REQUESTS[which], injector)
        if not injector.has_struck:  # there were fewer operators, or this one computes no numbers
            assert told(events) == expected[which]
            continue
        end = check_end(events, fault, once)
        ends[f"{fault.kind.value}: {end}"] += 1
        if end == ErrorKind.ENGINE_LOST.value:
            session = check_lost(session, pipeline)
        after = draw.randrange(len(REQUESTS))
        assert told(session.ask(REQUESTS[after])) == expected[after]
    assert session.service.stop(PATIENCE)
    return ends


def check_end(events: list[Event], fault: Fault, once: bool) -> str:
    """How a request that was struck has ended, and whether it may end so."""
    end = events[-1]
    if isinstance(end, Finished):
        # A second try has worked, or what was no number was never looked at.
        assert (fault.kind is Kind.OUT_OF_MEMORY and once) or fault.kind is Kind.NAN
        return "finished"
    assert isinstance(end, Failed)
    error = end.error
    assert error.message.endswith(".")
    assert error.remedy.endswith(".")
    assert "CUDA" not in error.message + error.remedy
    allowed = {
        Kind.OUT_OF_MEMORY: {ErrorKind.OUT_OF_MEMORY},
        Kind.FAILS: {ErrorKind.INTERNAL} if once else {ErrorKind.INTERNAL, ErrorKind.ENGINE_LOST},
        Kind.LOST: {ErrorKind.ENGINE_LOST},
        Kind.NAN: {ErrorKind.MODEL_BROKEN, ErrorKind.INTERNAL, ErrorKind.NO_RESULT},
    }
    assert error.kind in allowed[fault.kind], error
    return error.kind.value


def check_lost(session: Session, pipeline: Pipeline) -> Session:
    """Nothing is computed any more and everybody is told why. A new session, as a new process."""
    for request in (REQUESTS[0], LoadRequest(model="tiny")):
        counter = Injector()
        (end,) = session.ask(request, counter)
        assert end.error.kind is ErrorKind.ENGINE_LOST
        assert counter.count == 0
    assert session.service.stop(PATIENCE)
    return Session(with_empty_cache(pipeline))
