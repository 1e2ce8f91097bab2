"""Drafts for people who want nothing to move: only what is sure, and an even dot for each gap."""

from __future__ import annotations

from dataclasses import replace

from engine.messages import Channel, Draft, TokenState

GAP = " •"
GAPS_BEHIND = 3  # dots behind the last word, for all that may still come
_SURE = (TokenState.ACCEPTED, TokenState.SETTLED)


class Stillness:
    """Makes drafts calm, one after the other.

    A word appears once a step has accepted it, and stays as long as the model does not change it:
    what is accepted in one step and doubted in the next must not flicker.
    """

    def __init__(self) -> None:
        self._canvas: tuple[int, int, int, int] | None = None
        self._step = 0
        self._kept: dict[int, str] = {}  # position -> piece

    def calm(self, draft: Draft, channel: Channel = Channel.ANSWER) -> Draft:
        """The draft with its sure words, plain, and with dots in place of all others."""
        canvas = (draft.request_id, draft.canvas, draft.span, draft.candidate)
        if canvas != self._canvas or draft.step < self._step:
            self._kept.clear()
        self._canvas, self._step = canvas, draft.step
        pieces: list[str] = []
        states: list[int] = []
        end = 0  # behind the last word that is shown
        rows = zip(draft.pieces, draft.states, draft.channels, strict=True)
        for position, (piece, state, where) in enumerate(rows):
            if state in _SURE:
                self._kept[position] = piece
            elif self._kept.get(position) != piece:
                self._kept.pop(position, None)
            is_sure = position in self._kept and state != TokenState.BEYOND_END
            if is_sure or state == TokenState.PINNED:
                pieces.append(piece)
                states.append(TokenState.SETTLED if is_sure else TokenState.PINNED)
                end = position + 1 if piece and where == channel else end
            else:
                pieces.append(GAP)
                is_open = state != TokenState.BEYOND_END
                states.append(TokenState.NOISE if is_open else TokenState.BEYOND_END)
        states[end + GAPS_BEHIND :] = [TokenState.BEYOND_END] * len(states[end + GAPS_BEHIND :])
        return replace(
            draft,
            pieces=tuple(pieces),
            states=bytes(states),
            confidence=b"\xff" * len(pieces),  # all dots alike
        )
