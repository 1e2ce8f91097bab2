"""Which model suits this PC, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.state.models.amounts import memory_text, size_text
from app.state.models.library import can_load, is_here
from app.state.models.plan import Planner
from app.words import number, tr
from engine.messages import Hardware, ModelEntry, Place

USEFUL_CONTEXT = 8192  # tokens; with less the real model is no pleasure
SMALLER = "int4-small"  # what a model is prepared to where its usual weights do not fit

PlannerOf = Callable[[ModelEntry, str], Planner | None]  # of a model with weights of a scheme


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """A model, the weights to prepare it to, and the reason in a sentence."""

    entry_id: str
    reason: str
    weights: str = ""


def recommend(
    entries: Sequence[ModelEntry],
    planner_of: PlannerOf,
    hardware: Hardware | None,
    disk_free: int = -1,
) -> Recommendation | None:
    """The first that fits with a useful context; the demo model where none does.

    What is here goes before what is to be fetched, else the order is that of the catalogue. None
    as long as nobody has looked at the PC. disk_free: bytes; -1 where nobody knows.
    """
    if hardware is None:
        return None
    demo = next((each for each in entries if each.place is Place.BUNDLED), None)
    if hardware.device == "cpu":
        reason = tr("Without an NVIDIA GPU that it can use, only the demo model is quick here.")
        return None if demo is None else Recommendation(entry_id=demo.id, reason=reason)
    planned = [
        (entry, planner)
        for entry in entries
        if entry.place is not Place.BUNDLED
        and (planner := planner_of(entry, suiting_weights(entry, planner_of))) is not None
    ]
    fitting = [pair for pair in planned if pair[1].plan(USEFUL_CONTEXT).fits]
    stored = [pair for pair in fitting if disk_free < 0 or room_needed(*pair) <= disk_free]
    if stored:
        entry, planner = min(stored, key=lambda pair: _rank(pair[0]))
        weights = suiting_weights(entry, planner_of)
        return Recommendation(
            entry_id=entry.id, reason=_reason(entry, planner, weights), weights=weights
        )
    if demo is None or not planned:
        return None
    if fitting:
        least = min(room_needed(*pair) for pair in fitting)
        reason = tr(
            "The large model needs {needed} on the disk; {free} are free.",
            needed=size_text(least),
            free=size_text(disk_free),
        )
    else:
        least = min(planner.plan(USEFUL_CONTEXT).total for _, planner in planned)
        reason = tr(
            "The large model needs {needed} of GPU memory; {free} are free.",
            needed=memory_text(least),
            free=memory_text(hardware.free),
        )
    return Recommendation(entry_id=demo.id, reason=reason)


def room_needed(entry: ModelEntry, planner: Planner) -> int:
    """Bytes on the disk until it runs: what is still to be fetched, and the prepared model."""
    if can_load(entry):
        return 0
    return max(0, entry.size - entry.present) + planner.weights


def _rank(entry: ModelEntry) -> tuple[bool, bool, bool]:
    return not can_load(entry), not is_here(entry), entry.gated


def suiting_weights(entry: ModelEntry, planner_of: PlannerOf) -> str:
    """The usual weights of a model, or smaller ones where only they fit."""
    offers_smaller = SMALLER in entry.schemes and not can_load(entry)
    for weights in (entry.scheme, SMALLER) if offers_smaller else (entry.scheme,):
        planner = planner_of(entry, weights)
        if planner is None or planner.plan(USEFUL_CONTEXT).fits:
            return weights
    return entry.scheme


def _reason(entry: ModelEntry, planner: Planner, weights: str) -> str:
    tokens = number(planner.longest_fitting)
    if is_here(entry):
        return tr("It is here already and fits, with up to {tokens} tokens in view.", tokens=tokens)
    if weights != entry.scheme:
        return tr("It fits in smaller weights, with up to {tokens} tokens in view.", tokens=tokens)
    return tr("It fits, with up to {tokens} tokens in view.", tokens=tokens)
