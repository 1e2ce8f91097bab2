"""A history that takes every change, whatever the disk does. Used from one thread; no Qt.

A change that cannot be written waits in memory and is tried again with the next one, in order. If
the file cannot be opened at all, the run goes on in memory and keeps its chats in a small file
beside it, which the next start brings in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.state.conversation import new_id
from app.state.history.faults import Fault, HistoryError
from app.state.history.history import History
from app.state.history.imports import UNSAVED, bring_in, write_unsaved
from app.state.history.rows import SavedChat
from app.words import tr

log = logging.getLogger(__name__)

FILE = "chats.sqlite"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to do to one chat. Doing it twice is the same as doing it once."""

    chat_id: str
    apply: Callable[[History], None]


class Keeper:
    """Opens the history in its constructor.

    `failed` is told once when changes cannot be written, `recovered` when all of them are,
    `noticed` gets a plain sentence about what was repaired or could not be read.
    """

    def __init__(
        self,
        data: Path,
        failed: Callable[[HistoryError], None],
        recovered: Callable[[], None],
        noticed: Callable[[str], None],
    ) -> None:
        self._path = data / FILE
        self._unsaved = data / UNSAVED.format(run=new_id()[:8])
        self._failed = failed
        self._recovered = recovered
        self._noticed = noticed
        self._waiting: list[Change] = []
        self._is_failing = False
        self._is_apart = False  # in memory, beside the file
        try:
            self._history = History.open(self._path)
        except HistoryError as error:
            self._go_apart(error)
            return
        self._notice(self._history.notice)
        try:
            self._notice(bring_in(self._history, data))
        except HistoryError as error:  # the next start tries again
            self._fail(error)

    def tidy(self) -> None:
        """Removes for good what was deleted in earlier runs. Right after opening, or never."""
        try:
            self._try(lambda history: history.purge())
        except HistoryError as error:
            self._fail(error)

    def write(self, change: Change) -> bool:
        """Whether it is on the disk now. If not, it is kept and tried again with the next one."""
        self._waiting.append(change)
        return self._catch_up()

    def read(self, ask: Callable[[History], T]) -> T:
        """Raises HistoryError."""
        return self._try(ask)

    def load(self, chat_id: str) -> SavedChat:
        """With the changes that wait. Raises HistoryError."""
        if not any(change.chat_id == chat_id for change in self._waiting):
            return self.read(lambda history: history.load(chat_id))
        with closing(self._with_changes({chat_id})) as scratch:
            return scratch.load(chat_id)

    def close(self) -> bool:
        """Whether everything is on the disk, in one file or the other."""
        is_written = self._catch_up()
        if not is_written:
            with closing(self._with_changes({each.chat_id for each in self._waiting})) as scratch:
                is_written = self._write_apart(scratch)
        self._history.close()
        return is_written

    def _catch_up(self) -> bool:
        while self._waiting:
            change = self._waiting[0]
            try:
                self._try(change.apply)
            except HistoryError as error:
                if error.fault is not Fault.GONE:
                    self._fail(error)
                    return False
                self._failed(error)
            except ValueError:
                log.exception("a change that can never be written")
            self._waiting.pop(0)
        is_written = not self._is_apart or self._write_apart(self._history)
        if is_written and self._is_failing:
            self._is_failing = False
            self._recovered()
        return is_written

    def _try(self, action: Callable[[History], T]) -> T:
        """Meets damage by repairing the file, once."""
        try:
            return action(self._history)
        except HistoryError as error:
            if error.fault is not Fault.DAMAGED or self._is_apart:
                raise
        self._history.close()
        try:
            self._history = History.repair(self._path)
            self._notice(self._history.notice)
        except HistoryError as error:
            self._go_apart(error)
        return action(self._history)

    def _fail(self, error: HistoryError) -> None:
        log.error("not saved: %s", error.message)
        if not self._is_failing:
            self._is_failing = True
            self._failed(error)

    def _notice(self, sentence: str) -> None:
        if sentence:
            self._noticed(sentence)

    def _go_apart(self, error: HistoryError) -> None:
        """Goes on in memory, and says whether what is written from now on will be kept."""
        log.error("the history is in memory: %s", error.message)
        self._history = History.open()
        self._is_apart = True
        if self._write_apart(self._history):
            more = tr("Until then go on here: new chats are kept and join the others later.")
        else:
            more = tr("Until then new chats are lost when you close Redraft: copy what you need.")
        self._failed(HistoryError(error.fault, error.message, f"{error.remedy} {more}"))

    def _write_apart(self, history: History) -> bool:
        try:
            chats = [history.load(chat.id) for chat in reversed(history.chats())]
            if chats:
                write_unsaved(self._unsaved, chats)
            else:
                write_unsaved(self._unsaved, [])  # shows whether it can be written
                self._unsaved.unlink()
        except OSError:
            log.exception("could not write %s", self._unsaved.name)
            return False
        return True

    def _with_changes(self, chat_ids: Iterable[str]) -> History:
        """These chats as they will be, in memory."""
        scratch = History.open()
        for chat_id in chat_ids:
            with suppress(HistoryError):  # a new one, or one that cannot be read
                scratch.add(self._history.load(chat_id))
        for change in self._waiting:
            if scratch.has(change.chat_id) or change.chat_id in chat_ids:
                with suppress(HistoryError, ValueError):
                    change.apply(scratch)
        return scratch
