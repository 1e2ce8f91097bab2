"""A window as a canvas: pins for gaps of given lengths, and which ids may stand in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.denoise import FREE
from engine.editing.borders import ending_with, starting_with
from engine.editing.forms import may_begin, may_hold
from engine.editing.window import Gap, Window
from engine.text.tokenizer import Tokenizer

# Widths are multiples of a sixteenth of the canvas, a quarter at least: a model knows few others.
PARTS = 16
FEWEST_PARTS = 4

_RESERVED = re.compile(r"<(unused\d+|unk|mask)>")  # not text, though no markup either

ORDINARY = 0  # the rule of all text outside of gaps
HEAD, TAIL, BOTH, MIDDLE = KINDS = range(4)  # the rules of one gap, by position


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One canvas: where its gaps lie. The document ends at `length`; then end of turn, padding."""

    window: Window
    lengths: tuple[int, ...]  # tokens of each gap

    @property
    def length(self) -> int:
        return self.window.pinned + sum(self.lengths)

    @property
    def slots(self) -> tuple[slice, ...]:
        """The canvas positions of each gap."""
        found, at = [], 0
        for ids, count in zip(self.window.fixed, self.lengths, strict=False):
            at += len(ids)
            found.append(slice(at, at + count))
            at += count
        return tuple(found)

    def pins(self, tokenizer: Tokenizer, width: int) -> list[int]:
        """The canvas of `width` positions, FREE in the gaps."""
        special = tokenizer.special
        ids: list[int] = []
        for fixed, count in zip(self.window.fixed, (*self.lengths, 0), strict=True):
            ids += [*fixed, *[FREE] * count]
        return [*ids, special.turn_end, *[special.pad] * (width - len(ids) - 1)]


def fitting_width(config: ModelConfig, tokens: int) -> int:
    """Positions of a canvas that holds `tokens` tokens and the end of turn."""
    part = max(1, config.canvas_length // PARTS)
    wanted = max(-(-(tokens + 1) // part), FEWEST_PARTS) * part
    return min(wanted, config.canvas_length)


def stack(tokenizer: Tokenizer, config: ModelConfig, layouts: Sequence[Layout]) -> Tensor:
    """Pins of a batch, int64 [B, C]."""
    width = fitting_width(config, max(layout.length for layout in layouts))
    return torch.tensor([layout.pins(tokenizer, width) for layout in layouts])


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which ids may not stand in the gaps of one window."""

    barred: Tensor  # bool [K, V]

    @staticmethod
    def of(tokenizer: Tokenizer, config: ModelConfig, window: Window) -> Rules:
        """Rule 0 bars special ids; behind it each gap has one for its first position, one for its
        last, one where these are the same and one for all between them."""
        never = torch.ones(config.vocab_size, dtype=torch.bool)
        never[: tokenizer.vocab_size] = False
        never[list(tokenizer.markup_ids)] = True
        never[[token for token, text in tokenizer.vocabulary if _RESERVED.fullmatch(text)]] = True
        rows = [never]
        for gap in window.gaps:
            rows += [never | _barred(tokenizer, config, gap, kind) for kind in KINDS]
        return Rules(barred=torch.stack(rows))

    def without(self, gap: int, ids: Sequence[int]) -> Rules:
        """The same, with some ids barred from the first position of a gap as well."""
        barred = self.barred.clone()
        for kind in (HEAD, BOTH):
            barred[rule(gap, kind), list(ids)] = True
        return Rules(barred=barred)

    def only(self, gap: int, ids: Sequence[int]) -> Rules:
        """The same, with nothing but some ids allowed in a gap of one token."""
        barred = self.barred.clone()
        row = barred[rule(gap, BOTH)]
        allowed = torch.zeros_like(row)
        allowed[list(ids)] = True
        row |= ~allowed
        return Rules(barred=barred)

    def can_hold(self, gap: int, length: int) -> bool:
        """Whether a gap of this length has an id left for each position."""
        kinds = (BOTH,) if length == 1 else (HEAD, TAIL) if length == 2 else (HEAD, MIDDLE, TAIL)
        return all(not bool(self.barred[rule(gap, kind)].all()) for kind in kinds)

    def places(self, layouts: Sequence[Layout], width: int) -> Tensor:
        """The rule of every position, int64 [B, C]."""
        rules = torch.full((len(layouts), width), ORDINARY)
        for row, layout in enumerate(layouts):
            for gap, slot in enumerate(layout.slots):
                if slot.stop - slot.start == 1:
                    rules[row, slot.start] = rule(gap, BOTH)
                else:
                    rules[row, slot] = rule(gap, MIDDLE)
                    rules[row, slot.start] = rule(gap, HEAD)
                    rules[row, slot.stop - 1] = rule(gap, TAIL)
        return rules


def rule(gap: int, kind: int) -> int:
    """The number of a gap's rule."""
    return 1 + len(KINDS) * gap + kind


def _barred(tokenizer: Tokenizer, config: ModelConfig, gap: Gap, kind: int) -> Tensor:
    """What a gap itself rules out at some of its positions, bool [V]."""
    head = gap.head if kind in (HEAD, BOTH) else ""
    tail = gap.tail if kind in (TAIL, BOTH) else ""
    barred = torch.zeros(config.vocab_size, dtype=torch.bool)
    if head:
        barred |= _all_but(starting_with(tokenizer, head), config)
    if tail:
        barred |= _all_but(ending_with(tokenizer, tail), config)
    if gap.span.schema is not None:
        schema = gap.span.schema
        inside = [
            (token, text.removeprefix(head).removesuffix(tail))
            for token, text in tokenizer.vocabulary
        ]
        fitting = [
            token
            for token, text in inside
            if may_hold(schema, text) and (kind in (MIDDLE, TAIL) or may_begin(schema, text))
        ]
        barred |= _all_but(fitting, config)
    return barred


def _all_but(ids: Sequence[int], config: ModelConfig) -> Tensor:
    barred = torch.ones(config.vocab_size, dtype=torch.bool)
    barred[list(ids)] = False
    return barred
