"""A stored run, step by step, as a replay shows it: drafts, and the text that had settled before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Protocol

from app.state.recording.codec import Tape, indices_of
from engine.messages import Channel, Draft, Frame, TokenState

SURE = (TokenState.ACCEPTED, TokenState.SETTLED, TokenState.PINNED)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step of a run, and where it stands in it."""

    draft: Draft
    canvas: int  # counts from 1
    canvases: int
    steps: int  # of this canvas
    sure: int  # tokens
    tokens: int  # that will be part of the answer
    confidence: float  # their mean, from 0 to 1


class Playable(Protocol):
    """Steps numbered from 0, as a replay shows them. All methods may raise RecordingError.

    Reading a step is quick enough for a slider: the GUI thread may do it.
    """

    has_thoughts: bool
    has_given: bool  # text that was pinned

    def __len__(self) -> int: ...

    @property
    def starts(self) -> tuple[int, ...]:
        """The first step of each canvas."""

    def draft(self, step: int) -> Draft:
        """What is shown at that step."""

    def settled_before(self, step: int, channel: Channel = Channel.ANSWER) -> str:
        """The text that stays in front of it."""

    def moment(self, step: int) -> Moment: ...


class Run:
    """The steps of one candidate of one span. Raises RecordingError.

    `tapes` are the parts of an answer that was continued: its steps and canvases count through.
    Of an edit each canvas is another try at the same text: nothing `appends` to what was before.
    """

    def __init__(
        self, tapes: Sequence[Tape], *, span: int = 0, candidate: int = 0, appends: bool = True
    ) -> None:
        self.has_given = False
        self._tapes = tuple(tapes)
        self._appends = appends
        found = [
            (part, number, place.canvas)
            for part, tape in enumerate(tapes)
            for number, place in enumerate(tape.places)
            if (place.span, place.candidate) == (span, candidate)
        ]
        self._numbers = [(part, number) for part, number, _ in found]
        self._canvases = _stretches([(part, canvas) for part, _, canvas in found])
        self._canvas_of = [
            canvas for canvas, (start, end) in enumerate(self._canvases) for _ in range(start, end)
        ]
        self._settled: list[dict[Channel, str]] = [dict.fromkeys(Channel, "")]
        self.has_thoughts = any(
            Channel.THOUGHT in self._frame(end - 1).channels for _, end in self._canvases
        )

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first step of each canvas."""
        return tuple(start for start, _ in self._canvases)

    @property
    def ends(self) -> tuple[int, ...]:
        """The last step of each canvas."""
        return tuple(end - 1 for _, end in self._canvases)

    def draft(self, step: int) -> Draft:
        """The draft that was shown at that step."""
        frame = self._frame(step)
        canvas = self._canvas_of[step]
        start, end = self._canvases[canvas]
        tape = self._tapes[self._numbers[step][0]]
        return Draft(
            request_id=tape.request_id,
            canvas=canvas,
            step=frame.step,
            max_steps=end - start,
            pieces=tuple(tape.pieces[index] for index in indices_of(frame)),
            confidence=frame.confidence,
            states=frame.states,
            channels=frame.channels,
            span=frame.span,
            candidate=frame.candidate,
        )

    def settled_before(self, step: int, channel: Channel = Channel.ANSWER) -> str:
        """The text of all earlier canvases that stays in front of this one."""
        canvas = self._canvas_of[step] if self._appends else 0
        while len(self._settled) <= canvas:
            last = self.draft(self.ends[len(self._settled) - 1])
            before = self._settled[-1]
            self._settled.append({each: before[each] + kept_text(last, each) for each in Channel})
        return self._settled[canvas][channel]

    def moment(self, step: int) -> Moment:
        draft = self.draft(step)
        canvas = self._canvas_of[step]
        start, end = self._canvases[canvas]
        return moment_of(draft, [draft], canvas + 1, len(self._canvases), end - start)

    def _frame(self, step: int) -> Frame:
        part, number = self._numbers[step]
        return self._tapes[part].frame(number)


def moment_of(
    shown: Draft, counted: Sequence[Draft], canvas: int, canvases: int, steps: int
) -> Moment:
    """`counted` are the tokens that were denoised in what is shown."""
    kept = [
        confidence
        for draft in counted
        for confidence, state in zip(draft.confidence, draft.states, strict=True)
        if state != TokenState.BEYOND_END
    ]
    return Moment(
        draft=shown,
        canvas=canvas,
        canvases=canvases,
        steps=steps,
        sure=sum(draft.states.count(state) for draft in counted for state in SURE),
        tokens=len(kept),
        confidence=sum(kept) / (255 * len(kept)) if kept else 1.0,
    )


def kept_text(draft: Draft, channel: Channel) -> str:
    """What a canvas leaves behind on a channel; where it was stopped, the sure words it begins with."""
    kept = takewhile(
        lambda token: token[1] in SURE,
        zip(draft.pieces, draft.states, draft.channels, strict=True),
    )
    return "".join(piece for piece, _, where in kept if where == channel)


def _stretches(canvases: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first step of each canvas, and the one after its last, from each step's canvas."""
    numbered = groupby(range(len(canvases)), key=lambda step: canvases[step])
    groups = [list(steps) for _, steps in numbered]
    return [(group[0], group[-1] + 1) for group in groups]
