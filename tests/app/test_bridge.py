"""Events reach the GUI thread in order; only drafts that were replaced are left out."""

from __future__ import annotations

import random
import threading

import pytest

from app.bridge import EngineBridge, latest_drafts
from engine.messages import (
    ChatRequest,
    Committed,
    Draft,
    Failed,
    Finished,
    FinishReason,
    LoadRequest,
    Prefill,
    Recording,
    Role,
    Turn,
)
from engine.service import EngineService
from tests.fakes import PATIENCE, FakePipeline, Gate, answering, draft, ending, no_jobs

CHAT = ChatRequest(turns=(Turn.of(Role.USER, "hi"),))


@pytest.fixture
def connect(qapp):
    bridges = []

    def connect_one(pipeline: FakePipeline):
        bridge = EngineBridge(EngineService(pipeline.load, no_jobs))
        bridges.append(bridge)
        received = []
        bridge.event_received.connect(received.append)
        bridge.submit(LoadRequest(model="test"))
        return bridge, received

    yield connect_one
    ended = [bridge.shutdown() for bridge in bridges]
    assert all(ended)


def ends(received, request_id):
    return any(
        isinstance(event, Finished | Failed) and event.request_id == request_id
        for event in received
    )


def test_events_arrive_on_the_gui_thread_in_order(qtbot, connect):
    bridge, received = connect(FakePipeline(answering("one two", steps=2)))
    threads = []
    bridge.event_received.connect(lambda _event: threads.append(threading.current_thread()))
    request = bridge.submit(CHAT)
    qtbot.waitUntil(lambda: ends(received, request))
    own = [type(event) for event in received if event.request_id == request]
    assert own[0] is Prefill
    assert own[-3:] == [Committed, Recording, Finished]
    assert set(threads) == {threading.main_thread()}


def test_a_busy_window_sees_the_last_draft_only_and_everything_else(qtbot, connect):
    done = threading.Event()

    def script(request_id, request, cancelled):
        try:
            for canvas in range(3):
                for step in range(1, 50):
                    yield draft(request_id, ("x",), canvas=canvas, step=step)
                yield from list(ending(request_id, f"text {canvas}", FinishReason.END))[:2]
            yield from list(ending(request_id, "", FinishReason.END))[1:]
        finally:
            done.set()

    bridge, received = connect(FakePipeline(script))
    request = bridge.submit(CHAT)
    assert done.wait(PATIENCE)  # the window's thread stood still all the while
    qtbot.waitUntil(lambda: ends(received, request))
    own = [event for event in received if event.request_id == request]
    drafts = [event for event in own if isinstance(event, Draft)]
    assert [(each.canvas, each.step) for each in drafts] == [(0, 49), (1, 49), (2, 49)]
    assert [each.text for each in own if isinstance(each, Committed)] == [
        "text 0", "text 1", "text 2",
    ]  # fmt: skip
    assert sum(isinstance(each, Recording) for each in own) == 3


def test_coalescing_keeps_the_newest_of_each_span_and_candidate():
    drafts = [
        draft(1, ("a",), step=1),
        draft(1, ("b",), step=1, span=1),
        draft(1, ("c",), step=2),
        draft(2, ("d",), step=1),
        draft(1, ("e",), step=1, candidate=1),
        draft(1, ("f",), step=2, span=1),
    ]
    assert [each.pieces[0] for each in latest_drafts(drafts)] == ["c", "d", "e", "f"]


def test_coalescing_never_reorders_and_never_drops_anything_else():
    chooser = random.Random(7)
    for _ in range(200):
        events = [
            draft(chooser.randrange(2), ("x",), step=i)
            if chooser.random() < 0.7
            else Committed(request_id=chooser.randrange(2), canvas=0, channel=1, text=str(i))
            for i in range(30)
        ]
        kept = latest_drafts(events)
        assert [e for e in events if e in kept] == kept
        assert [e for e in kept if not isinstance(e, Draft)] == [
            e for e in events if not isinstance(e, Draft)
        ]
        for request in (0, 1):  # the last draft of all is always seen
            own = [e for e in events if isinstance(e, Draft) and e.request_id == request]
            assert not own or own[-1] in kept


def test_shutdown_passes_on_the_last_events_and_then_is_silent(qtbot, connect):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield draft(request_id, ("kept",))
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "kept", FinishReason.STOPPED)

    bridge, received = connect(FakePipeline(script))
    request = bridge.submit(CHAT)
    gate.wait_reached()
    assert bridge.shutdown()
    assert ends(received, request)
    assert any(isinstance(event, Committed) for event in received)
    count = len(received)
    late = bridge.submit(CHAT)
    qtbot.waitUntil(lambda: ends(received, late))
    assert len(received) == count + 1
