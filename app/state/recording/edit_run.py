"""A stored edit, step by step: all its places in their text, as they were written together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, zip_longest

from app.state.recording.codec import Tape
from app.state.recording.run import Moment, Run, moment_of
from engine.messages import Channel, Draft, TokenState

BETWEEN = "\n…\n"  # two places whose surroundings are not known


class EditRun:
    """The steps of one candidate of an edit. Raises RecordingError.

    `originals` are the texts that stood at its places, `around` those before, between and behind
    them: one more than there are places, or none where they are not known.
    """

    has_thoughts = False
    has_given = True

    def __init__(
        self,
        tape: Tape,
        *,
        candidate: int = 0,
        originals: Sequence[str] = (),
        around: Sequence[str] = (),
    ) -> None:
        spans = {each.span for each in tape.places if each.candidate == candidate}
        count = max(len(originals), 1 + max(spans, default=0))
        self._originals = (*originals, *[""] * count)[:count]
        unknown = ("", *[BETWEEN] * (count - 1), "")
        self._around = tuple(around) if len(around) == count + 1 else unknown
        self._runs = {
            span: Run([tape], span=span, candidate=candidate, appends=False) for span in spans
        }
        self._steps = tuple(_steps(tape, candidate))  # of each span, the number of its own step
        canvases = [self._canvas(step) for step in range(len(self._steps))]
        changes = [at for at, (old, new) in enumerate(pairwise(canvases), 1) if old != new]
        self._starts = (0, *changes) if canvases else ()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first step of each try."""
        return self._starts

    def draft(self, step: int) -> Draft:
        """All places in their text. One that has not begun shows what stood there."""
        canvas, start, end = self._try_of(step)
        shown = in_text(self._around, self._drafts(step), self._originals)
        return replace(shown, canvas=canvas, step=step - start + 1, max_steps=end - start)

    def settled_before(self, step: int, channel: Channel = Channel.ANSWER) -> str:
        """Nothing: each step shows the whole text."""
        return ""

    def moment(self, step: int) -> Moment:
        canvas, start, end = self._try_of(step)
        written = [draft for draft in self._drafts(step) if draft is not None]
        return moment_of(self.draft(step), written, canvas + 1, len(self._starts), end - start)

    def _try_of(self, step: int) -> tuple[int, int, int]:
        """Its number from 0, its first step, and the one after its last."""
        number = sum(start <= step for start in self._starts) - 1
        return number, self._starts[number], (*self._starts[1:], len(self))[number]

    def _drafts(self, step: int) -> list[Draft | None]:
        at = self._steps[step]
        spans = range(len(self._originals))
        return [self._runs[span].draft(at[span]) if span in at else None for span in spans]

    def _canvas(self, step: int) -> int:
        """Which try it is: the latest that any of the places is at."""
        return max(
            sum(start <= at for start in self._runs[span].starts)
            for span, at in self._steps[step].items()
        )


def in_text(
    around: Sequence[str], drafts: Sequence[Draft | None], originals: Sequence[str]
) -> Draft:
    """One canvas of it all: what is `around` the places is pinned.

    A place whose canvas has not come yet shows its original.
    """
    pieces: list[str] = []
    confidence, states = bytearray(), bytearray()

    def put(text: str, state: TokenState) -> None:
        if text:
            pieces.append(text)
            confidence.append(255)
            states.append(state)

    newest: Draft | None = None
    for before, draft, original in zip_longest(around, drafts, originals):
        put(before or "", TokenState.PINNED)
        if draft is None:
            put(original or "", TokenState.SETTLED)
        else:
            newest = draft
            pieces += draft.pieces
            confidence += draft.confidence
            states += draft.states
    return Draft(
        request_id=newest.request_id if newest else 0,
        canvas=newest.canvas if newest else 0,
        step=newest.step if newest else 0,
        max_steps=newest.max_steps if newest else 0,
        pieces=tuple(pieces),
        confidence=bytes(confidence),
        states=bytes(states),
        channels=bytes([Channel.ANSWER] * len(pieces)),
    )


def _steps(tape: Tape, candidate: int) -> Iterator[dict[int, int]]:
    """A step ends where one of its places takes the next one."""
    last: dict[int, int] = {}
    moved: set[int] = set()
    for place in tape.places:
        if place.candidate != candidate:
            continue
        if place.span in moved:
            yield dict(last)
            moved.clear()
        last[place.span] = last.get(place.span, -1) + 1
        moved.add(place.span)
    if moved:
        yield dict(last)
