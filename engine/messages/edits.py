"""Editing a document: what is asked for, and what is proposed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from engine.messages.requests import Sampling


class EditKind(Enum):
    INFILL = "infill"
    REWRITE = "rewrite"
    PROOFREAD = "proofread"


class Strength(Enum):
    """How much of a selection a rewrite may touch."""

    LIGHT = "light"  # what looks wrong, as proofreading does
    MEDIUM = "medium"  # the words the instruction makes least likely; the length stays
    FULL = "full"  # all of it, and its length


class Schema(Enum):
    """The form that the text of a gap must have."""

    NUMBER = "number"  # in figures, with signs and separators
    DATE = "date"  # a day of the calendar in figures
    LINE = "line"  # a single one
    LIST = "list"  # each line begins with a hyphen, an asterisk, a bullet or a number
    JSON = "json"

    @staticmethod
    def named(word: str) -> Schema | None:
        """The form that a word names, in any case; None where it names none."""
        return next((each for each in Schema if each.value == word.strip().lower()), None)


class CheckKind(Enum):
    """What is looked at before a proposal is shown."""

    REPEATS_BEFORE = "repeats_before"  # it begins with what stands in front of it already
    REPEATS_AFTER = "repeats_after"  # it ends with what stands behind it already
    CUT_WORD = "cut_word"  # a word runs into the text at a border
    CUT_NUMBER = "cut_number"
    LOST = "lost"  # a number, address or quotation of the original is missing
    BRACKETS = "brackets"  # opened and not closed, or the other way round
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    BROKEN = "broken"  # no valid text or not of its form, or protected text is not in it


@dataclass(frozen=True, kw_only=True)
class Span:
    """A range of the document to write anew, in code points, `end` exclusive.

    An empty range is a place to insert at; at the end of the text it means: go on writing.
    """

    start: int
    end: int
    hint: str = ""  # what should stand here, in the user's words
    length_hint: int | None = None  # tokens, so many exactly; None: the engine finds out
    lengths: tuple[int, int] | None = None  # tokens, at least and at most, where it has to find out
    choices: tuple[str, ...] = ()  # if any: one of these, and nothing else
    schema: Schema | None = None


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """Text to write anew inside of `spans`; whatever is outside of them stays as it is.

    Infilling takes any number of spans that do not overlap, rewriting and proofreading one. Answered
    by `Prefill`, `Draft`s, up to `alternatives` `Proposal`s with the best first, `Recording` and
    `Finished`; or by `Failed` where nothing passed its checks (`ErrorKind.NO_RESULT`).
    """

    text: str
    spans: tuple[Span, ...]
    kind: EditKind
    instruction: str = ""
    strength: Strength = Strength.FULL  # of a rewrite
    alternatives: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    protected: tuple[tuple[int, int], ...] = ()  # ranges inside of the spans: kept word for word


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something a check found in a proposal, to be shown beside it."""

    kind: CheckKind
    span: int  # index into the request's spans
    text: str = ""  # the words in question
    repaired: bool = False  # it was so and is not any more


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One alternative for an edit: `texts[i]` replaces span i of the request.

    Proposals come best first; `candidate` is the one of its drafts.
    """

    request_id: int
    candidate: int
    texts: tuple[str, ...]
    score: float  # nats, higher is better; to be compared inside of one request only
    checks: tuple[Check, ...] = ()  # empty: nothing was found
    tokens: tuple[int, ...] = ()  # length of each text
    # Written from the instruction alone, because nothing written between the fixed ends was good.
    is_fallback: bool = False
