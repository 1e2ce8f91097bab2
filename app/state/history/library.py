"""All chats, for the window: every call returns at once, and the disk is met on another thread.

What is asked for is done in order. Answers come back on the GUI thread, in order.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.state.conversation import Message
from app.state.history.export import Format, export
from app.state.history.faults import Fault, HistoryError, fault_error
from app.state.history.history import History
from app.state.history.keeper import Change, Keeper
from app.state.history.rows import ChatSummary, SavedChat
from app.state.history.search import Hit
from app.state.recording.codec import encode
from app.state.recording.parts import joined
from app.state.unsent import Unsent
from engine.messages import Recording

log = logging.getLogger(__name__)

T = TypeVar("T")
Job = Callable[[Keeper], None]


class Library(QObject):
    """Begins to open the history at `start`; calls before it is open wait. `close` before deletion.

    Signals:
        opened(): the history can be asked; also after a failure, when it is in memory.
        chats_changed(tuple[ChatSummary, ...]): newest change first; also right after opening.
        failed(HistoryError): something could not be read or written. Once until `recovered`.
        recovered(): everything that waited is on the disk.
        noticed(str): a plain sentence about what was repaired or could not be read.
    """

    opened = Signal()
    chats_changed = Signal(object)
    failed = Signal(object)
    recovered = Signal()
    noticed = Signal(str)
    _rung = Signal()

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._data = data
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._search = 0  # the newest one; older ones are dropped
        self._is_closed = False
        self._is_whole = False
        self._chats: tuple[ChatSummary, ...] | None = None  # as last told
        self._must_list = True
        self._thread = threading.Thread(target=self._run, name="redraft-history", daemon=True)
        self._rung.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        self._thread.start()

    def save(
        self,
        chat_id: str,
        messages: Sequence[Message],
        leaf: str | None,
        on_saved: Callable[[bool], None] | None = None,
    ) -> None:
        """Adds or replaces messages; makes the chat where it is missing.

        `on_saved(True)` follows the commit: the messages survive anything. `on_saved(False)` says
        that they are kept in memory and will be tried again; `failed` says why.
        """
        kept = tuple(messages)
        self._write(chat_id, lambda history: history.save(chat_id, kept, leaf), on_saved)

    def save_unsent(self, chat_id: str, unsent: Unsent) -> None:
        self._write(chat_id, lambda history: history.save_unsent(chat_id, unsent), lists=False)

    def save_settings(self, chat_id: str, settings: dict[str, Any]) -> None:
        kept = dict(settings)
        self._write(chat_id, lambda history: history.save_settings(chat_id, kept), lists=False)

    def save_recording(
        self, chat_id: str, message_id: str, recording: Recording, *, is_more: bool
    ) -> None:
        """After the message itself. `is_more` puts it behind what was recorded of it before.

        `recording` is asked for as bytes that `recording.parts` reads.
        """

        def write(history: History) -> None:
            earlier = history.recording(message_id) if is_more else None
            history.save_recording(message_id, joined(earlier, encode(recording)))

        self._write(chat_id, write, lists=False)

    def create(self, chat_id: str, title: str = "") -> None:
        self._write(chat_id, lambda history: history.create(chat_id, title))

    def rename(self, chat_id: str, title: str) -> None:
        """An empty title means: the first question again."""
        self._write(chat_id, lambda history: history.rename(chat_id, title))

    def delete(self, chat_id: str) -> None:
        """Hides it; `restore` undoes that until the next start, which removes it for good."""
        self._write(chat_id, lambda history: history.delete(chat_id))

    def restore(self, chat_id: str) -> None:
        self._write(chat_id, lambda history: history.restore(chat_id))

    def load(self, chat_id: str, on_loaded: Callable[[SavedChat], None]) -> None:
        self._read(lambda keeper: keeper.load(chat_id), on_loaded)

    def recording(self, message_id: str, on_loaded: Callable[[bytes | None], None]) -> None:
        def ask(history: History) -> bytes | None:
            return history.recording(message_id)

        self._read(lambda keeper: keeper.read(ask), on_loaded)

    def forget_recordings(self, days: int) -> None:
        """Deletes recordings that are older, a few at a time: what is asked meanwhile goes first."""
        before = time.time() - 86_400 * days

        def slice_of(after: int) -> Job:
            def job(keeper: Keeper) -> None:
                if self._must_list:  # the queue is not empty before this is done
                    self._list(keeper)
                place = keeper.read(lambda history: history.forget_recordings(before, after))
                if place is not None:
                    self._jobs.put(slice_of(place))

            return job

        self._ask(slice_of(0))

    def search(
        self, query: str, on_found: Callable[[tuple[Hit, ...]], None], limit: int = 50
    ) -> None:
        """Only the newest search is answered: those before it are dropped."""
        self._search += 1
        number = self._search

        def job(keeper: Keeper) -> None:
            if number == self._search:
                hits = keeper.read(lambda history: history.search(query, limit))
                self._post(lambda: on_found(hits) if number == self._search else None)

        self._ask(job)

    def stop_search(self) -> None:
        """The search that is under way will not be answered."""
        self._search += 1

    def export(
        self,
        chat_id: str,
        path: Path,
        form: Format,
        on_exported: Callable[[], None],
        *,
        all_branches: bool = False,
    ) -> None:
        def write(keeper: Keeper) -> None:
            export(keeper.load(chat_id), path, form, all_branches=all_branches)

        self._read(write, lambda _nothing: on_exported())

    def close(self, timeout: float = 5.0) -> bool:
        """Does all that was asked, gives the last answers, and ends the thread.

        False if something is not on the disk, or if it took longer than `timeout` seconds.
        """
        if not self._is_closed:
            self._is_closed = True
            self._jobs.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        while not self._results.empty():
            self._deliver()
        return self._is_whole and not self._thread.is_alive()

    def _write(
        self,
        chat_id: str,
        apply: Callable[[History], None],
        on_saved: Callable[[bool], None] | None = None,
        *,
        lists: bool = True,
    ) -> None:
        def job(keeper: Keeper) -> None:
            is_saved = keeper.write(Change(chat_id=chat_id, apply=apply))
            self._must_list |= lists
            if on_saved is not None:
                self._post(lambda: on_saved(is_saved))

        self._ask(job)

    def _read(self, ask: Callable[[Keeper], T], on_answer: Callable[[T], None]) -> None:
        def job(keeper: Keeper) -> None:
            answer = ask(keeper)
            self._post(lambda: on_answer(answer))

        self._ask(job)

    def _ask(self, job: Job) -> None:
        if self._is_closed:
            log.error("asked after the end")
        else:
            self._jobs.put(job)

    # --- on the thread of the history -------------------------------------------------------------

    def _run(self) -> None:
        keeper = Keeper(
            self._data,
            failed=lambda error: self._post(lambda: self.failed.emit(error)),
            recovered=lambda: self._post(self.recovered.emit),
            noticed=lambda sentence: self._post(lambda: self.noticed.emit(sentence)),
        )
        self._post(self.opened.emit)
        self._do(self._list, keeper)
        job: Job | None = Keeper.tidy
        while job is not None:
            self._do(job, keeper)
            if self._must_list and self._jobs.empty():
                self._do(self._list, keeper)
            job = self._jobs.get()
        self._is_whole = keeper.close()

    def _do(self, job: Job, keeper: Keeper) -> None:
        try:
            job(keeper)
        except HistoryError as error:
            log.exception("the history failed")
            self._fail(error)
        except Exception as error:
            log.exception("unexpected error")
            self._fail(fault_error(Fault.DISK, reason=str(error)))

    def _fail(self, error: HistoryError) -> None:
        self._post(lambda: self.failed.emit(error))

    def _list(self, keeper: Keeper) -> None:
        self._must_list = False
        chats = keeper.read(lambda history: history.chats())
        if chats != self._chats:
            self._chats = chats
            self._post(lambda: self.chats_changed.emit(chats))

    def _post(self, result: Callable[[], None]) -> None:
        self._results.put(result)
        with suppress(RuntimeError):  # the window is gone; `close` gave up waiting
            self._rung.emit()

    # --- on the GUI thread ------------------------------------------------------------------------

    @Slot()
    def _deliver(self) -> None:
        with suppress(queue.Empty):
            self._results.get_nowait()()
