"""Requests on their way to a worker: who sent them, in which order they are served, how they end.

A lane holds what waits for one worker thread. Clients take fair turns, and each client's own
requests stay in order. A ticket delivers the events of one request, the terminal one exactly once.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from engine.messages import (
    TERMINAL,
    ChatRequest,
    EditRequest,
    EngineError,
    ErrorKind,
    Event,
    Failed,
    Finished,
    FinishReason,
    JobFailed,
    JobRequest,
    LoadFailed,
    LoadRequest,
    Request,
    UnloadRequest,
    Usage,
)

log = logging.getLogger(__name__)

CANCELLED = EngineError(
    kind=ErrorKind.CANCELLED,
    message="This was cancelled.",
    remedy="Start it again when you need it.",
)


class Client:
    """One user of the service. `events` receives the events of its own requests, in order."""

    def __init__(
        self,
        submit: Callable[[Client, Request], int],
        cancel: Callable[[Client, int], None],
        wake: Callable[[], None],
    ) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._submit = submit
        self._cancel = cancel
        self._wake = wake

    def submit(self, request: Request) -> int:
        """Queues a request and returns its id. Never blocks, never raises for a stopped service."""
        return self._submit(self, request)

    def cancel(self, request_id: int) -> None:
        """Ends a request at once if it waits, else as soon as the engine looks. Idempotent."""
        self._cancel(self, request_id)

    def deliver(self, event: Event) -> None:
        """Puts an event into the client's queue and rings its doorbell. Called by the service."""
        self.events.put(event)
        try:
            self._wake()
        except Exception:
            log.exception("a client's doorbell failed")


@dataclass(eq=False, kw_only=True)
class Ticket:
    """A request on its way. After its terminal event nothing more is delivered."""

    request_id: int
    request: Request
    client: Client
    cancelled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    @property
    def ended(self) -> bool:
        return self._ended

    def post(self, event: Event) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = isinstance(event, TERMINAL)
            self.client.deliver(event)

    def fail(self, error: EngineError) -> None:
        self.post(_failure(self.request, self.request_id, error))

    def stop(self) -> None:
        """The terminal event of a request cancelled before it reached the model."""
        if isinstance(self.request, ChatRequest | EditRequest):
            self.post(
                Finished(request_id=self.request_id, reason=FinishReason.STOPPED, usage=_NO_USAGE)
            )
        else:
            self.fail(CANCELLED)


_NO_USAGE = Usage(
    seed=0,
    prompt_tokens=0,
    reused_tokens=0,
    new_tokens=0,
    canvases=0,
    denoising_steps=0,
    prefill_seconds=0.0,
    denoise_seconds=0.0,
    total_seconds=0.0,
)


def _failure(request: Request, request_id: int, error: EngineError) -> Event:
    match request:
        case LoadRequest():
            return LoadFailed(request_id=request_id, error=error)
        case JobRequest():
            return JobFailed(request_id=request_id, error=error)
        case ChatRequest() | EditRequest() | UnloadRequest():
            return Failed(request_id=request_id, error=error)
        case _:
            assert_never(request)


class Lane:
    """Requests waiting for one worker. Clients take fair turns; each client's own stay in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Client, deque[Ticket]] = {}  # in the order in which clients are next
        self._running: Ticket | None = None
        self._closed = False

    def put(self, ticket: Ticket) -> bool:
        """False when the lane is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.setdefault(ticket.client, deque()).append(ticket)
            self._changed.notify()
            return True

    def take(self) -> Ticket | None:
        """Waits for the next ticket; None once the lane is closed. The last one taken is done."""
        with self._changed:
            self._running = None
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            client, tickets = next(iter(self._waiting.items()))
            del self._waiting[client]
            self._running = tickets.popleft()
            if tickets:
                self._waiting[client] = tickets  # behind all other clients
            return self._running

    def cancel(self, client: Client, request_id: int) -> Ticket | None:
        """Marks the ticket; returns it if it was still waiting and now never reaches the worker."""
        with self._changed:
            if (
                self._running is not None
                and self._running.client is client
                and self._running.request_id == request_id
            ):
                self._running.cancelled.set()
                return None
            tickets = self._waiting.get(client, deque())
            found = next((each for each in tickets if each.request_id == request_id), None)
            if found is not None:
                tickets.remove(found)
                if not tickets:
                    del self._waiting[client]
            return found

    def close(self) -> tuple[list[Ticket], Ticket | None]:
        """Takes nothing more. Returns the tickets that waited, and the running one, cancelled."""
        with self._changed:
            self._closed = True
            waiting = [ticket for tickets in self._waiting.values() for ticket in tickets]
            self._waiting.clear()
            if self._running is not None:
                self._running.cancelled.set()
            self._changed.notify_all()
            return waiting, self._running
