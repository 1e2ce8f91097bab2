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
from engine.editing.window import Window
from engine.text.tokenizer import Tokenizer

# Widths are multiples of a sixteenth of the canvas, a quarter at least: a model knows few others.
PARTS = 16
FEWEST_PARTS = 4

_RESERVED = re.compile(r"<(unused\d+|unk|mask)>")  # not text, though no markup either

ORDINARY, HEAD, TAIL, BOTH = range(4)  # kinds of rules of a gap; ORDINARY is the first of all


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
        last and one where these are the same."""
        never = torch.ones(config.vocab_size, dtype=torch.bool)
        never[: tokenizer.vocab_size] = False
        never[list(tokenizer.markup_ids)] = True
        never[[token for token, text in tokenizer.vocabulary if _RESERVED.fullmatch(text)]] = True
        rows = [never]
        for gap in window.gaps:
            head = (
                never
                if not gap.head
                else never | _all_but(starting_with(tokenizer, gap.head), config)
            )
            tail = (
                never
                if not gap.tail
                else never | _all_but(ending_with(tokenizer, gap.tail), config)
            )
            rows += [head, tail, head | tail]
        return Rules(barred=torch.stack(rows))

    def without(self, gap: int, ids: Sequence[int]) -> Rules:
        """The same, with some ids barred from the first position of a gap as well."""
        barred = self.barred.clone()
        for kind in (HEAD, BOTH):
            barred[3 * gap + kind, list(ids)] = True
        return Rules(barred=barred)

    def only(self, gap: int, ids: Sequence[int]) -> Rules:
        """The same, with nothing but some ids allowed in a gap of one token."""
        barred = self.barred.clone()
        row = barred[3 * gap + BOTH]
        allowed = torch.zeros_like(row)
        allowed[list(ids)] = True
        row |= ~allowed
        return Rules(barred=barred)

    def can_hold(self, gap: int, length: int) -> bool:
        """Whether a gap of this length has an id left for each position."""
        kinds = (BOTH,) if length == 1 else (HEAD, TAIL)
        return all(not bool(self.barred[3 * gap + kind].all()) for kind in kinds)

    def places(self, layouts: Sequence[Layout], width: int) -> Tensor:
        """The rule of every position, int64 [B, C]."""
        rules = torch.full((len(layouts), width), ORDINARY)
        for row, layout in enumerate(layouts):
            for gap, slot in enumerate(layout.slots):
                if slot.stop - slot.start == 1:
                    rules[row, slot.start] = 3 * gap + BOTH
                else:
                    rules[row, slot.start] = 3 * gap + HEAD
                    rules[row, slot.stop - 1] = 3 * gap + TAIL
        return rules


def _all_but(ids: Sequence[int], config: ModelConfig) -> Tensor:
    barred = torch.ones(config.vocab_size, dtype=torch.bool)
    barred[list(ids)] = False
    return barred
