"""What a model would take of the memory, by the length of its context, before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.settings import CACHE_BITS
from app.state.models.amounts import memory_text
from app.words import number, tr
from engine.messages import Hardware

if TYPE_CHECKING:
    from engine.memory import MemoryPlan, Wish

SHORTEST = 2048  # tokens; a shorter context is no choice worth offering
USUAL = 32_768  # tokens

Load = tuple[int, int]  # tokens of context, bits of the cache


@dataclass(frozen=True, kw_only=True)
class PlanPart:
    name: str  # for people
    size: int  # bytes


@dataclass(frozen=True, kw_only=True)
class PlanShown:
    """The parts of a plan, beside the memory that is free; None where that is not known yet."""

    parts: tuple[PlanPart, ...]
    free: int | None = None  # bytes

    @property
    def total(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def fits(self) -> bool:
        return self.free is None or self.total <= self.free


Sheet = Mapping[Load, tuple[PlanPart, ...]]  # the plans of one model for all that one can choose


@dataclass(frozen=True, kw_only=True)
class Planner:
    """The plans of one model on one PC. Only looks them up: `make_sheet` is the slow part."""

    sheet: Sheet
    hardware: Hardware | None

    @property
    def contexts(self) -> tuple[int, ...]:
        """The lengths one can choose, the longest that the model can at the end."""
        return tuple(sorted({context for context, _ in self.sheet}))

    @property
    def weights(self) -> int:
        """Bytes of the weights in memory, which is what they take on the disk, prepared."""
        return self.sheet[self.contexts[0], CACHE_BITS[0]][0].size

    @property
    def usual(self) -> int:
        """Tokens to begin with: enough for most, and room is left for other programs."""
        return min(self.longest_fitting, USUAL) or self.contexts[0]

    @property
    def longest_fitting(self) -> int:
        """Tokens, with a cache of full precision; 0 where no choice fits."""
        return self._longest(CACHE_BITS[0])

    def plan(self, context: int, cache_bits: int = CACHE_BITS[0]) -> PlanShown:
        """For the choice that is as long or the next longer one."""
        longer = (each for each in self.contexts if each >= context)
        free = None if self.hardware is None else self.hardware.free
        parts = self.sheet[next(longer, self.contexts[-1]), cache_bits]
        return PlanShown(parts=parts, free=free)

    def verdict(self, context: int, cache_bits: int = CACHE_BITS[0]) -> str:
        """Whether it fits, in a sentence, and what would help where it does not."""
        plan = self.plan(context, cache_bits)
        needed = memory_text(plan.total)
        if plan.free is None:
            return tr("It takes {size}. What this PC has is not known yet.", size=needed)
        free = memory_text(plan.free)
        if plan.fits:
            return tr("It fits: {needed} of {free} that are free.", needed=needed, free=free)
        words = tr(
            "It does not fit: {needed} are needed, {free} are free.", needed=needed, free=free
        )
        return f"{words} {self._way_out(plan, cache_bits)}"

    def _way_out(self, plan: PlanShown, cache_bits: int) -> str:
        """The one that costs least: a shorter context, a smaller cache, other programs closed."""
        if context := self._longest(cache_bits):
            return tr("With a context of {tokens} tokens it does.", tokens=number(context))
        if context := self._longest(CACHE_BITS[1]):
            return tr("With a context of {tokens} tokens in 8 bit it does.", tokens=number(context))
        missing = plan.total - (plan.free or 0)
        if self.hardware is not None and plan.total <= self.hardware.total:
            return tr("Close other programs until {size} more are free.", size=memory_text(missing))
        return tr("Choose a smaller model, or the demo model.")

    def _longest(self, cache_bits: int) -> int:
        fitting = (each for each in self.contexts if self.plan(each, cache_bits).fits)
        return max(fitting, default=0)


def make_sheet(wish: Wish) -> Sheet:
    """Plans for every choice up to the context of the wish. Arithmetic of some tenths of a second."""
    from engine.memory import plan_wish  # here, so that the window is not later for it

    return {
        (context, bits): parts_of(plan_wish(replace(wish, context=context, cache_bits=bits)))
        for context in context_choices(wish.context)
        for bits in CACHE_BITS
    }


def context_choices(longest: int) -> tuple[int, ...]:
    """Doubling from `SHORTEST` to what the model can, which is one of them."""
    found = []
    context = SHORTEST
    while context < longest:
        found.append(context)
        context *= 2
    return (*found, longest)


def parts_of(plan: MemoryPlan) -> tuple[PlanPart, ...]:
    """In four groups that mean something to people; nothing of the plan is left out."""
    sizes = dict(plan.parts)
    weights, context = sizes.pop("weights"), sizes.pop("kv_cache")
    driver = sizes.pop("cuda_context") + sizes.pop("allocator_margin")
    named = (
        (tr("The model"), weights),
        (tr("Its context"), context),
        (tr("Room to work"), sum(sizes.values())),
        (tr("Driver and reserve"), driver),
    )
    return tuple(PlanPart(name=name, size=size) for name, size in named)
