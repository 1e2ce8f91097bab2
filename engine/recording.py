"""Denoising steps as drafts to show and frames to keep."""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence, Set

import torch
from torch import Tensor

from engine.denoise import StepResult
from engine.messages import Draft, Frame, Recording, TokenState
from engine.text.channels import ChannelState, labels
from engine.text.tokenizer import Tokenizer


class Recorder:
    """Turns the steps of one request into drafts, and remembers them all for replay."""

    def __init__(self, request_id: int, tokenizer: Tokenizer, stop_ids: Sequence[int]) -> None:
        self._request_id = request_id
        self._tokenizer = tokenizer
        self._stop_ids = frozenset(stop_ids)
        self._pieces: dict[str, int] = {}
        self._frames: list[Frame] = []
        self._previous: dict[int, Tensor] = {}  # candidate -> argmax of its last step

    def draft(self, result: StepResult, state: ChannelState, candidate: int = 0) -> Draft:
        """The draft of one canvas of the step's batch; `state` is the channel it begins in."""
        argmax = result.argmax[candidate].cpu()
        ids = argmax.tolist()
        found = labels(self._tokenizer, ids, state)
        draft = Draft(
            request_id=self._request_id,
            canvas=result.canvas,
            step=result.step,
            max_steps=result.max_steps,
            pieces=found.pieces,
            confidence=confidence(result.entropy[candidate]),
            states=token_states(result, candidate, self._previous.get(candidate), self._stop_ids),
            channels=found.channels,
            candidate=candidate,
        )
        self._previous[candidate] = argmax
        return self.keep(draft)

    def keep(self, draft: Draft) -> Draft:
        """Remembers a draft for replay and gives it back."""
        self._frames.append(self._frame(draft))
        return draft

    def recording(self) -> Recording:
        return Recording(
            request_id=self._request_id, pieces=tuple(self._pieces), frames=tuple(self._frames)
        )

    def _frame(self, draft: Draft) -> Frame:
        indices = array.array(
            "I", [self._pieces.setdefault(piece, len(self._pieces)) for piece in draft.pieces]
        )
        if sys.byteorder == "big":
            indices.byteswap()
        return Frame(
            canvas=draft.canvas,
            step=draft.step,
            indices=indices.tobytes(),
            confidence=draft.confidence,
            states=draft.states,
            channels=draft.channels,
            span=draft.span,
            candidate=draft.candidate,
        )


def token_states(
    result: StepResult, row: int, previous: Tensor | None, stop_ids: Set[int] = frozenset()
) -> bytes:
    """A `TokenState` per position of one canvas of the batch, whose last argmax was `previous`."""
    argmax = result.argmax[row].cpu()
    pinned, accepted = result.pinned[row].cpu(), result.accepted[row].cpu()
    states = torch.full_like(argmax, TokenState.NOISE, dtype=torch.uint8)
    if result.step > 1 and previous is not None:
        states[argmax == previous] = TokenState.PROVISIONAL
    states[accepted] = TokenState.ACCEPTED
    if bool(result.stop[row]) or result.is_last:
        states[:] = TokenState.SETTLED
    states[pinned] = TokenState.PINNED
    ids = argmax.tolist()
    end = next((place for place, token in enumerate(ids) if token in stop_ids), len(ids))
    states[end:] = TokenState.BEYOND_END
    return bytes(states.tolist())


def confidence(entropy: Tensor) -> bytes:
    """round(255 · exp(-entropy)) per position."""
    return bytes((255 * (-entropy).exp()).round().clamp(0, 255).to(torch.uint8).tolist())
