"""Which tokens are thought, which are answer, and which are markup that nobody should see.

Works on ids, canvas after canvas, also on canvases in the middle of denoising, where the markup may
be incomplete or wrong. The format is `<|channel>thought\\n ... <channel|> answer`; a tool call may
stand in between and is hidden here (see `tools.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.messages import Channel
from engine.text.tokenizer import SpecialIds, Tokenizer

NAME = "thought"
NAME_TOKENS = 12  # a small vocabulary may need several for the name


@dataclass(frozen=True, kw_only=True)
class ChannelState:
    """Where the text stands between two tokens."""

    channel: Channel = Channel.ANSWER
    header: str | None = None  # what has been read of the channel's name; None outside of it
    in_call: bool = False
    may_open: bool = False  # at the first token of a turn that should begin with a thought
    unfinished: bytes = b""  # the first bytes of a character whose others are to come

    @staticmethod
    def begin(*, thinking: bool) -> ChannelState:
        """At the end of the prompt. Without thinking the prompt holds the closed, empty thought."""
        return ChannelState(may_open=thinking)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One entry a token each; `pieces` joined is the visible text.

    A character whose last bytes are still to come is not in it; it appears behind `state`.
    """

    pieces: tuple[str, ...]  # '' where hidden
    channels: bytes  # Channel
    hidden: bytes  # 1 where a token is markup, 0 where it is text
    state: ChannelState  # behind the last token

    def text(self, channel: Channel) -> str:
        """The visible text of one channel."""
        return "".join(
            piece
            for piece, found in zip(self.pieces, self.channels, strict=True)
            if found == channel
        )


def labels(tokenizer: Tokenizer, ids: Sequence[int], state: ChannelState) -> Labels:
    """Label each of `ids`, a canvas or the first part of one, that begins in `state`."""
    pieces, unfinished = tokenizer.pieces_behind(state.unfinished, ids)
    state = replace(state, unfinished=unfinished)
    if ids and state.may_open:
        ids, state = _repair_opening(ids, pieces, state, tokenizer.special)
    channels = bytearray()
    hidden = bytearray()
    for token, piece in zip(ids, pieces, strict=True):
        state, is_markup = _step(token, piece, state, tokenizer)
        channels.append(state.channel)
        hidden.append(is_markup)
    shown = ("" if hide else piece for piece, hide in zip(pieces, hidden, strict=True))
    return Labels(pieces=tuple(shown), channels=bytes(channels), hidden=bytes(hidden), state=state)


def split(
    tokenizer: Tokenizer, ids: Sequence[int], state: ChannelState | None = None
) -> list[tuple[Channel, list[int]]]:
    """The visible ids as stretches of one channel each, in order."""
    found = labels(tokenizer, ids, state or ChannelState())
    stretches: list[tuple[Channel, list[int]]] = []
    for token, channel, hide in zip(ids, found.channels, found.hidden, strict=True):
        if hide:
            continue
        if not stretches or stretches[-1][0] != channel:
            stretches.append((Channel(channel), []))
        stretches[-1][1].append(token)
    return stretches


def _repair_opening(
    ids: Sequence[int], pieces: Sequence[str], state: ChannelState, special: SpecialIds
) -> tuple[Sequence[int], ChannelState]:
    """Early in denoising the name may stand there before the `<|channel>` in front of it does."""
    state = replace(state, may_open=False)
    behind_first = "".join(pieces[1 : NAME_TOKENS + 1])
    if (pieces[0] + behind_first).startswith(f"{NAME}\n"):
        return ids, replace(state, channel=Channel.THOUGHT, header="")
    if behind_first.startswith(f"{NAME}\n"):
        return [special.channel_start, *ids[1:]], state
    return ids, state


def _step(
    token: int, piece: str, state: ChannelState, tokenizer: Tokenizer
) -> tuple[ChannelState, bool]:
    """The state at and behind `token`, and whether the token is markup."""
    special = tokenizer.special
    if token == special.channel_start:
        return replace(state, channel=Channel.THOUGHT, header="", in_call=False), True
    if token == special.channel_end:
        return replace(state, channel=Channel.ANSWER, header=None, in_call=False), True
    if token == special.call_start:
        return replace(state, channel=Channel.ANSWER, header=None, in_call=True), True
    if token in (special.call_end, special.turn_end):
        return replace(state, in_call=False), True
    if token in tokenizer.markup_ids or state.in_call:
        return state, True
    if state.header is not None:
        return _read_name(state.header + piece, state)
    return state, False


def _read_name(header: str, state: ChannelState) -> tuple[ChannelState, bool]:
    """Hide the channel's name and the line end behind it; any other text is the thought itself."""
    name = header.strip()
    if not NAME.startswith(name):
        return replace(state, header=None), False
    is_over = name == NAME and header.endswith("\n")
    return replace(state, header=None if is_over else header), True
