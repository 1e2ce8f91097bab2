"""Serves requests to the model: clients in, events out, on threads of its own.

One engine thread loads, unloads and generates; job workers do slow file work beside it, so that a
look at what is here never waits for a download of hours. Each client gets the events of its own
requests, in order, and exactly one terminal event a request, whatever happens. What a model is, the
service does not know: it is handed two functions.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, assert_never

from engine.faults import LOST, error_of
from engine.lane import CANCELLED, Client, Lane, Ticket
from engine.messages import (
    ChatRequest,
    EditRequest,
    EngineError,
    EngineFault,
    ErrorKind,
    GenerationRequest,
    JobDone,
    JobKind,
    JobProgress,
    JobRequest,
    JobResult,
    Loading,
    LoadRequest,
    Ready,
    Request,
    RequestEvent,
    Unloaded,
    UnloadRequest,
)

log = logging.getLogger(__name__)

Report = Callable[[str, int, int], None]  # what, done, total
Cancelled = Callable[[], bool]


class Pipeline(Protocol):
    """A loaded model, as the service sees it."""

    def ready(self, request_id: int) -> Ready: ...

    def run(
        self, request_id: int, request: GenerationRequest, cancelled: Cancelled
    ) -> Iterator[RequestEvent]: ...

    def close(self) -> None: ...


class JobReport(Protocol):
    """What a job says of its progress; the fields are those of `JobProgress`."""

    def __call__(
        self,
        what: str,
        done: int,
        total: int,
        /,
        *,
        file: str = "",
        speed: float = 0.0,
        seconds_left: float | None = None,
        wait: float = 0.0,
    ) -> None: ...


Load = Callable[[LoadRequest, Report, Cancelled], Pipeline]
RunJob = Callable[[JobRequest, JobReport, Cancelled], JobResult]

_WORKERS = {
    "library": (JobKind.LIBRARY, JobKind.DELETE),
    "look-up": (JobKind.LOOK_UP,),
    "doctor": (JobKind.DOCTOR,),
    "download": (JobKind.DOWNLOAD,),
    "disk": (JobKind.PREPARE, JobKind.CHECK, JobKind.VERIFY, JobKind.MOVE),
}

SHUTDOWN = EngineError(
    kind=ErrorKind.SHUTDOWN,
    message="Redraft is closing.",
    remedy="Start Redraft again and send this once more.",
)
NOTHING_LOADED = EngineError(
    kind=ErrorKind.NOT_LOADED,
    message="No model is loaded yet.",
    remedy="Load a model, then send this again.",
)
_OWN_WORDS = (LOST.kind, ErrorKind.CANCELLED)  # a cancel does not hide these


class EngineService:
    """Owns the engine thread and the job workers. `start` once, `stop` once."""

    def __init__(self, load: Load, run_job: RunJob) -> None:
        self._load = load
        self._run_job = run_job
        self._ids = itertools.count(1)
        self._engine_lane = Lane()
        self._job_lanes = {name: Lane() for name in _WORKERS}
        self._pipeline: Pipeline | None = None  # belongs to the engine thread
        self._why_nothing = NOTHING_LOADED  # belongs to the engine thread
        self._lost: EngineError | None = None  # belongs to the engine thread
        # Daemons: a worker stuck inside a library must not keep a closed application alive.
        self._threads = (
            threading.Thread(target=self._engine_main, name="redraft-engine", daemon=True),
            *(
                threading.Thread(target=self._job_main, args=(lane,), name=name, daemon=True)
                for name, lane in self._job_lanes.items()
            ),
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def connect(self, wake: Callable[[], None]) -> Client:
        """A new client. `wake` is called, on any thread, after each event put into its queue."""
        return Client(self._submit, self._cancel, wake)

    def stop(self, timeout: float) -> bool:
        """Cancels what runs, fails what waits, and joins the workers for `timeout` seconds in all.

        Every request has had its terminal event when this returns. False if a worker is still
        stuck then; its later events are dropped.
        """
        deadline = time.monotonic() + timeout
        running = []
        for lane in self._lanes():
            waiting, current = lane.close()
            for ticket in waiting:
                ticket.fail(SHUTDOWN)
            if current is not None:
                running.append(current)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        for ticket in running:
            ticket.fail(SHUTDOWN)  # does nothing where it ended by itself
        return not any(thread.is_alive() for thread in self._threads)

    def _submit(self, client: Client, request: Request) -> int:
        ticket = Ticket(request_id=next(self._ids), request=request, client=client)
        lane = self._lane_of(request)
        if not lane.put(ticket):
            ticket.fail(SHUTDOWN)
        return ticket.request_id

    def _cancel(self, client: Client, request_id: int) -> None:
        for lane in self._lanes():
            waiting = lane.cancel(client, request_id)
            if waiting is not None:
                waiting.stop()

    def _lanes(self) -> tuple[Lane, ...]:
        return (self._engine_lane, *self._job_lanes.values())

    def _lane_of(self, request: Request) -> Lane:
        if not isinstance(request, JobRequest):
            return self._engine_lane
        return next(self._job_lanes[name] for name in _WORKERS if request.kind in _WORKERS[name])

    def _engine_main(self) -> None:
        while (ticket := self._engine_lane.take()) is not None:
            self._guard(ticket, self._serve)
        self._close_pipeline()

    def _job_main(self, lane: Lane) -> None:
        while (ticket := lane.take()) is not None:
            self._guard(ticket, self._serve_job)

    def _guard(self, ticket: Ticket, serve: Callable[[Ticket], None]) -> None:
        """Turns whatever `serve` raises into the one terminal event of the ticket."""
        if ticket.cancelled.is_set():
            ticket.stop()
            return
        try:
            serve(ticket)
        except EngineFault as fault:
            was_asked = ticket.cancelled.is_set() and fault.error.kind not in _OWN_WORDS
            self._fail(ticket, CANCELLED if was_asked else fault.error)
        except BaseException as error:  # also panics of Rust libraries, which are no Exception
            log.exception("request %d failed", ticket.request_id)
            self._fail(ticket, error_of(error))
        else:
            if not ticket.ended:
                log.error("request %d ended without a last event", ticket.request_id)
                self._fail(ticket, error_of(None))

    def _fail(self, ticket: Ticket, error: EngineError) -> None:
        if error.kind is LOST.kind and not isinstance(ticket.request, JobRequest):
            self._lost = error
        if isinstance(ticket.request, LoadRequest):
            self._why_nothing = EngineError(
                kind=ErrorKind.NOT_LOADED,
                message=f"The model could not be loaded. {error.message}",
                remedy=error.remedy,
                detail=error.detail,
            )
        ticket.fail(error)

    def _serve(self, ticket: Ticket) -> None:
        if self._lost is not None:  # nothing may touch the GPU any more
            ticket.fail(self._lost)
            return
        match ticket.request:
            case LoadRequest():
                self._serve_load(ticket, ticket.request)
            case UnloadRequest():
                self._close_pipeline()
                ticket.post(Unloaded(request_id=ticket.request_id))
            case ChatRequest() | EditRequest():
                self._serve_generation(ticket, ticket.request)
            case JobRequest():
                raise TypeError("a job does not belong into the engine's lane")
            case _:
                assert_never(ticket.request)

    def _serve_load(self, ticket: Ticket, request: LoadRequest) -> None:
        def report(what: str, done: int, total: int) -> None:
            ticket.post(Loading(request_id=ticket.request_id, what=what, done=done, total=total))

        self._close_pipeline()  # first, so that two models never share the memory
        pipeline = self._load(request, report, ticket.cancelled.is_set)
        if ticket.cancelled.is_set():
            pipeline.close()
            self._fail(ticket, CANCELLED)
            return
        self._pipeline = pipeline
        ticket.post(pipeline.ready(ticket.request_id))

    def _serve_generation(self, ticket: Ticket, request: GenerationRequest) -> None:
        if self._pipeline is None:
            ticket.fail(self._why_nothing)
            return
        for event in self._pipeline.run(ticket.request_id, request, ticket.cancelled.is_set):
            ticket.post(event)
            if ticket.ended:
                break

    def _serve_job(self, ticket: Ticket) -> None:
        if not isinstance(ticket.request, JobRequest):
            raise TypeError("only jobs belong into the job lane")

        def report(
            what: str,
            done: int,
            total: int,
            /,
            *,
            file: str = "",
            speed: float = 0.0,
            seconds_left: float | None = None,
            wait: float = 0.0,
        ) -> None:
            progress = JobProgress(
                request_id=ticket.request_id,
                what=what,
                done=done,
                total=total,
                file=file,
                speed=speed,
                seconds_left=seconds_left,
                wait=wait,
            )
            ticket.post(progress)

        result = self._run_job(ticket.request, report, ticket.cancelled.is_set)
        ticket.post(JobDone(request_id=ticket.request_id, result=result))

    def _close_pipeline(self) -> None:
        if self._lost is not None:  # its memory goes with the process: freeing it may crash
            return
        self._why_nothing = NOTHING_LOADED
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return
        try:
            pipeline.close()
        except Exception:
            log.exception("closing the model failed")
