"""One conversation with the model: turns the engine's events into changes of its messages."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import assert_never

from PySide6.QtCore import QObject, Signal, Slot

from app.bridge import EngineBridge
from app.state.conversation import Message, Messages, turns
from app.state.progress import Meter, Progress
from app.state.text import clean, is_blank
from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    Draft,
    EngineError,
    Event,
    Failed,
    Finished,
    FinishReason,
    JobDone,
    JobFailed,
    JobProgress,
    LoadFailed,
    Loading,
    Prefill,
    Proposal,
    Ready,
    Recording,
    Role,
    ToolCall,
    Unloaded,
    Usage,
)


class ChatSession(QObject):
    """Sends, stops, tries again. Messages come in pairs: a question and its answer.

    Signals:
        exchange_added(int): index of the question; its answer follows it, open.
        exchange_removed(int): index of the question that was taken back, with its answer.
        message_changed(int): text or state of that message.
        draft_changed(Draft): the canvas of the open answer.
        progress_changed(Progress)
        busy_changed(bool)
        cleared(): a new conversation began.
    """

    exchange_added = Signal(int)
    exchange_removed = Signal(int)
    message_changed = Signal(int)
    draft_changed = Signal(object)
    progress_changed = Signal(object)
    busy_changed = Signal(bool)
    cleared = Signal()

    def __init__(
        self, bridge: EngineBridge, messages: Messages = (), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._messages = list(messages)
        self._request_id: int | None = None
        self._meter = Meter(time.monotonic)
        bridge.event_received.connect(self._on_event)

    @property
    def messages(self) -> Messages:
        return tuple(self._messages)

    @property
    def is_busy(self) -> bool:
        return self._request_id is not None

    def send(self, text: str) -> bool:
        """Asks the model. False, and nothing happens, if there is nothing to say or it is busy."""
        text = clean(text)
        if self.is_busy or is_blank(text):
            return False
        self._messages.append(Message(role=Role.USER, text=text))
        self._messages.append(Message(role=Role.MODEL, is_open=True))
        self.exchange_added.emit(len(self._messages) - 2)
        self._submit()
        return True

    def stop(self) -> None:
        """Ends the answer; what has settled is kept."""
        if self._request_id is not None:
            self._bridge.cancel(self._request_id)

    def retry(self) -> None:
        """Asks the last question again."""
        if self.is_busy or not self._messages:
            return
        self._set_answer(Message(role=Role.MODEL, is_open=True))
        self._submit()

    def take_back(self) -> str:
        """Removes the last question with its answer and returns the question, to be edited."""
        if self.is_busy or not self._messages:
            return ""
        question, _ = self._messages[-2:]
        del self._messages[-2:]
        self.exchange_removed.emit(len(self._messages))
        return question.text

    def clear(self) -> None:
        """Begins a new conversation."""
        if self.is_busy:
            return
        self._messages.clear()
        self.cleared.emit()

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if event.request_id != self._request_id:
            return
        match event:
            case Prefill():
                self.progress_changed.emit(Progress(read=event.done, to_read=event.total))
            case Draft():
                self.draft_changed.emit(event)
                self.progress_changed.emit(self._meter.draft(event))
            case Committed():
                self._append(event)
            case Finished():
                self._end(reason=event.reason, usage=event.usage)
            case Failed():
                self._end(error=event.error)
            case Recording() | ToolCall() | Proposal():
                pass  # nothing shows them yet
            case Loading() | Ready() | LoadFailed() | Unloaded():
                pass  # the engine's own
            case JobProgress() | JobDone() | JobFailed():
                pass
            case _:
                assert_never(event)

    def _submit(self) -> None:
        self._meter = Meter(time.monotonic)
        request = ChatRequest(turns=turns(tuple(self._messages)))
        self._request_id = self._bridge.submit(request)
        self.busy_changed.emit(True)

    def _append(self, event: Committed) -> None:
        answer = self._messages[-1]
        text = clean(event.text)
        if event.channel is Channel.THOUGHT:
            self._set_answer(replace(answer, thought=answer.thought + text))
        else:
            self._set_answer(replace(answer, text=answer.text + text))

    def _end(
        self,
        *,
        reason: FinishReason | None = None,
        usage: Usage | None = None,
        error: EngineError | None = None,
    ) -> None:
        self._request_id = None
        answer = self._messages[-1]
        self._set_answer(replace(answer, is_open=False, reason=reason, usage=usage, error=error))
        self.busy_changed.emit(False)

    def _set_answer(self, message: Message) -> None:
        self._messages[-1] = message
        self.message_changed.emit(len(self._messages) - 1)
