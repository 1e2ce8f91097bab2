"""Instructions that one click gives, and those the user has given before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.words import tr
from engine.messages import CheckKind, EditKind, Proposal

MOST_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Quick:
    """`words` are for the model, which may know no other language; `label` is for people."""

    label: str
    words: str
    kind: EditKind = EditKind.REWRITE


def quick_actions() -> tuple[Quick, ...]:
    return (
        Quick(label=tr("Fix"), words="Fix the typos", kind=EditKind.PROOFREAD),
        Quick(label=tr("Formal"), words="Make this more formal"),
        Quick(label=tr("Shorter"), words="Make this shorter"),
        Quick(label=tr("Clearer"), words="Say this more clearly"),
        Quick(label=tr("As a list"), words="Turn this into a list"),
    )


def kind_of(instruction: str) -> EditKind:
    """Whether an instruction is the one of a quick action of another kind."""
    plain = instruction.strip().rstrip(".").lower()
    found = (each.kind for each in quick_actions() if each.words.lower() == plain)
    return next(found, EditKind.REWRITE)


def remembered(earlier: Sequence[str], instruction: str) -> tuple[str, ...]:
    """`earlier` with the instruction on top, and only once."""
    kept = (each for each in earlier if each != instruction)
    return (instruction, *kept)[:MOST_KEPT]


def remarks(proposal: Proposal) -> str:
    """What there is to know about an alternative before one takes it; empty if nothing."""
    said = [tr("Written from the instruction alone: look at its ends.")] * proposal.is_fallback
    for check in proposal.checks:
        if not check.repaired:
            sentence = _REMARKS.get(check.kind)
            said += [sentence()] if sentence is not None else []
    return " ".join(dict.fromkeys(said))


_REMARKS = {
    CheckKind.REPEATS_BEFORE: lambda: tr("It repeats what stands in front of it."),
    CheckKind.REPEATS_AFTER: lambda: tr("It repeats what stands behind it."),
    CheckKind.CUT_WORD: lambda: tr("A word may be cut off at its end."),
    CheckKind.CUT_NUMBER: lambda: tr("A number may be cut off at its end."),
    CheckKind.LOST: lambda: tr("A number or name of the original is missing."),
    CheckKind.BRACKETS: lambda: tr("Its brackets do not match."),
}
