"""One chat with the model: turns the engine's events into changes of its conversation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from app.bridge import EngineBridge
from app.state.attempt import Attempt, total
from app.state.conversation import Conversation, Message, Messages, first_difference, new_id
from app.state.keeping import Keeper
from app.state.presets import Preset
from app.state.progress import Meter, Progress
from app.state.text import clean, is_blank
from engine.messages import (
    Committed,
    Draft,
    EngineError,
    EngineEvent,
    Event,
    Failed,
    Finished,
    FinishReason,
    Prefill,
    Proposal,
    Recording,
    Role,
    ToolCall,
    Usage,
)


class ChatSession(QObject):
    """Sends, stops, asks again, goes on. Questions and answers alternate along the shown branch.

    What is said is kept before the model is asked, and again whenever more of an answer has
    settled.

    Signals:
        path_changed(int): from this place on the shown branch is another one.
        message_changed(str): text or state of the message with this id.
        draft_changed(Draft): the canvas of the open answer.
        progress_changed(Progress)
        busy_changed(bool)
        preset_changed()
    """

    path_changed = Signal(int)
    message_changed = Signal(str)
    draft_changed = Signal(object)
    progress_changed = Signal(object)
    busy_changed = Signal(bool)
    preset_changed = Signal()

    def __init__(
        self,
        bridge: EngineBridge,
        keeper: Keeper,
        *,
        chat_id: str,
        preset: Preset,
        conversation: Conversation | None = None,
        keeps_recordings: Callable[[], bool] = lambda: True,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.chat_id = chat_id
        self._bridge = bridge
        self._keeper = keeper
        self._conversation = conversation or Conversation()
        self._preset = preset
        self._keeps_recordings = keeps_recordings
        self._attempt: Attempt | None = None  # at the answer that is being written
        self._request_id: int | None = None  # None also while the question is being kept
        self._is_stopping = False
        self._began: float | None = None  # when the model turned to it
        self._meter = Meter(time.monotonic)
        self._last_progress: Progress | None = None
        self._last_draft: Draft | None = None
        bridge.event_received.connect(self._on_event)

    @property
    def conversation(self) -> Conversation:
        return self._conversation

    @property
    def path(self) -> Messages:
        """The shown branch."""
        return self._conversation.path

    @property
    def preset(self) -> Preset:
        return self._preset

    @property
    def is_busy(self) -> bool:
        return self._attempt is not None

    @property
    def progress(self) -> Progress | None:
        """How far the open answer is; None before its first event."""
        return self._last_progress if self.is_busy else None

    @property
    def draft(self) -> Draft | None:
        """The canvas of the open answer, for whoever comes to look; None where it has settled."""
        return self._last_draft if self.is_busy else None

    def set_preset(self, preset: Preset) -> None:
        """How answers are made from the next one on."""
        if preset != self._preset:
            self._preset = preset
            self.preset_changed.emit()

    def send(self, text: str) -> bool:
        """Asks the model. False, and nothing happens, if there is nothing to say or it is busy."""
        parent = self.path[-1].id if self.path else None
        return self._ask(parent, text)

    def edit(self, question_id: str, text: str) -> bool:
        """Asks in other words: a variant of the question, with a branch of its own."""
        return self._ask(self._conversation.messages[question_id].parent, text)

    def regenerate(self, answer_id: str) -> bool:
        """Asks for another variant of an answer. The old ones are kept, unless they are empty."""
        old = self._conversation.messages[answer_id]
        if self.is_busy or old.role is not Role.MODEL:
            return False
        is_last = bool(self.path) and self.path[-1].id == answer_id
        if is_last and is_blank(old.text) and not old.thought:
            again = replace(self._new_answer(old.parent), id=old.id)
            self._put(again)
            self._begin(again)
        else:
            self._add(self._new_answer(old.parent))
        return True

    def show_variant(self, message_id: str) -> None:
        """Shows the branch through this message."""
        if self.is_busy or message_id in {message.id for message in self.path}:
            return
        old = self.path
        self._conversation = self._conversation.showing(message_id)
        self._keeper.save(self.chat_id, (), self._conversation.leaf)
        self.path_changed.emit(first_difference(old, self.path))

    def take_back(self, question_id: str) -> str:
        """Hides a question with all that follows, and returns it, to be edited. It is kept."""
        question = self._conversation.messages[question_id]
        if self.is_busy or question.role is not Role.USER:
            return ""
        old = self.path
        self._conversation = self._conversation.ending_at(question.parent)
        self._keeper.save(self.chat_id, (), self._conversation.leaf)
        self.path_changed.emit(first_difference(old, self.path))
        return question.text

    def can_continue(self, message: Message) -> bool:
        """Whether this is the last answer and it did not come to an end."""
        is_last = bool(self.path) and self.path[-1].id == message.id
        has_words = bool(message.text or message.thought)
        return is_last and not self.is_busy and has_words and message.was_cut_off

    def go_on(self) -> bool:
        """Lets the model write on where its last answer was cut off."""
        if not self.path or not self.can_continue(self.path[-1]):
            return False
        answer = replace(self.path[-1], is_open=True, reason=None, error=None)
        self._put(answer)
        self._begin(answer)
        return True

    def stop(self) -> None:
        """Ends the answer; what has settled is kept."""
        if self._request_id is not None:
            self._is_stopping = True
            self._bridge.cancel(self._request_id)
        elif self.is_busy:
            self._end(reason=FinishReason.STOPPED)

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if event.request_id != self._request_id:
            return
        if self._began is None:  # until now it waited for the model, or for other chats
            self._began = time.monotonic()
        match event:
            case Prefill():
                self._tell(Progress(read=event.done, to_read=event.total))
            case Draft():
                self._last_draft = event
                self.draft_changed.emit(event)
                self._tell(self._meter.draft(event))
            case Committed():
                self._append(event)
            case Recording():
                self._keep_recording(event)
            case Finished():
                self._finish(event)
            case Failed():
                self._end(error=event.error)
            case ToolCall() | Proposal():
                pass  # a chat offers no tools and asks for no edits
            case _:
                _not_ours(event)

    def _ask(self, parent: str | None, text: str) -> bool:
        text = clean(text)
        if self.is_busy or is_blank(text):
            return False
        question = Message(
            id=new_id(), parent=parent, role=Role.USER, text=text, created=time.time()
        )
        self._add(question, self._new_answer(question.id))
        return True

    def _new_answer(self, parent: str | None) -> Message:
        return Message(
            id=new_id(), parent=parent, role=Role.MODEL, is_open=True, created=time.time()
        )

    def _add(self, *messages: Message) -> None:
        """Adds messages, the last of them an open answer, and asks for it once they are kept."""
        old = self.path
        for message in messages:
            self._conversation = self._conversation.with_message(message)
        # A variant becomes the leaf like every new message: the branch behind its sibling is hidden.
        self.path_changed.emit(first_difference(old, self.path))
        self._begin(messages[-1], messages)

    def _begin(self, answer: Message, unsaved: Sequence[Message] = ()) -> None:
        attempt = Attempt(before=answer, preset=self._preset)
        self._attempt = attempt
        self._is_stopping = False
        self._last_progress = self._last_draft = None
        self.busy_changed.emit(True)
        self._keeper.save(
            self.chat_id,
            unsaved or (answer,),
            self._conversation.leaf,
            lambda _is_saved: self._submit(attempt),  # what a bad disk refused is still asked
        )

    def _submit(self, attempt: Attempt) -> None:
        if self._attempt is not attempt:  # stopped while it was being kept
            return
        self._began = None
        self._meter = Meter(time.monotonic)
        said = self._conversation.ending_at(attempt.before.parent).path
        self._request_id = self._bridge.submit(attempt.request(said))

    def _append(self, event: Committed) -> None:
        attempt = self._open_attempt()
        seconds = time.monotonic() - self._began if self._began is not None else 0.0
        answer = attempt.grown(self._answer(), event, seconds)
        self._last_draft = None
        self._put(answer)
        self._keep(answer)

    def _keep_recording(self, recording: Recording) -> None:
        if recording.frames and self._keeps_recordings():
            answer = replace(self._answer(), has_recording=True)
            self._put(answer)
            is_more = self._open_attempt().goes_on
            self._keeper.save_recording(self.chat_id, answer.id, recording, is_more=is_more)

    def _finish(self, event: Finished) -> None:
        attempt, answer = self._open_attempt(), self._answer()
        is_empty = event.reason is FinishReason.END and is_blank(answer.text)
        if is_empty and not attempt.is_second and not self._is_stopping:
            self._attempt = attempt.again(answer, event.usage)
            self._put(self._attempt.before)
            self._submit(self._attempt)
        else:
            self._end(reason=event.reason, usage=event.usage)

    def _end(
        self,
        *,
        reason: FinishReason | None = None,
        usage: Usage | None = None,
        error: EngineError | None = None,
    ) -> None:
        answer = self._answer()
        self._request_id = self._attempt = None
        usage = total(answer.usage, usage)
        answer = replace(answer, is_open=False, reason=reason, usage=usage, error=error)
        self._put(answer)
        self._keep(answer)
        self.busy_changed.emit(False)

    def _open_attempt(self) -> Attempt:
        assert self._attempt is not None
        return self._attempt

    def _answer(self) -> Message:
        """The one that is being written, as it is now."""
        return self._conversation.messages[self._open_attempt().before.id]

    def _put(self, message: Message) -> None:
        self._conversation = self._conversation.with_message(message)
        self.message_changed.emit(message.id)

    def _keep(self, message: Message) -> None:
        self._keeper.save(self.chat_id, (message,), self._conversation.leaf)

    def _tell(self, progress: Progress) -> None:
        self._last_progress = progress
        self.progress_changed.emit(progress)


def _not_ours(event: EngineEvent) -> None:
    """Loads and jobs have other ids; the type checker sees that no event is forgotten."""
    del event
