"""The guarantees of the service, with real threads: order, one last event, fairness, shutdown."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from engine.lane import Client
from engine.messages import (
    TERMINAL,
    ChatRequest,
    Committed,
    Deleted,
    Draft,
    EngineFault,
    ErrorKind,
    Event,
    Failed,
    Finished,
    FinishReason,
    JobDone,
    JobFailed,
    JobKind,
    JobProgress,
    JobRequest,
    LoadFailed,
    Loading,
    LoadRequest,
    Prefill,
    Ready,
    Recording,
    Role,
    Turn,
    Unloaded,
    UnloadRequest,
)
from engine.service import EngineService
from tests.fakes import PATIENCE, FakePipeline, Gate, answering, draft, ending, no_jobs, of_type

LOAD = LoadRequest(model="test")


def chat(text: str) -> ChatRequest:
    return ChatRequest(turns=(Turn.of(Role.USER, text),))


def until_end(client: Client, *request_ids: int) -> dict[int, list[Event]]:
    """The events of the requests up to their last ones, as they came."""
    events: dict[int, list[Event]] = {each: [] for each in request_ids}
    open_requests = set(request_ids)
    while open_requests:
        event = client.events.get(timeout=PATIENCE)
        events.setdefault(event.request_id, []).append(event)
        if isinstance(event, TERMINAL):
            open_requests.discard(event.request_id)
    return events


def last_of(client: Client, request_id: int) -> Event:
    return until_end(client, request_id)[request_id][-1]


def rest(client: Client) -> list[Event]:
    """What else lies in the queue now."""
    events = []
    while not client.events.empty():
        events.append(client.events.get_nowait())
    return events


class Services:
    """Starts services and stops them all, with every thread joined."""

    def __init__(self) -> None:
        self.started: list[EngineService] = []

    def __call__(self, pipeline: FakePipeline | None = None, load=None, run_job=no_jobs):
        pipeline = pipeline or FakePipeline(answering("Hello there"))
        service = EngineService(load or pipeline.load, run_job)
        service.start()
        self.started.append(service)
        return service


@pytest.fixture
def serve() -> Iterator[Services]:
    services = Services()
    yield services
    stopped = [service.stop(PATIENCE) for service in services.started]
    assert all(stopped)
    alive = {thread.name for thread in threading.enumerate()}
    assert not alive & {"redraft-engine", "redraft-jobs"}


def nothing() -> None:
    """A client without a doorbell."""


def loaded(service: EngineService) -> Client:
    client = service.connect(nothing)
    assert isinstance(last_of(client, client.submit(LOAD)), Ready)
    return client


def test_an_answer_comes_in_order_and_ends_once(serve):
    client = loaded(serve(FakePipeline(answering("one two three four", steps=2))))
    request = client.submit(chat("hi"))
    events = until_end(client, request)[request]
    kinds = [type(event) for event in events]
    assert kinds == [Prefill, Draft, Draft, Committed, Recording, Finished]
    assert [event.step for event in of_type(events, Draft)] == [1, 2]
    assert rest(client) == []


def test_loading_reports_progress_then_ready(serve):
    client = serve().connect(nothing)
    request = client.submit(LOAD)
    events = until_end(client, request)[request]
    assert [type(event) for event in events] == [Loading, Loading, Ready]
    assert (events[1].done, events[1].total) == (2, 2)


def test_a_message_sent_before_the_model_is_ready_waits_for_it(serve):
    gate, pipeline = Gate(), FakePipeline(answering("late"))

    def load(request, report, cancelled):
        gate.pass_through()
        return pipeline

    client = serve(load=load).connect(nothing)
    load_id, chat_id = client.submit(LOAD), client.submit(chat("early"))
    gate.wait_reached()
    assert pipeline.seen == []
    gate.opened.set()
    events = until_end(client, load_id, chat_id)
    assert isinstance(events[load_id][-1], Ready)
    assert events[chat_id][-1].reason is FinishReason.END
    assert pipeline.seen == ["early"]


def test_without_a_model_a_request_fails_plainly(serve):
    client = serve().connect(nothing)
    event = last_of(client, client.submit(chat("hi")))
    assert isinstance(event, Failed)
    assert event.error.kind is ErrorKind.NOT_LOADED
    assert event.error.message
    assert event.error.remedy


def test_a_failed_load_fails_what_waits_and_says_why(serve):
    gate = Gate()

    def load(request, report, cancelled):
        gate.pass_through()
        raise EngineFault(ErrorKind.MODEL_MISSING, "There is no model in this folder.", "Choose.")

    client = serve(load=load).connect(nothing)
    load_id = client.submit(LOAD)
    waiting = [client.submit(chat("a")), client.submit(chat("b"))]
    gate.opened.set()
    events = until_end(client, load_id, *waiting)
    assert events[load_id] == [LoadFailed(request_id=load_id, error=events[load_id][0].error)]
    assert events[load_id][0].error.kind is ErrorKind.MODEL_MISSING
    for each in waiting:
        (event,) = events[each]
        assert isinstance(event, Failed)
        assert event.error.kind is ErrorKind.NOT_LOADED
        assert "There is no model in this folder." in event.error.message
        assert event.error.remedy == "Choose."
    assert rest(client) == []


def test_a_load_that_crashes_is_told_in_plain_words(serve):
    def load(request, report, cancelled):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    client = serve(load=load).connect(nothing)
    event = last_of(client, client.submit(LOAD))
    assert isinstance(event, LoadFailed)
    assert "mat1" not in event.error.message + event.error.remedy
    assert "mat1" in event.error.detail


def test_a_second_load_works_after_a_failed_one(serve):
    pipeline = FakePipeline(answering("fine"))

    def load(request, report, cancelled):
        if request.model == "bad":
            raise EngineFault(ErrorKind.MODEL_BROKEN, "Broken.", "Get it again.")
        return pipeline

    client = serve(load=load).connect(nothing)
    assert isinstance(last_of(client, client.submit(LoadRequest(model="bad"))), LoadFailed)
    assert isinstance(last_of(client, client.submit(LoadRequest(model="good"))), Ready)
    assert isinstance(last_of(client, client.submit(chat("hi"))), Finished)


def test_a_cancelled_load_ends_as_cancelled_and_leaves_nothing_loaded(serve):
    gate, pipeline = Gate(), FakePipeline(answering("never"))

    def load(request, report, cancelled):
        gate.until_cancelled(cancelled)
        return pipeline

    client = serve(load=load).connect(nothing)
    load_id = client.submit(LOAD)
    gate.wait_reached()
    client.cancel(load_id)
    event = last_of(client, load_id)
    assert isinstance(event, LoadFailed)
    assert event.error.kind is ErrorKind.CANCELLED
    assert pipeline.closed
    assert last_of(client, client.submit(chat("hi"))).error.kind is ErrorKind.NOT_LOADED


def test_a_load_that_raises_because_it_was_cancelled_is_no_fault(serve):
    gate = Gate()

    def load(request, report, cancelled):
        gate.until_cancelled(cancelled)
        raise EngineFault(ErrorKind.INTERNAL, "Stopped reading.", "None.")

    client = serve(load=load).connect(nothing)
    load_id = client.submit(LOAD)
    gate.wait_reached()
    client.cancel(load_id)
    assert last_of(client, load_id).error.kind is ErrorKind.CANCELLED


def test_loading_again_closes_the_old_model_first(serve):
    first, second = FakePipeline(answering("1")), FakePipeline(answering("2"))
    closed_at_load = []

    def load(request, report, cancelled):
        closed_at_load.append(first.closed)
        return first if request.model == "first" else second

    client = serve(load=load).connect(nothing)
    until_end(client, client.submit(LoadRequest(model="first")))
    until_end(client, client.submit(LoadRequest(model="second")))
    assert closed_at_load == [False, True]
    assert isinstance(last_of(client, client.submit(UnloadRequest())), Unloaded)
    assert second.closed
    assert last_of(client, client.submit(chat("hi"))).error.kind is ErrorKind.NOT_LOADED


def gated(gate: Gate):
    """An answer that waits at the gate after its first draft, until cancelled or let go."""

    def script(request_id, request, cancelled):
        yield draft(request_id, ("kept", " noise"))
        if "stop me" in request.turns[-1].parts[0].text:
            gate.until_cancelled(cancelled)
            yield from ending(request_id, "kept", FinishReason.STOPPED)
        else:
            yield from ending(request_id, "kept noise", FinishReason.END)

    return script


def test_cancel_keeps_what_has_settled(serve):
    gate = Gate()
    client = loaded(serve(FakePipeline(gated(gate))))
    request = client.submit(chat("stop me"))
    gate.wait_reached()
    client.cancel(request)
    client.cancel(request)
    events = until_end(client, request)[request]
    assert [type(event) for event in events] == [Draft, Committed, Recording, Finished]
    assert events[1].text == "kept"
    assert events[-1].reason is FinishReason.STOPPED


def test_a_request_cancelled_in_the_queue_ends_at_once_and_never_reaches_the_model(serve):
    gate = Gate()
    pipeline = FakePipeline(gated(gate))
    client = loaded(serve(pipeline))
    running = client.submit(chat("stop me"))
    gate.wait_reached()
    waiting, later = client.submit(chat("never")), client.submit(chat("later"))
    client.cancel(waiting)
    events = until_end(client, waiting)  # while the first one still runs: cancel overtakes
    assert [type(event) for event in events[waiting]] == [Finished]
    assert events[waiting][0].reason is FinishReason.STOPPED
    assert not of_type(events.get(running, []), Finished)
    client.cancel(running)
    until_end(client, running, later)
    assert pipeline.seen == ["stop me", "later"]


def test_a_client_cannot_cancel_what_is_not_its_own(serve):
    gate = Gate()
    service = serve(FakePipeline(gated(gate)))
    client, stranger = loaded(service), service.connect(nothing)
    running = client.submit(chat("stop me"))
    gate.wait_reached()
    waiting = client.submit(chat("hi"))
    for request in (running, waiting, 999):
        stranger.cancel(request)
    client.cancel(running)
    events = until_end(client, running, waiting)
    assert events[waiting][-1].reason is FinishReason.END
    assert rest(stranger) == []


def test_an_exception_in_mid_generation_fails_that_request_only(serve):
    def script(request_id, request, cancelled):
        yield draft(request_id, ("half",))
        if request.turns[-1].parts[0].text == "bad":
            raise RuntimeError("secret internals")
        yield from ending(request_id, "whole", FinishReason.END)

    client = loaded(serve(FakePipeline(script)))
    bad, good = client.submit(chat("bad")), client.submit(chat("good"))
    events = until_end(client, bad, good)
    assert [type(event) for event in events[bad]] == [Draft, Failed]
    error = events[bad][-1].error
    assert error.kind is ErrorKind.INTERNAL
    assert "secret" not in error.message + error.remedy
    assert "secret" in error.detail
    assert isinstance(events[good][-1], Finished)


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


class Panic(BaseException):
    """What a Rust library raises: not an Exception."""


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (EngineFault(ErrorKind.PROMPT_TOO_LONG, "Too long.", "Cut it."), ErrorKind.PROMPT_TOO_LONG),
        (MemoryError(), ErrorKind.OUT_OF_MEMORY),
        (OutOfMemoryError("CUDA out of memory"), ErrorKind.OUT_OF_MEMORY),
        (Panic("index out of bounds"), ErrorKind.INTERNAL),
    ],
    ids=["fault", "memory", "gpu-memory", "panic"],
)
def test_whatever_is_raised_becomes_the_last_event(serve, raised, kind):
    def script(request_id, request, cancelled):
        raise raised
        yield

    client = loaded(serve(FakePipeline(script)))
    for _ in range(2):  # the engine thread survived the first one
        event = last_of(client, client.submit(chat("hi")))
        assert isinstance(event, Failed)
        assert event.error.kind is kind


def test_a_stream_without_an_end_is_given_one(serve):
    def script(request_id, request, cancelled):
        yield draft(request_id, ("dangling",))

    client = loaded(serve(FakePipeline(script)))
    request = client.submit(chat("hi"))
    events = until_end(client, request)[request]
    assert [type(event) for event in events] == [Draft, Failed]
    assert events[-1].error.kind is ErrorKind.INTERNAL


def test_nothing_follows_the_last_event(serve):
    def script(request_id, request, cancelled):
        yield from ending(request_id, "done", FinishReason.END)
        yield draft(request_id, ("ghost",))
        yield from ending(request_id, "twice", FinishReason.END)

    client = loaded(serve(FakePipeline(script)))
    first, second = client.submit(chat("a")), client.submit(chat("b"))
    events = until_end(client, first, second)
    assert [type(event) for event in events[first]] == [Committed, Recording, Finished]
    assert rest(client) == []


def test_stop_in_mid_answer_ends_everything(serve):
    gate = Gate()
    pipeline = FakePipeline(gated(gate))
    service = serve(pipeline)
    client = loaded(service)
    running, waiting = client.submit(chat("stop me")), client.submit(chat("b"))
    gate.wait_reached()
    assert service.stop(PATIENCE)
    events = until_end(client, running, waiting)
    assert events[running][-1].reason is FinishReason.STOPPED
    assert events[running][-3].text == "kept"
    assert [type(event) for event in events[waiting]] == [Failed]
    assert events[waiting][0].error.kind is ErrorKind.SHUTDOWN
    assert pipeline.closed
    assert rest(client) == []


def test_stop_does_not_wait_for_a_stuck_step(serve):
    gate = Gate()

    def script(request_id, request, cancelled):
        gate.pass_through()  # looks at nothing, like a kernel that hangs
        yield from ending(request_id, "too late", FinishReason.END)

    service = serve(FakePipeline(script))
    client = loaded(service)
    running = client.submit(chat("hang"))
    gate.wait_reached()
    assert not service.stop(0.05)
    event = last_of(client, running)
    assert isinstance(event, Failed)
    assert event.error.kind is ErrorKind.SHUTDOWN
    gate.opened.set()
    assert service.stop(PATIENCE)
    assert rest(client) == []  # what the stuck step said later was dropped


def test_everything_submitted_after_stop_fails_at_once(serve):
    service = serve()
    client = loaded(service)
    service.stop(PATIENCE)
    requests = {
        client.submit(chat("hi")): Failed,
        client.submit(LOAD): LoadFailed,
        client.submit(JobRequest(kind=JobKind.DOCTOR)): JobFailed,
    }
    events = until_end(client, *requests)
    for request, kind in requests.items():
        (event,) = events[request]
        assert type(event) is kind
        assert event.error.kind is ErrorKind.SHUTDOWN


def test_stop_before_start_ends_what_waits():
    service = EngineService(FakePipeline(answering("x")).load, no_jobs)
    client = service.connect(nothing)
    request = client.submit(chat("hi"))
    assert service.stop(PATIENCE)
    assert last_of(client, request).error.kind is ErrorKind.SHUTDOWN


def test_two_clients_take_turns_and_get_their_own_events_only(serve):
    gate = Gate()

    def script(request_id, request, cancelled):
        if request.turns[-1].parts[0].text == "first":
            gate.pass_through()
        yield from ending(request_id, "ok", FinishReason.END)

    pipeline = FakePipeline(script)
    service = serve(pipeline)
    busy, quiet = loaded(service), service.connect(nothing)
    many = [busy.submit(chat("first"))]
    gate.wait_reached()
    many += [busy.submit(chat(f"busy {i}")) for i in range(4)]
    few = [quiet.submit(chat(f"quiet {i}")) for i in range(2)]
    gate.opened.set()
    busy_events, quiet_events = until_end(busy, *many), until_end(quiet, *few)
    assert pipeline.seen == [
        "first", "busy 0", "quiet 0", "busy 1", "quiet 1", "busy 2", "busy 3",
    ]  # fmt: skip
    assert set(busy_events) == set(many)
    assert set(quiet_events) == set(few)


def test_a_job_runs_beside_an_answer(serve):
    gate = Gate()

    def run_job(request, report, cancelled):
        report("Checking", 1, 4)
        return Deleted(path=request.model, freed=4)

    client = loaded(serve(FakePipeline(gated(gate)), run_job=run_job))
    running = client.submit(chat("stop me"))
    gate.wait_reached()
    job = client.submit(JobRequest(kind=JobKind.VERIFY, model="demo"))
    events = until_end(client, job)
    assert [type(event) for event in events[job]] == [JobProgress, JobDone]
    assert events[job][-1].result == Deleted(path="demo", freed=4)
    client.cancel(running)
    assert isinstance(last_of(client, running), Finished)


def test_a_job_fails_and_is_cancelled_like_anything_else(serve):
    gate = Gate()

    def run_job(request, report, cancelled):
        if request.model == "slow":
            gate.until_cancelled(cancelled)
            raise EngineFault(ErrorKind.INTERNAL, "Stopped.", "None.")
        raise RuntimeError("disk on fire")

    client = serve(run_job=run_job).connect(nothing)
    slow = client.submit(JobRequest(kind=JobKind.VERIFY, model="slow"))
    gate.wait_reached()
    queued = client.submit(JobRequest(kind=JobKind.VERIFY, model="queued"))
    client.cancel(queued)
    assert last_of(client, queued).error.kind is ErrorKind.CANCELLED
    client.cancel(slow)
    assert last_of(client, slow).error.kind is ErrorKind.CANCELLED
    failed = last_of(client, client.submit(JobRequest(kind=JobKind.DOCTOR)))
    assert isinstance(failed, JobFailed)
    assert failed.error.kind is ErrorKind.INTERNAL


def test_a_broken_doorbell_does_not_harm_the_engine(serve):
    service = serve()
    rings = []

    def broken() -> None:
        rings.append(1)
        raise RuntimeError("Internal C++ object already deleted")

    client = service.connect(broken)
    assert isinstance(last_of(client, client.submit(LOAD)), Ready)
    assert isinstance(last_of(client, client.submit(chat("hi"))), Finished)
    assert len(rings) > 5


def test_many_requests_cancelled_at_random_moments_each_end_once(serve):
    """A stress of the race between cancel and the worker: no request lost, none ended twice."""
    client = loaded(serve(FakePipeline(answering("a b c d", steps=4))))
    requests = []
    for i in range(300):
        requests.append(client.submit(chat(str(i))))
        if i % 2:
            client.cancel(requests[i // 2])
            client.cancel(requests[-1])
    events = until_end(client, *requests)
    assert all(sum(isinstance(e, TERMINAL) for e in events[r]) == 1 for r in requests)
    assert rest(client) == []
