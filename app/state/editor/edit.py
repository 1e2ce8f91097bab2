"""One edit of a document: asked for, denoised, offered, and taken over or let go.

The document is not touched before `accept`; drafts and offers live beside it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from enum import Enum

from PySide6.QtCore import QObject, Signal, Slot

from app.bridge import EngineBridge
from app.state.editor.around import texts_around
from app.state.editor.changes import Change, Range
from app.state.editor.document import Document
from app.state.editor.offer import Choice, Offer, make_offer
from app.state.editor.order import Order, apply, clean_texts, request_of
from app.state.editor.store import EditRecord
from app.words import tr, tr_engine
from engine.messages import (
    Draft,
    EditKind,
    Event,
    Failed,
    Finished,
    FinishReason,
    Proposal,
    Recording,
    Strength,
)


class Phase(Enum):
    IDLE = "idle"
    RUNNING = "running"
    OFFERED = "offered"


class EditSession(QObject):
    """One edit at a time in one document.

    Signals:
        changed(): phase, offer or the shown alternative is another one.
        drafted(): another step of the canvas.
        noted(str): one plain sentence on why it ended without a change.
        accepted(EditRecord, Recording | None): it is in the document.
    """

    changed = Signal()
    drafted = Signal()
    noted = Signal(str)
    accepted = Signal(object, object)

    def __init__(
        self, bridge: EngineBridge, document: Document, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._document = document
        self._order: Order | None = None
        self._ranges: tuple[Range, ...] = ()
        self._originals: tuple[str, ...] = ()
        self._request_id: int | None = None
        self._drafts: dict[tuple[int, int], Draft] = {}
        self._proposals: list[Proposal] = []
        self._offers: list[Offer] = []
        self._recording: Recording | None = None
        self._seed = 0
        self._shown = 0
        bridge.event_received.connect(self._on_event)
        document.edited.connect(self._on_edited)

    @property
    def phase(self) -> Phase:
        if self._request_id is not None:
            return Phase.RUNNING
        return Phase.OFFERED if self._offers else Phase.IDLE

    @property
    def order(self) -> Order | None:
        """The last thing that was asked for; None where nothing was."""
        return self._order

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Where its places are now."""
        return self._ranges if self.phase is not Phase.IDLE else ()

    @property
    def originals(self) -> tuple[str, ...]:
        return self._originals

    @property
    def offer(self) -> Offer | None:
        return self._offers[self._shown] if self._offers else None

    @property
    def proposal(self) -> Proposal | None:
        return self._proposals[self._shown] if self._offers else None

    @property
    def shown(self) -> int:
        """Which alternative is shown; counts from 0."""
        return self._shown

    @property
    def alternatives(self) -> int:
        return len(self._offers)

    def draft(self, place: int) -> Draft | None:
        """The newest step of the first candidate at a place."""
        return self._drafts.get((place, 0))

    def begin(self, order: Order) -> bool:
        """Asks the model. False, and nothing happens, while another edit is open here."""
        if self.phase is not Phase.IDLE or not order.places:
            return False
        self._order = order
        self._ranges = tuple(place.range for place in order.places)
        self._originals = tuple(self._document.part(each) for each in self._ranges)
        self._drafts.clear()
        self._recording = None
        self._request_id = self._bridge.submit(request_of(self._document, order))
        self.changed.emit()
        return True

    def again(
        self,
        instruction: str | None = None,
        kind: EditKind | None = None,
        strength: Strength | None = None,
    ) -> bool:
        """With another seed, or in other words; always from the original text.

        A gap stays a gap, whatever `kind` is.
        """
        if self._order is None:
            return False
        ranges = self.ranges
        places = tuple(
            replace(place, range=now)
            for place, now in zip(self._order.places, ranges, strict=bool(ranges))
        )
        if not places:
            return False
        words = self._order.instruction if instruction is None else instruction
        old = self._order.kind
        chosen = old if kind is None or old is EditKind.INFILL else kind
        order = Order(
            kind=chosen,
            places=places,
            instruction=words,
            strength=strength or self._order.strength,
        )
        self._clear()
        return self.begin(order)

    def cancel(self, note: str = "") -> None:
        """Lets everything go. The document stays as it is."""
        if self.phase is not Phase.IDLE:
            self._clear()
            self.changed.emit()
            if note:
                self.noted.emit(note)

    def show(self, alternative: int) -> None:
        if self._offers:
            self._shown = alternative % len(self._offers)
            self.changed.emit()

    def choose(self, hunk: int, choice: Choice) -> None:
        """Decides one hunk. With the last of them the edit is over."""
        offer = self.offer
        if offer is None or not 0 <= hunk < len(offer.hunks):
            return
        self._offers[self._shown] = offer.choosing(hunk, choice)
        if self._offers[self._shown].is_decided:
            self.accept()
        else:
            self.changed.emit()

    def accept(self) -> bool:
        """Takes over the shown alternative without what was rejected, as one step to undo."""
        offer = self.offer
        if offer is None:
            return False
        offer = offer.choosing_open(Choice.ACCEPTED)
        after = offer.result()
        record = self._record(after)
        ranges, recording = self._ranges, self._recording
        if after == self._originals:
            self.cancel()
            return False
        self._clear()  # first: its own change must not be taken for the user's
        is_applied = apply(self._document, ranges, self._originals, after)
        self.changed.emit()
        if not is_applied:
            self.noted.emit(tr("The text has changed since. Nothing was replaced."))
            return False
        self.accepted.emit(record, recording)
        return True

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if event.request_id != self._request_id:
            return
        match event:
            case Draft():
                self._drafts[event.span, event.candidate] = event
                self.drafted.emit()
            case Proposal():
                self._proposals.append(event)
            case Recording():
                self._recording = event if event.frames else None
            case Finished():
                self._seed = event.usage.seed
                self._finish(event.reason)
            case Failed():
                error = event.error
                self.cancel(f"{tr_engine(error.message)} {tr_engine(error.remedy)}".strip())
            case _:
                pass  # how far the reading is; an edit commits nothing and calls no tools

    def _finish(self, reason: FinishReason) -> None:
        order = self._order
        assert order is not None
        in_words = order.kind is not EditKind.INFILL
        useful = [each for each in self._proposals if clean_texts(each) != self._originals]
        if reason is FinishReason.STOPPED or not useful:
            unchanged = tr("The model would leave it as it is. Nothing was changed.")
            nothing = tr("The model found nothing that fits. Nothing was changed.")
            self.cancel(unchanged if self._proposals else nothing)
            return
        self._request_id = None
        self._proposals = useful
        self._offers = [
            make_offer(self._originals, clean_texts(each), in_words=in_words) for each in useful
        ]
        self._shown = 0
        self.changed.emit()

    def _on_edited(self, change: Change) -> None:
        if self.phase is Phase.IDLE:
            return
        moved = [place.after(change) for place in self._ranges]
        kept = tuple(place for place in moved if place is not None)
        if len(kept) < len(moved):
            self.cancel(tr("You changed the text that was being edited, so the edit was let go."))
        else:
            self._ranges = kept

    def _record(self, after: tuple[str, ...]) -> EditRecord:
        order, proposal = self._order, self.proposal
        assert order is not None
        assert proposal is not None
        return EditRecord(
            document=self._document.key,
            made=time.time(),
            kind=order.kind.value,
            instruction=order.instruction,
            seed=self._seed,
            before=self._originals,
            after=after,
            candidate=proposal.candidate,
            around=texts_around(self._document, self._ranges),
        )

    def _clear(self) -> None:
        if self._request_id is not None:
            self._bridge.cancel(self._request_id)
        self._request_id = None
        self._proposals, self._offers, self._shown = [], [], 0
        self._drafts.clear()
